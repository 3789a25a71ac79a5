"""Numbers ranked on the page over all studies: every method's in every cell, by trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import cells_in, in_cell
from benchmark.metrics.samples import METRICS
from benchmark.names import DIVERGED, ORIGINAL, RETRAIN, Cell, MethodName
from benchmark.report.page.curves import appearance
from benchmark.report.style import cell_label, in_order
from benchmark.results.frames import Results

ATTACK = "efficacy-auc"
# Criteria that a reader can weigh. The initial weights are those of the average gap.
CRITERIA: list[dict[str, Any]] = [
    *({"key": metric, "label": f"{metric.upper()} gap", "weight": 1} for metric in METRICS),
    {"key": "attack", "label": "Attack on samples", "weight": 0},
    {"key": "cost", "label": "Cost", "weight": 0},
]


def build(results: Results) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Yield each cell of a study that has Retrain and another method, with its methods' numbers.

    For each method: the numbers of its ``trials``, and its ``metrics``, in each trial the four in per cent and those of
    its Retrain; ``attack``, the distance from chance of the AUC of an attack on single samples, in points; and
    ``cost``, the computation executed in per cent of Retrain's. Missing numbers are null. A method that ``diverged`` in
    a trial has no rank.
    """
    for cell in cells_in(results.metrics):
        runs, audits = (in_cell(frame, cell) for frame in (results.metrics, results.audits))
        reference = runs[runs["method"] == RETRAIN].set_index("trial")
        names = [name for name in in_order(runs["method"].unique()) if name != RETRAIN]
        methods = [_method(name, runs[runs["method"] == name], reference, audits) for name in names]
        methods = [appearance(str(method["name"]), names) | method for method in methods if method["trials"]]
        if any(method["name"] != ORIGINAL for method in methods):
            entry = {"study": results.study.name, "name": str(cell), "label": cell_label(cell), "methods": methods}
            yield cell, entry


def _method(name: str, runs: pd.DataFrame, reference: pd.DataFrame, audits: pd.DataFrame) -> dict[str, Any]:
    runs = runs.set_index("trial")
    trials = [trial for trial in runs.index if trial in reference.index]
    pairs = np.stack([frame.loc[trials, METRICS].to_numpy(dtype=float) for frame in (runs, reference)], axis=1)
    finite = np.isfinite(pairs).all(axis=(1, 2))
    attacks = audits[(audits["method"] == name) & (audits["audit"] == ATTACK)] if len(audits) else audits
    cost = runs["pflops_executed"].mean() / reference["pflops_executed"].mean() if len(reference) else np.nan
    return {
        "name": name,
        # Ablations and the control are hidden until the reader asks for them.
        "hidden": bool(MethodName.parse(name).settings) or name == ORIGINAL,
        "collapsed": bool(runs["collapsed"].astype(bool).any()),
        "diverged": bool((runs["status"] == DIVERGED).any()),
        "metrics": [[[round(value, 4) for value in metrics] for metrics in pair] for pair in pairs[finite].tolist()],
        "trials": [int(trial) for trial, is_finite in zip(trials, finite, strict=True) if is_finite],
        "attack": _number(100 * abs(attacks["value"].mean() - 0.5) if len(attacks) else np.nan),
        "cost": _number(100 * cost),
    }


def _number(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None
