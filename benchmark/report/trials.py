"""Reading the trials of a method that a table or figure shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput, unknown
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import Cell
from benchmark.results import records as results
from benchmark.study.runs import Run
from benchmark.study.study import Study

T = TypeVar("T")
Floats = npt.NDArray[np.float64]


def of_trials(
    study: Study, name: str, cell: Cell, method: str, read: Callable[[Run], T], partial: bool = False
) -> list[T]:
    """Return what ``read`` makes of each of a method's runs in a cell, in the order of trials.

    Parameters
    ----------
    name : the table or figure, which says how many trials; Original may have fewer.
    partial : leave out runs that are missing or out of date instead of failing.

    Raises
    ------
    StaleOutput
        As ``read`` does, unless ``partial``.
    """
    output = study.output(name)
    names = [study.run_name(cell, method, trial) for trial in range(output.trials or study.trials)]
    found = []
    for run in map(study.run, dict.fromkeys(names)):
        try:
            found.append(read(run))
        except StaleOutput:
            if not partial:
                raise
    return found


def histories(study: Study, name: str, cell: Cell, method: str, partial: bool = False) -> list[pd.DataFrame]:
    """Return the history of each of a method's runs in a cell; parameters and errors are those of `of_trials`."""
    return of_trials(study, name, cell, method, lambda run: results.frame(study, run, results.HISTORY), partial)


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
        status = results.FINISHED if np.isfinite(last).all() else results.DIVERGED
        rows.append([cell.dataset, cell.arch, cell.scenario, method, trial, status, *last])
    return pd.DataFrame(rows, columns=[*CELL, "method", "trial", "status", *METRICS])


def mean(trials: Floats) -> Floats:
    """Return the mean over trials, the first axis; NaN where there is none, or where one is."""
    return trials.mean(axis=0) if len(trials) else np.full(trials.shape[1:], np.nan)


def deviation(trials: Floats) -> Floats:
    """Return the standard deviation over trials, the first axis; NaN where there are fewer than two."""
    return trials.std(axis=0, ddof=1) if len(trials) > 1 else np.full(trials.shape[1:], np.nan)


def class_numbers(study: Study, name: str, dataset: str) -> list[int]:
    """Return the labels of the classes that a table lists; raise `BadInput` if one is none of the dataset's."""
    classes = results.classes(study, dataset)
    for label in study.output(name).classes:
        if label not in classes:
            raise unknown("class", label, classes, f"{paths.study_file(study.name)}: {name}.classes")
    return [classes.index(label) for label in study.output(name).classes]
