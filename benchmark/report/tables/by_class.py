"""Numbers about the forget samples of one class, a row a cell, method and further class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.evidence import Trials
from benchmark.metrics.gaps import average_difference
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tabular import Entry, Row, mean_text, method_row, number
from benchmark.study.checks import check_classes

Read = Callable[[pd.DataFrame], pd.DataFrame]
Tables = dict[int, pd.DataFrame]  # a trial's numbers: classes as rows, values as columns


def gather(source: Source, frame: pd.DataFrame, read: Read, values: list[str], classes: pd.Index[str]) -> pd.DataFrame:
    """Return what the ``.csv`` holds: controls and Retrain first, then the methods as listed.

    Columns: ``dataset, arch, scenario, true_class, method``; ``trials, diverged, collapsed`` (counts); the further
    class; and of each of ``values``: the mean over trials, ``_sd``, ``_gap`` (absolute difference to Retrain) and
    ``_avg_diff`` (mean of these over the classes), NaN where a trial diverged or lacks the class; and ``_leads``,
    whether the average is the smallest or cannot be told from it.

    Parameters
    ----------
    frame : rows about forget samples, whose class stands in column ``label``.
    read : from a trial's rows about the first listed class to its numbers: ``classes`` as rows, ``values`` as columns.
    classes : the further classes; the index's name is that of their column.

    Raises
    ------
    BadInput
        If a dataset lacks a class that the study names, or if no sample of the first one is forgotten.
    """
    parts = []
    lost = pd.DataFrame(np.nan, index=classes, columns=values)
    for cell in source.cells:
        methods = dict.fromkeys([*source.controls, RETRAIN, *source.methods])
        known = {method: _by_trial(source, frame, cell, method, read, lost) for method in methods}
        collapsed = {method: len(source.collapsed(cell, method)) for method in methods}
        numbers = [_summary(cell, known, value, len(classes), collapsed) for value in values]
        for method, tables in known.items():
            names = {**vars(cell), "true_class": source.output.classes[0], "method": method, "trials": len(tables)}
            counts = {"diverged": len(source.diverged(cell, method)), "collapsed": collapsed[method]}
            columns = {name: by_method[method] for one in numbers for name, by_method in one.items()}
            parts.append(pd.DataFrame({**names, **counts, str(classes.name): classes, **columns}))
    return pd.concat(parts, ignore_index=True)


def rows(data: pd.DataFrame, value: str) -> list[Row]:
    """Return a cell's rows: ``mean±sd (gap)`` of each further class, and the average difference to Retrain."""
    out = []
    for method, mine in data.groupby("method", sort=False):
        first = mine.iloc[0]
        cells = [mean_text(*numbers) for numbers in mine[[value, f"{value}_sd", f"{value}_gap"]].to_numpy()]
        average = Entry(number(first[f"{value}_avg_diff"]), bold=bool(first[f"{value}_leads"]))
        out.append(method_row(str(method), [*cells, average], first["diverged"], first["collapsed"]))
    return out


def notes(source: Source, data: pd.DataFrame) -> list[str]:
    """Say what the numbers of such a table are."""
    trials = source.trials
    mean = "mean ± standard deviation " if trials > 1 else ""
    return [
        f"Last epoch{', ' * (trials > 1) or ' '}{mean}{facts.over(trials)}; in parentheses the difference to Retrain",
        "Avg. diff.: the mean of these differences over the classes shown",
        facts.leading("average difference", trials),
        facts.diverged(data),
        facts.incomplete(data, trials),
    ]


def _by_trial(source: Source, frame: pd.DataFrame, cell: Cell, method: str, read: Read, lost: pd.DataFrame) -> Tables:
    """Return each trial's numbers, ``lost`` of one that diverged."""
    true_class = source.output.classes[0]
    known, diverged = source.by_trial(frame, cell, method), source.diverged(cell, method)
    if known:
        check_classes(source.study, cell.dataset, source.results.classes(cell.dataset))
    tables = dict.fromkeys(diverged, lost)
    for trial in known.keys() - diverged:
        mine = known[trial][known[trial]["label"] == true_class]
        if mine.empty:
            raise BadInput(f"{source.name}: no sample of class {true_class!r} is forgotten in {cell}")
        tables[trial] = read(mine)
    return dict(sorted(tables.items()))


def _summary(
    cell: Cell, known: dict[str, Tables], value: str, classes: int, collapsed: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Return the columns of a value, each by method: a number a class, or one for all of them."""
    lacking = np.full((1, classes), np.nan)
    stacks = {m: np.array([t[value] for t in tables.values()] or lacking, float) for m, tables in known.items()}
    means = {method: stack.mean(axis=0) for method, stack in stacks.items()}
    averages = {method: average_difference(mean, means[RETRAIN]) for method, mean in means.items()}
    competing = [m for m in known if facts.competes(m) and not collapsed[m] and np.isfinite(averages[m])]
    shares = [
        {**vars(cell), "method": method, "trial": trial, **dict(enumerate(table[value]))}
        for method in [RETRAIN, *competing]
        for trial, table in known[method].items()
    ]
    leaders = Trials(pd.DataFrame(shares), cell, competing, range(classes)).leaders() if competing else set()
    return {
        value: means,
        f"{value}_sd": {m: stack.std(axis=0, ddof=1) if len(stack) > 1 else lacking[0] for m, stack in stacks.items()},
        f"{value}_gap": {method: np.abs(mean - means[RETRAIN]) for method, mean in means.items()},
        f"{value}_avg_diff": averages,
        f"{value}_leads": {method: method in leaders for method in known},
    }
