"""The page's curves: means over trials by epoch, and by the computation until then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import METRICS
from benchmark.names import ORIGINAL, RETRAIN, Cell, MethodName, Scenario
from benchmark.report.style import cell_label, dashes, in_order, method_colour, method_label
from benchmark.report.summary import COSTS, UNITS, by_epoch, cost_unit, floors_of
from benchmark.results.frames import Results
from benchmark.study.outputs import stage_cell

LINE_WIDTH = 2  # pixels, as curves.js draws
MEASURED = ("avg_gap", *METRICS, "loss")


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return, for each cell, every method's means over trials by epoch, and what they are compared with.

    That is a list of Retrain's means, by stage: a single one unless removal is sequential. The noise floor is that of
    the last stage. Costs are in the one unit that suits the cell.
    """
    return {"cells": [drawn for drawn in (_cell(results, cell) for cell in cells) if drawn["methods"]]}


def _cell(results: Results, cell: Cell) -> dict[str, Any]:
    runs, histories = (in_cell(frame, cell) for frame in (results.metrics, results.history))
    listed = [name for name in in_order(histories["method"].unique()) if name not in (ORIGINAL, RETRAIN)]
    spent = runs.loc[runs["method"].isin(listed), list(COSTS)]
    unit, _ = cost_unit(spent.groupby(runs["method"]).max().to_numpy(dtype=float))
    retrain = results.metrics[results.metrics["method"] == RETRAIN]
    # NaN where there is no Retrain.
    references = pd.DataFrame([in_cell(retrain, one)[METRICS].mean(skipna=False) for one in _reference_cells(cell)])
    methods = []
    for name in listed:
        series = _series(histories[histories["method"] == name], references, UNITS[unit])
        methods.append({**appearance(name, listed), **series})
    last = reference_cell(cell)
    return {
        "name": str(cell),
        "label": cell_label(cell),
        "unit": unit,
        "methods": methods,
        "retrain": {metric: [*map(_rounded, references[metric])] for metric in METRICS},
        "floor": _rounded(floors_of(in_cell(retrain, last)).get(last, np.nan)),
    }


def appearance(name: str, among: list[str]) -> dict[str, Any]:
    """Return a method's label, colour and dashes; one with settings of its own starts hidden beside the plain one."""
    method = MethodName.parse(name)
    return {
        "name": name,
        "label": method_label(name),
        "colour": method_colour(name),
        "dash": [round(LINE_WIDTH * part) for part in dashes(name, among)],
        "variant": bool(method.settings) and method.head in among,
    }


def _series(runs: pd.DataFrame, references: pd.DataFrame, factor: float) -> dict[str, Any]:
    """Return one method's lists over epochs; null where a trial has no number, since it diverged.

    ``stage``, from 0, says with which of the cell's references an epoch is compared.
    """
    stage = runs.groupby("epoch")["stage"].first() - 1 if len(references) > 1 else 0 * runs.groupby("epoch").size()
    means = by_epoch(runs, references.loc[stage].set_index(stage.index))
    means[list(COSTS)] *= factor
    columns = {column: [*map(_rounded, means[column])] for column in (*MEASURED, *COSTS)}
    return {"epoch": [int(epoch) for epoch in means.index], "stage": [int(one) for one in stage], **columns}


def reference_cell(cell: Cell) -> Cell:
    """Return the cell whose Retrain is the reference: its own, or for a sequential one that of the last stage."""
    return _reference_cells(cell)[-1]


def _reference_cells(cell: Cell) -> list[Cell]:
    """Return the cell whose Retrain is the reference after each stage: of a sequential one several, else its own."""
    scenario = Scenario(cell.scenario)
    if scenario.kind != "sequential":
        return [cell]
    return [stage_cell(cell, stage) for stage in range(1, scenario.stages + 1)]


def _rounded(value: float) -> float | None:
    """Return a number with six significant digits, which is more than a screen shows; None for what is none."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
