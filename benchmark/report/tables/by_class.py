"""Numbers about the forget samples of one class, one row per cell, method and further class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.bootstrap import Floats
from benchmark.metrics.evidence import leaders
from benchmark.metrics.gaps import average_difference
from benchmark.names import RETRAIN, Cell, competes, is_control
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tabular import Entry, Row, mean_text, method_row, number
from benchmark.study.checks import check_classes

Read = Callable[[pd.DataFrame], pd.DataFrame]
Tables = dict[int, pd.DataFrame]  # numbers by trial: classes as rows, values as columns


def numbers(source: Source, frame: pd.DataFrame, read: Read, values: list[str], classes: pd.Index[str]) -> pd.DataFrame:
    """Return what the ``.csv`` holds: controls and Retrain first, then the methods as listed.

    Columns: ``dataset, arch, scenario, true_class, method``; ``trials, diverged, collapsed`` (counts); the further
    class; and of each of ``values``: the mean over trials, ``_sd``, ``_gap`` (absolute difference to Retrain) and
    ``_avg_diff`` (mean of these over the classes), NaN where a trial diverged or lacks the class; and ``_leads``,
    whether the average is the smallest or cannot be told from it. Raises `BadInput` if a dataset lacks a class that the
    study names, or no sample of the first one is forgotten.

    Parameters
    ----------
    frame : rows about forget samples, with their class in column ``label``.
    read : maps a trial's rows about the first listed class to numbers: ``classes`` as rows, ``values`` as columns.
    classes : the further classes; the index has the name of their column.
    """
    parts = []
    nans = pd.DataFrame(np.nan, index=classes, columns=values)
    for cell in source.cells:
        methods = dict.fromkeys([*source.controls, RETRAIN, *source.methods])
        trials = {method: _by_trial(source, frame, cell, method, read, nans) for method in methods}
        collapsed = {method: len(source.collapsed(cell, method)) for method in methods}
        summaries = [_summary(cell, trials, value, len(classes), collapsed) for value in values]
        for method, tables in trials.items():
            names = {**vars(cell), "true_class": source.output.classes[0], "method": method, "trials": len(tables)}
            counts = {"diverged": len(source.diverged(cell, method)), "collapsed": collapsed[method]}
            columns = {name: by_method[method] for summary in summaries for name, by_method in summary.items()}
            parts.append(pd.DataFrame({**names, **counts, str(classes.name): classes, **columns}))
    return pd.concat(parts, ignore_index=True)


def rows(data: pd.DataFrame, value: str) -> list[Row]:
    """Return a cell's rows: ``mean±sd (gap)`` for each further class, and the average difference to Retrain."""
    table_rows = []
    for method, method_rows in data.groupby("method", sort=False):
        first = method_rows.iloc[0]
        entries = [mean_text(*numbers) for numbers in method_rows[[value, f"{value}_sd", f"{value}_gap"]].to_numpy()]
        average = Entry(number(first[f"{value}_avg_diff"]), bold=bool(first[f"{value}_leads"]))
        table_rows.append(method_row(str(method), [*entries, average], first["diverged"], first["collapsed"]))
    return table_rows


def notes(source: Source, data: pd.DataFrame) -> list[str]:
    """Explain the numbers of such a table."""
    trials, missing = source.trials, facts.incomplete(data, source.trials)
    mean = "mean ± standard deviation " if trials > 1 else ""
    return [
        f"Last epoch{', ' * (trials > 1) or ' '}{mean}{facts.over(trials)}; in parentheses the difference to Retrain",
        "Avg. diff.: the mean of these differences over the classes shown",
        facts.leading("average difference", data, trials),
        facts.diverged(data),
        missing,
        "Each difference is over the trials that a method shares with Retrain" if missing else "",
    ]


def _by_trial(source: Source, frame: pd.DataFrame, cell: Cell, method: str, read: Read, nans: pd.DataFrame) -> Tables:
    """Return numbers by trial, ``nans`` for one that diverged."""
    true_class = source.output.classes[0]
    by_trial, diverged = source.by_trial(frame, cell, method), source.diverged(cell, method)
    if by_trial:
        check_classes(source.study, cell.dataset, source.results.classes(cell.dataset))
    tables = dict.fromkeys(diverged, nans)
    for trial in by_trial.keys() - diverged:
        class_rows = by_trial[trial][by_trial[trial]["label"] == true_class]
        if class_rows.empty:
            raise BadInput(f"{source.name}: no sample of class {true_class!r} is forgotten in {cell}")
        tables[trial] = read(class_rows)
    return dict(sorted(tables.items()))


def _summary(
    cell: Cell, trials: dict[str, Tables], value: str, classes: int, collapsed: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Return the columns of a value, each by method: one number per class, or one for all classes."""
    missing = np.full((1, classes), np.nan)
    values = {name: [table[value] for table in tables.values()] for name, tables in trials.items()}
    stacks = {name: np.array(rows or missing, float) for name, rows in values.items()}
    sds = {name: stack.std(axis=0, ddof=1) if len(stack) > 1 else missing[0] for name, stack in stacks.items()}
    means = {method: stack.mean(axis=0) for method, stack in stacks.items()}
    sides = {name: _beside_retrain(name, trials, value, means) for name in trials}
    averages = {name: average_difference(*pair) for name, pair in sides.items()}
    competing = [name for name in trials if competes(name) and not collapsed[name] and np.isfinite(averages[name])]
    shares = [
        {**vars(cell), "method": method, "trial": trial, **dict(enumerate(table[value]))}
        for method in [RETRAIN, *competing]
        for trial, table in trials[method].items()
    ]
    leading = leaders(pd.DataFrame(shares), cell, competing, range(classes)) if competing else set()
    return {
        value: means,
        f"{value}_sd": sds,
        f"{value}_gap": {name: np.abs(mean - reference) for name, (mean, reference) in sides.items()},
        f"{value}_avg_diff": averages,
        f"{value}_leads": {method: method in leading for method in trials},
    }


def _beside_retrain(
    method: str, trials: dict[str, Tables], value: str, means: dict[str, Floats]
) -> tuple[Floats, Floats]:
    """Return a method's and Retrain's means over the trials that both have; over all if there are none, or Original."""
    common = sorted(trials[method].keys() & trials[RETRAIN].keys())
    if is_control(method) or not common:
        return means[method], means[RETRAIN]
    mean, reference = (np.mean([trials[name][trial][value] for trial in common], axis=0) for name in (method, RETRAIN))
    return mean, reference
