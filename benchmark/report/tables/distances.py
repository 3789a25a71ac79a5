"""The table of how far the forget samples of one class lie from the retain centroids of others (Table 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.style import method_label
from benchmark.report.tables.source import Source
from benchmark.report.tabular import Column, Entry, Row, Table, number
from benchmark.report.trials import Floats, deviation, mean

DECIMALS = 2


def build(source: Source) -> Table:
    """Return the table: a block a cell, methods as listed, a column for each listed class but the first.

    A cell of it is the mean L2 distance of the features of the first listed class's forget samples to the centroid of
    the column's class, over the largest such distance to any class: at most 1; a mean over trials.

    Raises
    ------
    BadInput
        If a listed class is none of the dataset's, or none of the first one's samples is forgotten.
    """
    (true_class, *others), trials = source.output.classes, source.trials
    parts = [numbers(source, cell) for cell in source.cells]
    blocks = [source.block(cell, _rows(part)) for cell, part in zip(source.cells, parts, strict=True)]
    columns = [Column("Method", heads=True), *(Column(name, "Centroid of class") for name in others)]
    data = pd.concat(parts, ignore_index=True)
    notes = [
        f"Mean L2 distance of the features of forget samples of class {true_class} to the centroid of each class's "
        "retain samples, divided by the largest such distance to any class (the paper's divisor is not known)",
        f"At the last epoch{'; means' * (trials > 1)} {facts.over(trials)}",
        *facts.unfinished(data, trials),
    ]
    return source.table(columns, blocks, notes, data)


def numbers(source: Source, cell: Cell) -> pd.DataFrame:
    """Return one cell's numbers, a row a method and centroid, as the ``.csv`` holds them.

    ``distance`` is the mean over trials of the scaled distance, ``raw`` that of the distance itself, each with its
    standard deviation; NaN where a trial diverged, or where nothing of the centroid's class is retained.
    """
    true_class, *others = source.output.classes

    def scaled_and_raw(rows: pd.DataFrame) -> Floats:
        distances = rows.set_index("centroid")["distance"]
        raw = distances.reindex(others).to_numpy(dtype=float)
        return np.stack([raw / (distances.max() or np.nan), raw])

    parts = []
    for method in source.methods:
        trials = source.by_class(source.results.distances, cell, method, scaled_and_raw, 2, len(others))
        data = pd.DataFrame({**vars(cell), "true_class": true_class, "method": method}, index=range(len(others)))
        data["trials"], data["diverged"] = len(trials), int(np.isnan(trials).all(axis=(1, 2)).sum())
        data["centroid_class"] = others
        for place, name in enumerate(("distance", "raw")):
            data[name], data[f"{name}_sd"] = mean(trials)[place], deviation(trials)[place]
        parts.append(data)
    return pd.concat(parts, ignore_index=True)


def _rows(data: pd.DataFrame) -> list[Row]:
    """Return one block's rows."""
    rows: list[Row] = []
    for method, mine in data.groupby("method", sort=False):
        diverged = mine["diverged"].any()
        shown = [Entry("diverged", spans=True)] if diverged else [number(d, DECIMALS) for d in mine["distance"]]
        rows.append([method_label(str(method)), *shown])
    return rows
