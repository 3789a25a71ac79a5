"""Numbers about the forget samples of one class, a row a cell, method and further class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput
from benchmark.names import Cell
from benchmark.report.source import Source
from benchmark.study.checks import check_classes

Floats = npt.NDArray[np.float64]
Read = Callable[[pd.DataFrame], Floats]


def gather(
    source: Source,
    frame: pd.DataFrame,
    methods: Iterable[str],
    read: Read,
    column: str,
    classes: list[str],
    values: list[str],
) -> pd.DataFrame:
    """Return ``dataset, arch, scenario, true_class, method, trials, diverged``, ``column``, and each of ``values``,
    a mean over trials with its standard deviation as ``_sd``: NaN where a trial diverged or lacks the number.

    Parameters
    ----------
    frame : rows about forget samples, whose class stands in column ``label``.
    read : from a trial's rows about the first listed class to its numbers, shape (values, classes).
    column, classes : what the further classes are called, and which they are.

    Raises
    ------
    BadInput
        If a dataset lacks a class that the study names, or if no sample of the first one is forgotten.
    """
    parts = []
    for cell, method in product(source.cells, methods):
        trials = _trials(source, frame, cell, method, read, (len(values), len(classes)))
        one = {**vars(cell), "true_class": source.output.classes[0], "method": method, "trials": len(trials)}
        one |= {"diverged": int(np.isnan(trials).all(axis=(1, 2)).sum())}
        data = pd.DataFrame(one, index=range(len(classes))).assign(**{column: classes})
        for place, value in enumerate(values):
            data[value] = trials[:, place].mean(axis=0) if len(trials) else np.nan
            data[f"{value}_sd"] = trials[:, place].std(axis=0, ddof=1) if len(trials) > 1 else np.nan
        parts.append(data)
    return pd.concat(parts, ignore_index=True)


def _trials(source: Source, frame: pd.DataFrame, cell: Cell, method: str, read: Read, shape: tuple[int, int]) -> Floats:
    """Return what ``read`` makes of each trial, (trials, values, classes); one that diverged is NaN."""
    rows, diverged = source.by_trial(frame, cell, method), source.diverged(cell, method)
    true_class = source.output.classes[0]
    if rows:
        check_classes(source.study, cell.dataset, source.results.classes(cell.dataset))
    values = dict.fromkeys(diverged, np.full(shape, np.nan))
    for trial in rows.keys() - diverged:
        mine = rows[trial][rows[trial]["label"] == true_class]
        if mine.empty:
            raise BadInput(f"{source.name}: no sample of class {true_class!r} is forgotten in {cell}")
        values[trial] = read(mine)
    return np.array([values[trial] for trial in sorted(values)]).reshape(-1, *shape)
