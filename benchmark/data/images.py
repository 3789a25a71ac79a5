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
from PIL import ExifTags, Image, ImageOps

from benchmark.data.arrays import Pixels
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

# Only formats of photographs: for some others Pillow starts other programs (Ghostscript for EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM", "GIF", "TIFF")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits a channel at most
MOST_PIXELS = 50_000_000  # of an image, however small its file: it is decoded whole
SIDEWAYS = 5  # orientations of Exif from which on width and height change places
PIECE = 4096  # decoded images held in memory beside the array


def source_folder(name: str, settings: DatasetSettings) -> Path:
    """Return the folder that a dataset's ``path`` names; raise `BadInput` if there is none."""
    if settings.path is None:
        raise BadInput(f"datasets.{name}.path is missing: source {settings.source!r} needs the folder of its files")
    if not Path(settings.path).is_dir():
        hint = ": ~ stands for nothing here, write the path in full" if settings.path.startswith("~") else ""
        raise BadInput(f"datasets.{name}.path: there is no folder {settings.path}{hint}")
    return Path(settings.path)


def decode(payload: bytes, where: str, size: int | None = None) -> Pixels:
    """Return one image as uint8 (H, W, 3), resized to ``size`` x ``size`` pixels; greyscale becomes three channels.

    An animation gives its first picture; what is transparent becomes white, and a photograph is turned as its camera
    says. Raises `BadInput`, naming ``where``, if the bytes are no image in one of
    `FORMATS`, or hold more than 8 bits a channel (those of a PPM are scaled), floats, or more than `MOST_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(payload), formats=FORMATS) as image:
            if image.mode not in MODES or re.search(";16[BLN]", str(image.tile)):  # else low bytes would be lost
                raise ValueError(f"its pixels are of mode {image.mode}, or have more than 8 bits a channel")
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width}x{image.height} pixels, and {MOST_PIXELS:,} are the most")
            return np.asarray(_resized(_opaque(ImageOps.exif_transpose(image)).convert("RGB"), size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        fault = re.sub(" <_io[^>]*>", "", str(error))  # the address of what was read
        raise BadInput(f"{where}: image cannot be decoded ({fault}); accepted are 8-bit {', '.join(FORMATS)}") from None


def _opaque(image: Image.Image) -> Image.Image:
    """Return an image on white where it is transparent: what lies below says nothing, and is often black."""
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))


def decode_all(count: int, images: Iterable[tuple[str, bytes]], size: int | None) -> Pixels:
    """Decode ``count`` images on all cores; return uint8 (N, H, W, 3). `BadInput` if sizes differ without ``size``.

    ``images`` yields names and contents, and is read piece by piece: memory holds little beside the array.
    """
    images, pixels, first_name, row = iter(images), np.zeros((count, size or 1, size or 1, 3), np.uint8), "", 0
    while piece := list(islice(images, PIECE)):
        # Threads suffice: Pillow releases the interpreter's lock while it decodes.
        decoded: list[Pixels] = Parallel(n_jobs=-1, prefer="threads", batch_size=256)(
            delayed(decode)(payload, name, size) for name, payload in piece
        )
        if not first_name:
            first_name, pixels = piece[0][0], np.empty((count, *decoded[0].shape), np.uint8)
        height, width, _ = pixels.shape[1:]
        for (name, _), image in zip(piece, decoded, strict=True):
            if image.shape != pixels.shape[1:]:
                sizes = f"image is {image.shape[1]}x{image.shape[0]} and that of {first_name} {width}x{height}"
                raise BadInput(f"{name}: {sizes}: sizes must agree, or set 'size'")
            pixels[row] = image
            row += 1
    return pixels


def differ_in_size(files: Iterable[Path]) -> bool:
    """Whether images have different sizes, by their headers alone; raise `BadInput` for a file that holds no image."""
    sizes = set()
    for file in files:
        try:
            with Image.open(file, formats=FORMATS) as image:
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= SIDEWAYS
                sizes.add(image.size[::-1] if turned else image.size)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise BadInput(f"{file}: is not an image; accepted are 8-bit {', '.join(FORMATS)}") from None
        if len(sizes) > 1:
            return True
    return False


def resize_all(images: Pixels, size: int | None) -> Pixels:
    """Return images, uint8 (N, H, W, C), resized to ``size`` x ``size``; unchanged if None or already of that size."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    resized = np.empty((len(images), size, size, images.shape[3]), np.uint8)
    pictures = images[..., 0] if images.shape[3] == 1 else images  # for Pillow a grey image has two dimensions
    for row, picture in enumerate(pictures):
        resized[row] = np.asarray(_resized(Image.fromarray(picture), size)).reshape(resized.shape[1:])
    return resized


def _resized(image: Image.Image, size: int | None) -> Any:
    if size is None or image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR)
