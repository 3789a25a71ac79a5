"""What the page shows of a study's gathered results: the frames, and the curves over epochs and computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import ORIGINAL, RETRAIN, Cell, MethodName, RunName, Scenario
from benchmark.report.style import METHODS, cell_label, dashes, listed, method_colour, method_label
from benchmark.report.tables.unlearning import COSTS, UNITS, cost_unit, floors_of
from benchmark.results import frames
from benchmark.results.gather import gather
from benchmark.study.outputs import stage_cell
from benchmark.study.study import Study

SHOWN = ("metrics", "history", "embeddings")
LINE_WIDTH = 2  # pixels, as curves.js draws
MEASURED = ("avg_gap", *METRICS, "loss")


@dataclass(frozen=True)
class Found:
    """The gathered results of a study, as `benchmark.results.gather` describes them."""

    metrics: pd.DataFrame
    history: pd.DataFrame
    embeddings: pd.DataFrame

    @property
    def cells(self) -> list[Cell]:
        """The cells that have a result, in the order of the metrics."""
        return [Cell(*place) for place in self.metrics[CELL].drop_duplicates().itertuples(index=False)]

    def runs(self, cell: Cell) -> pd.DataFrame:
        """Return the metrics of a cell's runs."""
        return in_cell(self.metrics, cell)


def read(study: Study, partial: bool = False) -> Found:
    """Return the gathered results; with ``partial`` they are gathered now, as far as they are there.

    Raises
    ------
    StaleOutput
        If they are missing, or if a run among them is not as the study has it now, unless ``partial``; or if there is
        no result at all.
    """
    if partial:
        read = gather(study, partial=True)
    else:
        read = {what: frames.gathered_frame(study, what) for what in SHOWN}
        _check(study, read["metrics"])
    found = Found(**{what: read[what] for what in SHOWN})
    if found.metrics.empty:
        raise StaleOutput(f"study {study.name}: no run has finished: there is nothing to show yet")
    return found


def _check(study: Study, metrics: pd.DataFrame) -> None:
    """Raise `StaleOutput` unless the metrics hold the study's runs as they are now, and no others."""
    told = metrics[[*CELL, "method", "trial", "fingerprint"]].itertuples(index=False) if len(metrics) else []
    have = {str(run_name(row.dataset, row.arch, row.scenario, row.method, row.trial)): row.fingerprint for row in told}
    path = paths.collected(study.name, "metrics")
    for run in study.runs():
        if have.pop(str(run.name), None) != run.fingerprint:
            raise StaleOutput(f"{path} lacks {run.name} as the study has it now: run snakemake again")
    for name in have:
        raise StaleOutput(f"{path} holds {name}, which the study does not have: run snakemake again")


def run_name(dataset: str, arch: str, scenario: str, method: str, trial: int) -> RunName:
    """Return the name of the run behind a row: Original is the same one in every scenario."""
    return RunName(dataset, arch, "" if method == ORIGINAL else scenario, method, int(trial))


def method_order(names: list[str]) -> list[str]:
    """Return methods in the order of every table: Original, Retrain, then as `style.METHODS` lists them."""
    known = list(METHODS)

    def place(name: str) -> tuple[int, str, bool, bool, str]:
        method = MethodName.parse(name)
        base = listed(method)
        rank = known.index(base) if base in known else len(known)
        return rank, base, method.contrastive, bool(method.settings), name

    return sorted(names, key=place)


# --- curves ---------------------------------------------------------------------------------------------------------


def curves(study: Study, found: Found) -> dict[str, Any]:
    """Return, for each cell, every method's means over trials by epoch, and what they are measured against.

    That is a list of Retrain's means, by stage: a single one unless removal is sequential. The noise floor is that of
    the last stage. Costs are in the one unit that suits the cell.
    """
    return {"cells": [cell for cell in (_cell(study, found, cell) for cell in found.cells) if cell["methods"]]}


def _cell(study: Study, found: Found, cell: Cell) -> dict[str, Any]:
    runs = found.runs(cell)
    histories = in_cell(found.history, cell) if len(found.history) else found.history
    names = [] if histories.empty else list(histories["method"].unique())
    listed = [name for name in method_order(names) if name not in (ORIGINAL, RETRAIN)]
    spent = runs.loc[runs["method"].isin(listed), list(COSTS)]
    unit, _ = cost_unit(spent.groupby(runs["method"]).max().to_numpy(dtype=float))
    references = [_reference(found, one) for one in _reference_cells(cell)]
    methods = []
    for name in listed:
        series = _series(histories[histories["method"] == name], references, UNITS[unit])
        methods.append({**look(name, listed), "trials": int((runs["method"] == name).sum()), **series})
    measure = reference_cell(cell)
    floor = floors_of(found.runs(measure)).get(measure, np.nan)
    return {
        "name": str(cell),
        "label": cell_label(cell),
        "unit": unit,
        "methods": methods,
        "retrain": {metric: [_plain(one[metric]) for one in references] for metric in METRICS},
        "floor": _plain(floor),
    }


def look(name: str, among: list[str]) -> dict[str, Any]:
    """Return a method's label, colour and dashes; one with settings of its own starts hidden beside the plain one."""
    method = MethodName.parse(name)
    return {
        "name": name,
        "label": method_label(name),
        "colour": method_colour(name),
        "dash": [round(LINE_WIDTH * part) for part in dashes(name, among)],
        "variant": bool(method.settings) and method.head in among,
    }


def _series(runs: pd.DataFrame, references: list[pd.Series[float]], factor: float) -> dict[str, Any]:
    """Return one method's lists over epochs; null where a trial has no number, since it diverged.

    ``stage``, from 0, says with which of the cell's references an epoch is compared.
    """
    by_epoch = runs.groupby("epoch")
    whole = by_epoch.size() == by_epoch.size().max()
    means = by_epoch[[*METRICS, "loss"]].agg(lambda values: values.mean(skipna=False)).where(whole)
    several = len(references) > 1
    stages = [int(stage) - 1 for stage in by_epoch["stage"].first()] if several else [0] * len(means)
    target = pd.DataFrame([references[stage] for stage in stages], index=means.index)
    means["avg_gap"] = (means[METRICS] - target[METRICS]).abs().mean(axis=1, skipna=False)
    out: dict[str, Any] = {"epoch": [int(epoch) for epoch in means.index], "stage": stages}
    out |= {what: [_plain(value) for value in means[what]] for what in MEASURED}
    out |= {cost: [_plain(value * factor) for value in by_epoch[cost].mean()] for cost in COSTS}
    return out


def _reference(found: Found, cell: Cell) -> pd.Series[float]:
    """Return the means of a cell's Retrain; NaN where there is none."""
    runs = found.runs(cell)
    runs = runs[runs["method"] == RETRAIN]
    return runs[METRICS].astype(float).mean(skipna=False) if len(runs) else pd.Series(np.nan, index=METRICS)


def reference_cell(cell: Cell) -> Cell:
    """Return the cell whose Retrain is the measure: its own, or for a sequential one that of the last stage."""
    return _reference_cells(cell)[-1]


def _reference_cells(cell: Cell) -> list[Cell]:
    """Return the cell whose Retrain is the measure after each stage: of a sequential one several, else its own."""
    scenario = Scenario(cell.scenario)
    if scenario.kind != "sequential":
        return [cell]
    return [stage_cell(cell, stage) for stage in range(1, scenario.stages + 1)]


def _plain(value: float) -> float | None:
    """Return a number with six significant digits, which is more than a screen shows; None for what is none."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
