"""The page's maps: points, predicted classes and images, encoded as text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import paths
from benchmark.data import store
from benchmark.errors import StaleOutput
from benchmark.features.alignment import aligned, centroids, standardised
from benchmark.metrics.evidence import in_cell, of_runs_in
from benchmark.names import Cell
from benchmark.report.page.curves import appearance
from benchmark.report.page.sprites import sprite
from benchmark.report.style import PROJECTIONS, cell_label, class_colours, dataset_label, in_order, method_label
from benchmark.results import records
from benchmark.results.frames import Results

Ints = npt.NDArray[np.integer[Any]]

# Bytes of all images: lossless up to the first number, else compressed, then shrunk, to at most the second.
EXACT, MOST = 300_000, 3_000_000


def build(results: Results, cells: list[Cell], partial: bool = False, images: bool = True) -> dict[str, Any]:
    """Return ``maps``, one per mapped cell, and ``datasets``, which they share: classes, labels and images.

    Predictions of runs and images of datasets that are not on disk are left out. What is damaged or of another
    configuration raises `StaleOutput`, or with ``partial`` is left out too. Images are left out unless ``images``.
    As in figures, a model that collapsed has no map.
    """
    frame = results.embeddings
    collapsed = results.metrics[results.metrics["collapsed"].eq(True)]
    frame = frame[(frame["trial"] == 0) & ~of_runs_in(frame, collapsed)]
    names = list(dict.fromkeys(frame["dataset"]))
    maps, datasets = [], {}
    for dataset in names:
        rows = frame[frame["dataset"] == dataset]
        index, classes = np.sort(rows["index"].unique()), results.classes(dataset)
        targets: dict[str, pd.DataFrame] = {}
        for cell in cells:
            if len(cell_rows := in_cell(rows, cell)):
                cell_map, forgotten = _map(cell_rows, cell, index, classes, targets)
                maps.append(cell_map | {"predictions": list(_predictions(results, cell, forgotten, partial))})
        pictured = np.isin(index, rows.loc[rows["membership"] == "forget", "index"])
        labels = rows.drop_duplicates("index").set_index("index")["label"].loc[index]
        pictures = images_of(results, dataset, index[pictured], partial) if images else None
        datasets[dataset] = {
            "label": dataset_label(dataset),
            "classes": classes,
            "colours": list(class_colours(len(classes))),
            "index": packed(index),
            "labels": packed(pd.Index(classes).get_indexer(labels)),
            "pictured": packed(np.flatnonzero(pictured)),
            "sprite": None if pictures is None else sprite(pictures, MOST // len(names), EXACT // len(names)),
        }
    return {"maps": maps, "datasets": datasets}


def _map(
    rows: pd.DataFrame, cell: Cell, index: Ints, classes: list[str], targets: dict[str, pd.DataFrame]
) -> tuple[dict[str, Any], pd.Index[int]]:
    """Return a cell's panels and its samples' positions in ``index``; and the indices of its forget samples."""
    methods = in_order(rows["method"].unique())
    frames = {method: rows[rows["method"] == method].set_index("index").sort_index() for method in methods}
    first = frames[methods[0]]
    for method, frame in frames.items():
        if not frame.index.equals(first.index):
            raise StaleOutput(f"maps of {cell}: {method} and {methods[0]} show different samples: run snakemake again")
    panels = [
        {**appearance(method, methods), "prediction": packed(pd.Index(classes).get_indexer(frame["prediction"]))}
        for method, frame in frames.items()
    ]
    for projection in PROJECTIONS:
        points = []
        for frame in frames.values():
            xy = frame[[f"{projection}_x", f"{projection}_y"]].to_numpy(dtype=float)
            label = frame["label"].to_numpy()
            # UMAP is aligned with the dataset's first t-SNE map too: so nothing turns when a reader switches to it.
            xy = aligned(xy, label, targets.setdefault("first", centroids(standardised(xy), label)))
            points.append(xy - (xy.min(axis=0) + xy.max(axis=0)) / 2)
        half = max(1e-9, *(float(np.abs(xy).max()) for xy in points))
        for panel, xy in zip(panels, points, strict=True):
            panel[projection] = packed(np.round((xy / half + 1) / 2 * 65535).astype("uint16"))
    forget = (first["membership"] == "forget").to_numpy()
    entry: dict[str, Any] = {"name": str(cell), "label": cell_label(cell), "dataset": cell.dataset}
    entry |= {"positions": packed(np.searchsorted(index, first.index.to_numpy()))}
    entry |= {"forget": packed(np.flatnonzero(forget)), "panels": panels}
    return entry, first.index[forget]


def _predictions(results: Results, cell: Cell, index: pd.Index[int], partial: bool) -> Iterator[dict[str, Any]]:
    """Yield the classes that each method predicts for the forget samples of a cell, in trial 0."""
    runs, study = in_cell(results.metrics, cell), results.study
    for method in in_order(runs.loc[runs["trial"] == 0, "method"].unique()):
        run = study.run(study.run_name(cell, method, 0))
        with records.passing_over_if(partial or not records.is_there(run)):
            samples = records.frame(study, run, paths.SAMPLES)
            predicted = samples[samples["split"] == "train"].set_index("index")["prediction"].loc[index]
            yield {"name": method, "label": method_label(method), "prediction": packed(predicted.to_numpy())}


def images_of(results: Results, dataset: str, index: Ints, partial: bool) -> npt.NDArray[np.uint8] | None:
    """Return the training images at ``index``, (n, height, width, channels); None if they are not on disk.

    Damaged images raise `StaleOutput`, unless ``partial``.
    """
    folder = results.study.dataset_folder(dataset)
    with records.passing_over_if(partial or not folder.is_dir()):
        return np.asarray(store.load(folder).train_images[index])
    return None


def packed(values: Ints) -> dict[str, str]:
    """Return integers as base64 of the smallest little-endian type that holds them."""
    kind = np.min_scalar_type(np.max(values, initial=0))
    return {"type": kind.name, "data": base64.b64encode(values.astype(kind.newbyteorder("<")).tobytes()).decode()}
