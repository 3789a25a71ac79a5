"""The trials of a method in a cell, out of a frame of results."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import Cell
from benchmark.results.frames import Results
from benchmark.results.records import DIVERGED, FINISHED
from benchmark.study.study import Study

Floats = npt.NDArray[np.float64]


def by_trial(study: Study, frame: pd.DataFrame, cell: Cell, method: str, trials: int) -> dict[int, pd.DataFrame]:
    """Return the rows of each trial of a method in a cell, by the trial's number.

    Parameters
    ----------
    frame : one of the frames of `benchmark.results.frames.Results`; a trial without rows in it is left out.
    method : by the name that a table or figure lists.
    trials : how many trials are shown; Original may have fewer, since several can share one.
    """
    if frame.empty:
        return {}
    name = study.run_name(cell, method, 0)
    numbers = {study.run_name(cell, method, trial).trial for trial in range(trials)}
    here = (frame["dataset"] == cell.dataset) & (frame["arch"] == cell.arch) & (frame["method"] == name.method)
    here &= frame["scenario"].isin([cell.scenario, name.scenario])  # a history of Original belongs to no scenario
    mine = frame[here & frame["trial"].isin(numbers)]
    return {int(trial): rows for trial, rows in mine.groupby("trial")}


def histories(results: Results, cell: Cell, method: str, trials: int) -> list[pd.DataFrame]:
    """Return the history of each trial of a method in a cell, in order; see `by_trial`."""
    return list(by_trial(results.study, results.history, cell, method, trials).values())


def at_end(cell: Cell, method: str, trials: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the metrics in the last row of each history, as `benchmark.metrics.gaps.summarise` takes runs.

    Parameters
    ----------
    cell, method : what the rows are said to be of.
    trials : histories, or parts of them. Where there is no row, or no number in it, the trial diverged.
    """
    rows = []
    for trial, history in enumerate(trials):
        last = history[METRICS].iloc[-1].to_numpy(dtype=float) if len(history) else np.full(len(METRICS), np.nan)
        status = FINISHED if np.isfinite(last).all() else DIVERGED
        rows.append([cell.dataset, cell.arch, cell.scenario, method, trial, status, *last])
    return pd.DataFrame(rows, columns=[*CELL, "method", "trial", "status", *METRICS])


def mean(trials: Floats) -> Floats:
    """Return the mean over trials, the first axis; NaN where there is none, or where one is."""
    return trials.mean(axis=0) if len(trials) else np.full(trials.shape[1:], np.nan)


def deviation(trials: Floats) -> Floats:
    """Return the standard deviation over trials, the first axis; NaN where there are fewer than two."""
    return trials.std(axis=0, ddof=1) if len(trials) > 1 else np.full(trials.shape[1:], np.nan)
