"""What the page over all studies ranks: the numbers of every method in every cell, trial by trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS
from benchmark.names import ORIGINAL, RETRAIN, Cell, MethodName
from benchmark.report.page.curves import appearance
from benchmark.report.style import cell_label, in_order
from benchmark.results.frames import Results

ATTACK = "efficacy-auc"
# What a reader can weigh, and how much it weighs at first: as in the average gap.
CRITERIA: list[dict[str, Any]] = [
    *({"key": metric, "label": f"{metric.upper()} gap", "weight": 1} for metric in METRICS),
    {"key": "attack", "label": "Attack on samples", "weight": 0},
    {"key": "cost", "label": "Cost", "weight": 0},
]


def build(results: Results) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Yield each cell of a study that has Retrain and a method beside it, with its methods' numbers.

    Of each method: the four metrics in per cent, a list a trial, with those of its Retrain beside them; ``attack``, by
    how many points the AUC of an attack on single samples differs from chance; and ``cost``, the computation executed
    in per cent of Retrain's. A number that is none is null. A method that ``diverged`` in a trial has no rank.
    """
    for place in results.metrics[CELL].drop_duplicates().itertuples(index=False):
        cell = Cell(*place)
        runs, audits = (in_cell(frame, cell) for frame in (results.metrics, results.audits))
        reference = runs[runs["method"] == RETRAIN].set_index("trial")
        names = [name for name in in_order(runs["method"].unique()) if name != RETRAIN]
        methods = [_method(name, runs[runs["method"] == name], reference, audits) for name in names]
        methods = [method | appearance(str(method["name"]), names) for method in methods if method["trials"]]
        if any(method["name"] != ORIGINAL for method in methods):
            shown = {"study": results.study.name, "name": str(cell), "label": cell_label(cell), "methods": methods}
            yield cell, shown


def _method(name: str, runs: pd.DataFrame, reference: pd.DataFrame, audits: pd.DataFrame) -> dict[str, Any]:
    mine = runs.set_index("trial")
    trials = [trial for trial in mine.index if trial in reference.index]
    pairs = np.stack([frame.loc[trials, METRICS].to_numpy(dtype=float) for frame in (mine, reference)], axis=1)
    whole = pairs[np.isfinite(pairs).all(axis=(1, 2))].tolist()
    attacked = audits[(audits["method"] == name) & (audits["audit"] == ATTACK)] if len(audits) else audits
    cost = mine["pflops_executed"].mean() / reference["pflops_executed"].mean() if len(reference) else np.nan
    return {
        "name": name,
        # Ablations and the control stand beside, until they are asked for.
        "aside": bool(MethodName.parse(name).settings) or name == ORIGINAL,
        "collapsed": bool(mine["collapsed"].astype(bool).any()),
        "diverged": bool((mine["status"] == DIVERGED).any()),
        "trials": [[[round(value, 4) for value in side] for side in pair] for pair in whole],
        "attack": _number(100 * abs(attacked["value"].mean() - 0.5) if len(attacked) else np.nan),
        "cost": _number(100 * cost),
    }


def _number(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None
