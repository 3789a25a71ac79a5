"""The page's maps: points, predictions and the images of forget samples, packed as small as they stay readable."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.data import store
from benchmark.errors import StaleOutput
from benchmark.features.alignment import aligned, centroids, standardised
from benchmark.metrics.evidence import in_cell
from benchmark.names import Cell
from benchmark.report.page.rows import Found, look, method_order, run_name
from benchmark.report.style import PROJECTIONS, cell_label, class_colours, dataset_label, method_label
from benchmark.results import records as results
from benchmark.study.study import Study

if TYPE_CHECKING:
    from PIL.Image import Image

Ints = npt.NDArray[np.integer[Any]]

# Bytes of all images together: exact ones up to the first number, then compressed, then smaller, up to the second.
EXACT, MOST = 300_000, 3_000_000
COLUMNS = 64  # images in a row of the sprite
SIDE = 64  # pixels of an image's longer side, at most
LONGEST = 16_000  # pixels of a WebP's side, at most


def maps(study: Study, found: Found, partial: bool = False) -> dict[str, Any]:
    """Return ``maps``, one a mapped cell, and ``datasets``, what they have in common: classes, labels and images.

    Parameters
    ----------
    study, found : the study and its gathered results.
    partial : leave out predictions of runs, and images, that are missing instead of failing.

    Raises
    ------
    StaleOutput
        If a run's samples or a dataset's images are missing or damaged, unless ``partial``.
    """
    frame = found.embeddings
    if frame.empty:
        return {"maps": [], "datasets": {}}
    frame = frame[frame["trial"] == 0]
    drawn, shared = [], {}
    names = list(dict.fromkeys(frame["dataset"]))
    for dataset in names:
        rows = frame[frame["dataset"] == dataset]
        index = np.sort(rows["index"].unique())
        classes = results.classes(study, dataset)
        forgotten = np.zeros(len(index), dtype=bool)
        targets: dict[str, pd.DataFrame] = {}
        for cell in [cell for cell in found.cells if len(in_cell(rows, cell))]:
            one, forget = _map(study, found, in_cell(rows, cell), cell, index, classes, targets, partial)
            drawn.append(one)
            forgotten[forget] = True
        labels = rows.drop_duplicates("index").set_index("index")["label"].loc[index]
        shown = np.flatnonzero(forgotten)
        shared[dataset] = {
            "label": dataset_label(dataset),
            "classes": classes,
            "colours": list(class_colours(len(classes))),
            "index": _packed(index),
            "labels": _packed(_numbers(labels, classes)),
            "pictured": _packed(shown),
            "sprite": _images(study, dataset, index[shown], MOST // len(names), EXACT // len(names), partial),
        }
    return {"maps": drawn, "datasets": shared}


def _map(
    study: Study,
    found: Found,
    rows: pd.DataFrame,
    cell: Cell,
    index: Ints,
    classes: list[str],
    targets: dict[str, pd.DataFrame],
    partial: bool,
) -> tuple[dict[str, Any], Ints]:
    """Return a cell's panels, and where in ``index`` its forget samples stand."""
    methods = method_order(list(rows["method"].unique()))
    frames = {method: rows[rows["method"] == method].set_index("index").sort_index() for method in methods}
    place = np.searchsorted(index, frames[methods[0]].index.to_numpy())
    forget = np.flatnonzero((frames[methods[0]]["membership"] == "forget").to_numpy())
    panels: list[dict[str, Any]] = []
    for method in methods:
        own = frames[method]
        if not own.index.equals(frames[methods[0]].index):
            raise StaleOutput(f"maps of {cell}: {method} and {methods[0]} show different samples: run snakemake again")
        panels.append({**look(method, methods), "prediction": _packed(_numbers(own["prediction"], classes))})
    for projection in PROJECTIONS:
        points = [_turned(frames[method], projection, targets) for method in methods]
        half = max(1e-9, *(float(np.abs(one).max()) for one in points))
        for panel, one in zip(panels, points, strict=True):
            panel[projection] = _packed(np.round((one / half + 1) / 2 * 65535).astype("uint16"))
    told = list(_predictions(study, found, cell, index[place[forget]], partial))
    return {
        "name": str(cell),
        "label": cell_label(cell),
        "dataset": cell.dataset,
        "place": _packed(place),
        "forget": _packed(forget),
        "panels": panels,
        "predictions": told,
    }, place[forget]


def _turned(frame: pd.DataFrame, projection: str, targets: dict[str, pd.DataFrame]) -> npt.NDArray[np.float64]:
    """Return a map's points, (n, 2), turned like the first of its dataset, its middle at the origin."""
    points = frame[[f"{projection}_x", f"{projection}_y"]].to_numpy(dtype=float)
    label = frame["label"].to_numpy()
    if not targets:
        targets["first"] = centroids(standardised(points), label)
    points = aligned(points, label, targets["first"])
    return points - (points.min(axis=0) + points.max(axis=0)) / 2


