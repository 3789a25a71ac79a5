"""Many small images in one, as small as they can be and stay readable."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

COLUMNS = 64  # images in a row of the sprite
SIDE = 64  # pixels of an image's longer side, at most
LONGEST = 16_000  # pixels of a WebP's side, at most
# From large to small: lossless, then lossy, then lossy at a half and a quarter of the size.
ENCODINGS: list[tuple[str, int, Any]] = [("png", 1, {"optimize": True})]
ENCODINGS += [("webp", shrink, {"quality": quality}) for shrink in (1, 2, 4) for quality in (85, 60, 35)]


def sprite(images: npt.NDArray[np.uint8], most: int, exact: int) -> dict[str, Any] | None:
    """Return images in a grid, as the page's script takes them: ``src``, an image's size, and the number of columns.

    None if there is no image, or if even the smallest encoding is too large. ``images`` are (n, height, width,
    channels); ``most`` is the largest size of the sprite in bytes, ``exact`` the largest without loss.
    """
    if not len(images):
        return None
    pictures = [Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image) for image in np.asarray(images)]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE))
    width, height = pictures[0].size
    columns = min(COLUMNS, max(1, LONGEST // width))
    rows = -(-len(pictures) // columns)
    sheet = Image.new(pictures[0].mode, (columns * width, rows * height))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % columns * width, number // columns * height))
    for kind, shrink, options in ENCODINGS:
        small = {"width": max(1, width // shrink), "height": max(1, height // shrink)}
        scaled = sheet if shrink == 1 else sheet.resize((columns * small["width"], rows * small["height"]))
        if kind != "png":
            kind, scaled = "jpeg" if max(scaled.size) > LONGEST else kind, scaled.convert("RGB")
        buffer = io.BytesIO()
        scaled.save(buffer, kind, **options)
        if buffer.tell() <= (exact if kind == "png" else most):
            encoded = base64.b64encode(buffer.getvalue()).decode()
            return {"src": f"data:image/{kind};base64,{encoded}", **small, "columns": columns}
    return None
