"""The page's curves: means over trials by epoch and by computation so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.samples import METRICS
from benchmark.names import ORIGINAL, RETRAIN, Cell, MethodName
from benchmark.report.style import cell_label, dashes, in_order, method_colour, method_label
from benchmark.report.summary import COSTS, UNITS, by_epoch, cost_unit, floors_of
from benchmark.results.frames import Results

LINE_WIDTH = 2  # pixels, as curves.js draws
MEASURED = ("avg_gap", *METRICS, "loss")


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return, for each cell, every method's means over trials by epoch, and Retrain's means and noise floor.

    Retrain's means are lists by stage, of length one unless removal is sequential; the noise floor is that of the last
    stage. All costs of a cell are in one unit.
    """
    return {"cells": [entry for entry in (_cell(results, cell) for cell in cells) if entry["methods"]]}


def _cell(results: Results, cell: Cell) -> dict[str, Any]:
    runs, histories = (in_cell(frame, cell) for frame in (results.metrics, results.history))
    names = [name for name in in_order(histories["method"].unique()) if name not in (ORIGINAL, RETRAIN)]
    costs = runs.loc[runs["method"].isin(names), list(COSTS)]
    unit, _ = cost_unit(costs.groupby(runs["method"]).max().to_numpy(dtype=float))
    retrain = results.metrics[results.metrics["method"] == RETRAIN]
    # NaN where there is no Retrain.
    references = pd.DataFrame([in_cell(retrain, stage)[METRICS].mean(skipna=False) for stage in cell.references])
    methods = []
    for name in names:
        series = _series(histories[histories["method"] == name], references, UNITS[unit])
        methods.append({**appearance(name, names), **series})
    return {
        "name": str(cell),
        "label": cell_label(cell),
        "unit": unit,
        "methods": methods,
        "retrain": {metric: [*map(_rounded, references[metric])] for metric in METRICS},
        "floor": _rounded(floors_of(in_cell(retrain, cell.references[-1])).get(cell.references[-1], np.nan)),
    }


def appearance(name: str, names: list[str]) -> dict[str, Any]:
    """Return a method's label, colour and dashes; a variant of a method in ``names`` is ``hidden`` at first."""
    method = MethodName.parse(name)
    return {
        "name": name,
        "label": method_label(name),
        "colour": method_colour(name),
        "dash": [round(LINE_WIDTH * part) for part in dashes(name, names)],
        "hidden": bool(method.settings) and method.head in names,
    }


def _series(runs: pd.DataFrame, references: pd.DataFrame, factor: float) -> dict[str, Any]:
    """Return one method's lists over epochs; null where a trial has diverged.

    ``stage``, from 0, is the index of the reference that an epoch is compared with.
    """
    stage = runs.groupby("epoch")["stage"].first() - 1 if len(references) > 1 else 0 * runs.groupby("epoch").size()
    means = by_epoch(runs, references.loc[stage].set_index(stage.index))
    means[list(COSTS)] *= factor
    columns = {column: [*map(_rounded, means[column])] for column in (*MEASURED, *COSTS)}
    return {"epoch": [int(epoch) for epoch in means.index], "stage": [int(index) for index in stage], **columns}


def _rounded(value: float) -> float | None:
    """Return a number to six significant digits, more than a screen shows; None if it is not finite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
