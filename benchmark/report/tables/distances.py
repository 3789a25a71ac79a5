"""The table of how far the forget samples of one class lie from the retain centroids of others (Table 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape, number, spanning
from benchmark.report.style import method_label
from benchmark.report.trials import class_numbers, deviation, mean, of_trials
from benchmark.results import records as results
from benchmark.study.outputs import DISTANCES
from benchmark.study.runs import Run
from benchmark.study.study import Study

DECIMALS = 2


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, methods as listed, a column for each listed class but the first.

    A cell of it is the mean L2 distance of the features of the first listed class's forget samples to the centroid of
    the column's class, over the largest such distance to any class: at most 1; a mean over trials.

    Parameters
    ----------
    study, name : the table.
    partial : show a dash for what is missing.

    Raises
    ------
    StaleOutput
        If a run or what was derived from it is missing or of another configuration, unless ``partial``.
    BadInput
        If a listed class is none of the dataset's, or none of the first one's samples is forgotten.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    parts = [numbers(study, name, cell, partial) for cell in cells]
    blocks = [
        Block(_printed(part, output.classes[1:]), facts.heading(cells, cell))
        for part, cell in zip(parts, cells, strict=True)
    ]
    data = pd.concat(parts, ignore_index=True)
    return Table(blocks, facts.caption(study, name, _facts(study, name, cells, data)), data)


def numbers(study: Study, name: str, cell: Cell, partial: bool) -> pd.DataFrame:
    """Return one cell's numbers, a row a method and centroid, as the ``.csv`` holds them.

    ``distance`` is the mean over trials of the scaled distance, ``raw`` that of the distance itself, each with its
    standard deviation; NaN where a trial diverged, or where nothing of the centroid's class is retained.
    """
    output = study.output(name)
    rows = []
    for method in output.methods:
        trials = _distances(study, name, cell, method, partial)
        (scaled, raw), (scaled_sd, raw_sd) = mean(trials), deviation(trials)
        for place, centroid in enumerate(output.classes[1:]):
            rows.append(
                {
                    "dataset": cell.dataset,
                    "arch": cell.arch,
                    "scenario": cell.scenario,
                    "true_class": output.classes[0],
                    "method": method,
                    "trials": len(trials),
                    "diverged": int(np.isnan(trials).all(axis=(1, 2)).sum()),
                    "centroid_class": centroid,
                    "distance": scaled[place],
                    "distance_sd": scaled_sd[place],
                    "raw": raw[place],
                    "raw_sd": raw_sd[place],
                }
            )
    return pd.DataFrame(rows)


def _distances(study: Study, name: str, cell: Cell, method: str, partial: bool) -> np.ndarray[Any, Any]:
    """Return distances, (trials, 2, centroids): scaled, then as they are; NaN where a trial diverged."""
    shown = len(study.output(name).classes) - 1

    def read(run: Run) -> np.ndarray[Any, Any]:
        if results.record(study, run)["status"] == results.DIVERGED:
            return np.full((2, shown), np.nan)
        label, *centroids = class_numbers(study, name, cell.dataset)
        found = results.derived(study.derive(DISTANCES, run, cell.scenario))
        mine = found[found["label"] == label].set_index("centroid")["distance"]
        if mine.empty:
            raise BadInput(f"{name}: no sample of class {study.output(name).classes[0]!r} is forgotten in {cell}")
        raw = mine.reindex(centroids).to_numpy(dtype=float)
        return np.stack([raw / (mine.max() or np.nan), raw])

    return np.array(of_trials(study, name, cell, method, read, partial)).reshape(-1, 2, shown)


def _printed(data: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    cells = []
    for method, rows in data.groupby("method", sort=False):
        label = escape(method_label(str(method)))
        if rows["diverged"].any():
            cells.append([label, *spanning("diverged", len(classes))])
        else:
            cells.append([label, *(number(value, DECIMALS) for value in rows["distance"])])
    names = [("", "Method"), *(("Centroid of class", escape(label)) for label in classes)]
    return pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(names))


def _facts(study: Study, name: str, cells: list[Cell], data: pd.DataFrame) -> list[str]:
    output = study.output(name)
    trials = output.trials or study.trials
    return [
        facts.subject(cells),
        f"Mean L2 distance of the features of forget samples of class {escape(output.classes[0])} to the centroid of "
        "each class's retain samples, divided by the largest such distance to any class (the paper's divisor is not "
        "known)",
        f"At the last epoch{'; means' * (trials > 1)} {facts.over(trials)}",
        *facts.unfinished(data, trials),
    ]
