"""A row of metrics for every run and cell, measured from the runs' files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics import measure
from benchmark.metrics.samples import METRICS
from benchmark.names import DIVERGED, RETRAIN, Cell
from benchmark.paths import HISTORY, MODEL, SAMPLES
from benchmark.results.records import forget_rows, frame, passing_over_if, read_all, record
from benchmark.seeds import members_stream
from benchmark.study.runs import Run, TrialKey, with_cells
from benchmark.study.study import Study

COSTS = ("pflops", "pflops_executed", "seconds", "cpu_seconds")  # of a run by the end of an epoch
# How far below Original's a run's retain accuracy may fall, in points, before tables call it collapsed.
COLLAPSE = 20.0
COLLAPSE_TEXT = f"retain accuracy more than {COLLAPSE:.0f} points below Original's"


def metrics(study: Study, runs: Iterable[Run], cells: Sequence[Cell], partial: bool = False) -> pd.DataFrame:
    """Return a row for each run and cell: the columns of ``results/<study>-metrics.parquet`` except the gaps."""
    by_cell = with_cells(runs, cells)
    best = _best_epochs(study, by_cell, partial) if study.report_epoch == "best" else {}
    table = pd.DataFrame(read_all(lambda pair: _row(study, *pair, best), by_cell, partial))
    if table.empty:
        return table
    limits = collapse_limits(study, [run for run, _ in by_cell], partial)
    trials = table[["dataset", "arch", "trial"]].itertuples(index=False, name=None)
    return table.assign(collapsed=table["ra"] < [limits.get(trial, -np.inf) for trial in trials])


def _row(study: Study, run: Run, cell: Cell, best: dict[tuple[Cell, str], int]) -> dict[str, Any]:
    content = record(study, run)
    history = frame(study, run, HISTORY)
    epoch = best.get((cell, run.name.method))
    at_end = epoch is None or content["status"] == DIVERGED  # possibly before that epoch
    reported = history.iloc[-1] if at_end else history.set_index("epoch", drop=False).loc[epoch]
    if content["status"] == DIVERGED:
        measured = dict.fromkeys(METRICS, np.nan)
    elif run.name.is_original:
        measured = from_samples(study, run, cell)
    else:
        measured = {metric: float(reported[metric]) for metric in METRICS}
    return {
        "study": study.name,
        **vars(cell),
        "method": run.name.method,
        "trial": run.name.trial,
        "status": content["status"],
        "epoch": int(reported["epoch"]),
        "report_epoch": "last" if epoch is None else study.report_epoch,
        **measured,
        **{key: float(reported[key]) for key in COSTS},
        "wall_seconds": content["wall_seconds"],
        "peak_memory_mb": content["peak_memory_mb"],
        **{f"setting_{key}": _plain(value) for key, value in content["slice"]["settings"].items()},
        **content["stamp"],
        "started_from": (content.get("started_from") or "")[:16],
        "weights": content["sha256"].get(MODEL, "")[:16] * run.name.is_original,  # others' are kept or not
        "fingerprint": content["fingerprint"],
    }


def _plain(value: Any) -> Any:
    """Return a setting as one value: a plugin's list or mapping as JSON, which can be compared and looked up."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def from_samples(study: Study, run: Run, cell: Cell) -> dict[str, float]:
    """Measure a run in a cell by its samples."""
    samples = frame(study, run, SAMPLES)
    forgotten = forget_rows(study, run, cell.scenario)
    return measure(samples, forgotten, study.members, members_stream(study.seed, cell))


def _best_epochs(study: Study, by_cell: list[tuple[Run, Cell]], partial: bool) -> dict[tuple[Cell, str], int]:
    """Return for each cell and method the epoch with the smallest average gap of the means over trials.

    The choice uses Retrain and so the test set: tables call it the oracle epoch. Original and Retrain have only their
    last epoch.
    """
    by_method: dict[tuple[Cell, str], list[pd.DataFrame]] = {}
    for run, cell in by_cell:
        with passing_over_if(partial):
            if not run.name.is_original:
                by_method.setdefault((cell, run.name.method), []).append(frame(study, run, HISTORY))
    best = {}
    for (cell, method), histories in by_method.items():
        if method == RETRAIN or (cell, RETRAIN) not in by_method:
            continue
        target = pd.concat(history.tail(1) for history in by_method[cell, RETRAIN])[list(METRICS)].mean()
        means = pd.concat(histories).groupby("epoch")[list(METRICS)].mean()
        gaps = (means - target).abs().mean(axis=1).dropna()
        if len(gaps):
            best[cell, method] = int(gaps.idxmin())
    return best


def collapse_limits(study: Study, runs: Iterable[Run], partial: bool = False) -> dict[TrialKey, float]:
    """Return the retain accuracy, in per cent, below which runs have collapsed, by dataset, architecture and trial.

    There is none where the study trains no Original. If an Original is missing or damaged, raise `StaleOutput` or, with
    ``partial``, leave it out.
    """
    limits = {}
    for trial, original in study.originals_of(runs).items():
        with passing_over_if(partial):
            limits[trial] = float(frame(study, original, HISTORY)["ra"].iloc[-1]) - COLLAPSE
    return limits
