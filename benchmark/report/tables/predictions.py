"""The table of what forget samples of one class are taken for (Tables 1, 5 and 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.confusion import average_difference, prediction_shares
from benchmark.metrics.gaps import bold_best
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape, number, spanning
from benchmark.report.style import method_label
from benchmark.report.trials import class_numbers, deviation, mean, of_trials
from benchmark.results import records as results
from benchmark.study.runs import Run
from benchmark.study.study import Study

DECIMALS = 2
AVERAGE = r"Avg.\ diff.\ $\downarrow$"


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, Original (if listed) and Retrain first, then the methods as listed.

    A cell of it is the per cent of the forget samples of the first listed class that are predicted as the column's
    class, a mean over trials; the last column is the mean over the shown classes of the absolute difference to
    Retrain, in points, the best in bold, ties as printed too.

    Parameters
    ----------
    study, name : the table.
    partial : show a dash for what is missing, and no differences where Retrain is.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    BadInput
        If a listed class is none of the dataset's, or none of its samples is forgotten.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    parts = [numbers(study, name, cell, partial) for cell in cells]
    blocks = [
        Block(_printed(part, output.classes), facts.heading(cells, cell))
        for part, cell in zip(parts, cells, strict=True)
    ]
    data = pd.concat(parts, ignore_index=True)
    return Table(blocks, facts.caption(study, name, _facts(study, name, cells, data)), data)


def numbers(study: Study, name: str, cell: Cell, partial: bool) -> pd.DataFrame:
    """Return one cell's numbers, a row a method and shown class, as the ``.csv`` holds them.

    ``percent`` is the mean over trials, ``percent_sd`` their standard deviation, ``avg_diff`` that of the whole method.
    """
    output = study.output(name)
    controls = [method for method in output.methods if facts.is_control(method)]
    shares = {
        method: _shares(study, name, cell, method, partial)
        for method in dict.fromkeys([*controls, RETRAIN, *output.methods])
    }
    reference = mean(shares[RETRAIN])
    rows = []
    for method, trials in shares.items():
        percent, sd = mean(trials), deviation(trials)
        difference = average_difference(percent, reference, range(len(percent)))
        for place, predicted in enumerate(output.classes):
            rows.append(
                {
                    "dataset": cell.dataset,
                    "arch": cell.arch,
                    "scenario": cell.scenario,
                    "true_class": output.classes[0],
                    "method": method,
                    "trials": len(trials),
                    "diverged": int(np.isnan(trials).any(axis=1).sum()),
                    "predicted_class": predicted,
                    "percent": percent[place],
                    "percent_sd": sd[place],
                    "avg_diff": difference,
                }
            )
    return pd.DataFrame(rows)


def _shares(study: Study, name: str, cell: Cell, method: str, partial: bool) -> np.ndarray[Any, Any]:
    """Return per cent predicted as each shown class, (trials, shown classes); NaN where a trial diverged."""
    shown = len(study.output(name).classes)

    def read(run: Run) -> np.ndarray[Any, Any]:
        if results.record(study, run)["status"] == results.DIVERGED:
            return np.full(shown, np.nan)
        labels = class_numbers(study, name, cell.dataset)
        samples, forget = results.frame(study, run, results.SAMPLES), results.forget(study, run, cell.scenario)
        return prediction_shares(samples, forget, labels[0], len(results.classes(study, cell.dataset)))[labels]

    return np.array(of_trials(study, name, cell, method, read, partial)).reshape(-1, shown)


def _printed(data: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    table = data.pivot(index="method", columns="predicted_class", values="percent")
    methods = list(dict.fromkeys(data["method"]))
    facts_of = data.drop_duplicates("method").set_index("method").loc[methods]
    competes = [method != RETRAIN and not facts.is_control(method) for method in methods]
    best = bold_best(facts_of["avg_diff"].where(competes), DECIMALS)
    cells = []
    for (method, row), bold in zip(facts_of.iterrows(), best, strict=True):
        texts = [number(table.loc[method, label], DECIMALS) for label in classes]
        average = number(row["avg_diff"], DECIMALS)
        if row["diverged"]:
            cells.append([escape(method_label(str(method))), *spanning("diverged", len(classes) + 1)])
        else:
            cells.append([escape(method_label(str(method))), *texts, rf"\textbf{{{average}}}" if bold else average])
    group = "Predicted as (\\%)"
    names = [("", "Method"), *((group, escape(label)) for label in classes), ("", AVERAGE)]
    return pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(names))


def _facts(study: Study, name: str, cells: list[Cell], data: pd.DataFrame) -> list[str]:
    output = study.output(name)
    trials = output.trials or study.trials
    return [
        facts.subject(cells),
        f"Forget samples of class {escape(output.classes[0])}, at the last epoch"
        f"{'; means' * (trials > 1)} {facts.over(trials)}",
        "Avg.\\ diff.: mean over the shown classes of the absolute difference to Retrain, in points",
        *facts.unfinished(data, trials),
    ]
