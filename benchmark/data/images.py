"""From files to pixels: decoding, resizing and stacking images, for every source that reads image files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from benchmark.data.arrays import Pixels
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

# Pillow knows formats that start other programs (EPS starts Ghostscript): those of photographs are enough.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "GIF", "TIFF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits a channel at most
MOST_PIXELS = 50_000_000  # of an image, however small its file: they are decoded at once
PIECE = 4096  # images that are held beside the array which they are decoded into


def source_folder(name: str, settings: DatasetSettings) -> Path:
    """Return the folder that a dataset's ``path`` names; raise `BadInput` if there is none."""
    if settings.path is None:
        raise BadInput(f"datasets.{name}.path is missing: source {settings.source!r} needs the folder of its files")
    if not Path(settings.path).is_dir():
        raise BadInput(f"datasets.{name}.path: there is no folder {settings.path}")
    return Path(settings.path)


def decode(payload: bytes, where: str, size: int | None = None) -> Pixels:
    """Return one image as uint8 (H, W, 3), resized to ``size`` x ``size`` pixels; greyscale becomes three channels.

    Of an animation it is the first picture. Raises `BadInput`, naming ``where``, if the bytes are no image in one of
    `FORMATS`, or hold more than 8 bits a channel (those of a PPM are scaled), floats, or more than `MOST_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(payload), formats=FORMATS) as image:
            if image.mode not in MODES or re.search(";16[BLN]", str(image.tile)):  # which would lose their low bytes
                raise ValueError(f"its pixels are of mode {image.mode}, or have more than 8 bits a channel")
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width}x{image.height} pixels, and {MOST_PIXELS:,} are the most")
            return np.asarray(_resized(image.convert("RGB"), size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{where}: image cannot be decoded ({error}); accepted are 8-bit {', '.join(FORMATS)}") from None


def decode_all(count: int, images: Iterable[tuple[str, bytes]], size: int | None = None) -> Pixels:
    """Decode ``count`` images on all cores; return uint8 (N, H, W, 3). `BadInput` if two differ without ``size``.

    ``images`` are places and contents, read piece by piece as they are decoded: memory holds little beside the array.
    """
    images, pixels, first, row = iter(images), np.zeros((count, size or 1, size or 1, 3), np.uint8), "", 0
    while piece := list(islice(images, PIECE)):
        # Threads suffice: Pillow releases the interpreter's lock while it decodes.
        decoded: list[Pixels] = Parallel(n_jobs=-1, prefer="threads", batch_size=256)(
            delayed(decode)(payload, place, size) for place, payload in piece
        )
        if not first:
            first, pixels = piece[0][0], np.empty((count, *decoded[0].shape), np.uint8)
        height, width, _ = pixels.shape[1:]
        for (place, _), image in zip(piece, decoded, strict=True):
            if image.shape != pixels.shape[1:]:
                given = f"image is {image.shape[1]}x{image.shape[0]} and that of {first} {width}x{height}"
                raise BadInput(f"{place}: {given}: sizes must agree, or set 'size'")
            pixels[row] = image
            row += 1
    return pixels


def resize_all(images: Pixels, size: int | None) -> Pixels:
    """Return uint8 (N, H, W, C) resized to ``size`` x ``size``; unchanged if that is their size, or None."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    resized = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    pictures = images[..., 0] if images.shape[3] == 1 else images  # Pillow has no grey image of three dimensions
    for row, picture in enumerate(pictures):
        resized[row] = np.asarray(_resized(Image.fromarray(picture), size)).reshape(resized.shape[1:])
    return resized


def _resized(image: Image.Image, size: int | None) -> Any:
    if size is None or image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR)