def _predictions(study: Study, found: Found, cell: Cell, index: Ints, partial: bool) -> Iterator[dict[str, Any]]:
    """Yield what each of a cell's methods takes the forget samples for, in its first trial."""
    runs = found.runs(cell)
    for method in method_order(list(runs.loc[runs["trial"] == 0, "method"].unique())):
        run = study.run(run_name(cell.dataset, cell.arch, cell.scenario, method, 0))
        try:
            samples = results.frame(study, run, results.SAMPLES)
        except StaleOutput:
            if partial:
                continue
            raise
        told = samples[samples["split"] == "train"].set_index("index")["prediction"]
        yield {"label": method_label(method), "prediction": _packed(told.loc[index].to_numpy())}


def _numbers(names: pd.Series[Any], classes: list[str]) -> Ints:
    return np.asarray(names.map({name: number for number, name in enumerate(classes)}).to_numpy(), dtype="int64")


def _packed(values: Ints) -> dict[str, str]:
    """Return whole numbers as base64 of the smallest little-endian type that holds them."""
    values = np.ascontiguousarray(values)
    kind = next(kind for kind in ("uint8", "uint16", "uint32") if np.max(values, initial=0) <= np.iinfo(kind).max)
    return {"type": kind, "data": base64.b64encode(values.astype(f"<u{np.dtype(kind).itemsize}").tobytes()).decode()}


# --- images ---------------------------------------------------------------------------------------------------------


def _images(study: Study, dataset: str, index: Ints, most: int, exact: int, partial: bool) -> dict[str, Any] | None:
    """Return the sprite of the images at ``index``: its address, an image's width and height, images in a row."""
    try:
        arrays = store.load(study.dataset_folder(dataset))
    except StaleOutput:
        if partial:
            return None
        raise
    if not len(index):
        return None
    return _encoded(_thumbnails(arrays.train_images, index), most, exact)


def _encoded(images: npt.NDArray[np.uint8], most: int, exact: int) -> dict[str, Any] | None:
    """Return the sprite of images (n, height, width, channels) in the best form of at most so many bytes."""
    height, width = images.shape[1:3]
    columns = min(COLUMNS, max(1, LONGEST // width))
    for kind, encoded, size in _attempts(_sprite(images, columns), (width, height)):
        if len(encoded) <= (exact if kind == "png" else most):
            source = f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
            return {"src": source, "width": size[0], "height": size[1], "columns": columns}
    return None  # not one readable form fits


def _thumbnails(images: npt.NDArray[np.uint8], index: Ints) -> npt.NDArray[np.uint8]:
    """Return the images at ``index``, (n, height, width, channels), no longer than `SIDE`."""
    longest = max(images.shape[1:3])
    if longest <= SIDE:
        return np.asarray(images[index])
    from PIL import Image as pillow

    height, width = (max(1, side * SIDE // longest) for side in images.shape[1:3])
    grey = images.shape[3] == 1
    small = (pillow.fromarray(np.asarray(images[i])[:, :, 0] if grey else np.asarray(images[i])) for i in index)
    shape = (len(index), height, width, images.shape[3])
    return np.stack([np.asarray(one.resize((width, height))) for one in small]).reshape(shape)


def _sprite(images: npt.NDArray[np.uint8], columns: int) -> Image:
    """Return all images as one, ``columns`` in a row; images (n, height, width, channels)."""
    from PIL import Image as pillow

    count, height, width, channels = images.shape
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, channels), dtype="uint8")
    padded[:count] = images
    whole = padded.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    whole = whole.reshape(rows * height, columns * width, channels)
    return pillow.fromarray(whole[:, :, 0] if channels == 1 else whole)


def _attempts(sprite: Image, size: tuple[int, int]) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Yield ever smaller encodings: exact, then lossy, then lossy at a half and a quarter of the size."""
    buffer = io.BytesIO()
    sprite.save(buffer, "png", optimize=True)
    yield "png", buffer.getvalue(), size
    for shrink in (1, 2, 4):
        small = max(1, size[0] // shrink), max(1, size[1] // shrink)
        across, down = sprite.width // size[0], sprite.height // size[1]
        scaled = sprite.resize((across * small[0], down * small[1])) if shrink > 1 else sprite
        for quality in (85, 60, 35):
            buffer = io.BytesIO()
            if max(scaled.size) > LONGEST:
                scaled.convert("RGB").save(buffer, "jpeg", quality=quality)
                yield "jpeg", buffer.getvalue(), small
            else:
                scaled.convert("RGB").save(buffer, "webp", quality=quality, method=4)
                yield "webp", buffer.getvalue(), small
