"""The trials of a method in a cell, out of a frame of results."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import Cell
from benchmark.results.frames import Results
from benchmark.results.records import DIVERGED, FINISHED

Floats = npt.NDArray[np.float64]


def rows_of(results: Results, frame: pd.DataFrame, cell: Cell, method: str, trials: int) -> pd.DataFrame:
    """Return a method's rows in a cell, of its first trials, from one of the frames of ``results``.

    Parameters
    ----------
    method : by the name that the study lists. Original's history belongs to no scenario.
    trials : how many trials at most; Original may have fewer.
    """
    if frame.empty:
        return frame
    name = results.study.run_name(cell, method, 0)
    mine = (frame["dataset"] == cell.dataset) & (frame["arch"] == cell.arch) & (frame["method"] == name.method)
    return frame[mine & frame["scenario"].isin(["", cell.scenario]) & (frame["trial"] < trials)]


def by_trial(results: Results, frame: pd.DataFrame, cell: Cell, method: str, trials: int) -> dict[int, pd.DataFrame]:
    """Return these rows by the number of their trial, in order; a trial without rows is left out."""
    rows = rows_of(results, frame, cell, method, trials)
    return {int(trial): mine for trial, mine in rows.groupby("trial")} if len(rows) else {}


def histories(results: Results, cell: Cell, method: str, trials: int) -> list[pd.DataFrame]:
    """Return the history of each trial of a method in a cell, in order; see `rows_of`."""
    return list(by_trial(results, results.history, cell, method, trials).values())


def at_end(cell: Cell, method: str, trials: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the metrics in the last row of each history, as `benchmark.metrics.gaps.summarise` takes runs.

    Parameters
    ----------
    cell, method : the names in the rows.
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
