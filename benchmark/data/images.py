"""From files to pixels: decoding, resizing and stacking images, for every source that reads image files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from benchmark.data.arrays import Pixels
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

# Pillow knows formats that start other programs (EPS starts Ghostscript): those of photographs are enough.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "GIF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits a channel at most


def source_folder(name: str, settings: DatasetSettings) -> Path:
    """Return the folder that a dataset's ``path`` names; raise `BadInput` if there is none."""
    if settings.path is None:
        raise BadInput(f"datasets.{name}.path is missing: source {settings.source!r} needs the folder of its files")
    if not Path(settings.path).is_dir():
        raise BadInput(f"datasets.{name}.path: there is no folder {settings.path}")
    return Path(settings.path)


def decode(payload: bytes, where: str, size: int | None = None) -> Pixels:
    """Return one image as uint8 (H, W, 3), resized to ``size`` x ``size`` pixels; greyscale becomes three channels.

    Raises `BadInput`, naming ``where``, if the bytes are no image in one of `FORMATS`, or hold more than 8 bits a
    channel, or floats.
    """
    try:
        with Image.open(io.BytesIO(payload), formats=FORMATS) as image:
            if image.mode not in MODES:
                raise ValueError(f"its pixels are of mode {image.mode}")
            return np.asarray(_resized(image.convert("RGB"), size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{where}: image cannot be decoded ({error}); accepted are 8-bit {', '.join(FORMATS)}") from None


def decode_all(payloads: Sequence[bytes], places: Sequence[str], size: int | None = None) -> Pixels:
    """Decode many images on all cores; return uint8 (N, H, W, 3). `BadInput` if two differ in size without ``size``."""
    # Threads suffice: Pillow releases the interpreter's lock while it decodes.
    images: list[Pixels] = Parallel(n_jobs=-1, prefer="threads", batch_size=256)(
        delayed(decode)(payload, place, size) for payload, place in zip(payloads, places, strict=True)
    )
    for image, place in zip(images, places, strict=True):
        if image.shape != images[0].shape:
            raise BadInput(
                f"{place}: image is {image.shape[1]}x{image.shape[0]} and that of {places[0]} "
                f"{images[0].shape[1]}x{images[0].shape[0]}: sizes must agree, or set 'size'"
            )
    return np.stack(images) if images else np.zeros((0, size or 1, size or 1, 3), np.uint8)


def resize_all(images: Pixels, size: int | None) -> Pixels:
    """Return uint8 (N, H, W, C) resized to ``size`` x ``size``; unchanged if that is their size, or None."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    pictures = images[..., 0] if images.shape[3] == 1 else images  # Pillow has no grey image of three dimensions
    resized = [np.asarray(_resized(Image.fromarray(picture), size)) for picture in pictures]
    return np.stack(resized).reshape(len(images), size, size, images.shape[3])


def _resized(image: Image.Image, size: int | None) -> Any:
    if size is None or image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR)
