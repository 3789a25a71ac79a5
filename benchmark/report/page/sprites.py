"""Many small images in one, packed as small as they stay readable."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

COLUMNS = 64  # images in a row of the sprite
SIDE = 64  # pixels of an image's longer side, at most
LONGEST = 16_000  # pixels of a WebP's side, at most


def sprite(images: npt.NDArray[np.uint8], most: int, exact: int) -> dict[str, Any] | None:
    """Return images side by side, as the page's script takes them: ``src``, and an image's size and place.

    None where there is no image, or where not even the smallest readable form fits.

    Parameters
    ----------
    images : (n, height, width, channels).
    most, exact : bytes that the sprite has at most, and up to which it is kept without loss.
    """
    if not len(images):
        return None
    pictures = [Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in np.asarray(images)]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE))
    size = pictures[0].size
    columns = min(COLUMNS, max(1, LONGEST // size[0]))
    for kind, encoded, (width, height) in _encodings(_joined(pictures, columns), size):
        if len(encoded) <= (exact if kind == "png" else most):
            source = f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
            return {"src": source, "width": width, "height": height, "columns": columns}
    return None


def _joined(pictures: list[Image.Image], columns: int) -> Image.Image:
    width, height = pictures[0].size
    whole = Image.new(pictures[0].mode, (columns * width, -(-len(pictures) // columns) * height))
    for number, picture in enumerate(pictures):
        whole.paste(picture, (number % columns * width, number // columns * height))
    return whole


def _encodings(whole: Image.Image, size: tuple[int, int]) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Yield ever smaller encodings: exact, then lossy, then lossy at a half and a quarter of the size."""
    yield "png", _bytes(whole, "png", optimize=True), size
    for shrink in (1, 2, 4):
        small = max(1, size[0] // shrink), max(1, size[1] // shrink)
        across, down = whole.width // size[0], whole.height // size[1]
        scaled = (whole.resize((across * small[0], down * small[1])) if shrink > 1 else whole).convert("RGB")
        for quality in (85, 60, 35):
            kind = "jpeg" if max(scaled.size) > LONGEST else "webp"
            yield kind, _bytes(scaled, kind, quality=quality), small


def _bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
