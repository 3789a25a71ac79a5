"""The table of what forget samples of one class are taken for (Tables 1, 5 and 6)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.gaps import average_difference, bold_best
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.style import method_label
from benchmark.report.tables.source import Source
from benchmark.report.tabular import Column, Entry, Row, Table, number
from benchmark.report.trials import Floats, deviation, mean

DECIMALS = 2


def build(source: Source) -> Table:
    """Return the table: a block a cell, Original (if listed) and Retrain first, then the methods as listed.

    A cell of it is the per cent of the forget samples of the first listed class that are predicted as the column's
    class, a mean over trials; the last column is the mean over the shown classes of the absolute difference to
    Retrain, in points, the best in bold, ties as printed too.

    Raises
    ------
    BadInput
        If a listed class is none of the dataset's, or none of its samples is forgotten.
    """
    classes, trials = source.output.classes, source.trials
    parts = [numbers(source, cell) for cell in source.cells]
    blocks = [source.block(cell, _rows(part, classes)) for cell, part in zip(source.cells, parts, strict=True)]
    columns = [Column("Method", heads=True), *(Column(name, "Predicted as (%)") for name in classes)]
    columns.append(Column("Avg. diff. ↓"))
    data = pd.concat(parts, ignore_index=True)
    notes = [
        f"Forget samples of class {classes[0]}, at the last epoch{'; means' * (trials > 1)} {facts.over(trials)}",
        "Avg. diff.: mean over the shown classes of the absolute difference to Retrain, in points",
        *facts.unfinished(data, trials),
    ]
    return source.table(columns, blocks, notes, data)


def numbers(source: Source, cell: Cell) -> pd.DataFrame:
    """Return one cell's numbers, a row a method and shown class, as the ``.csv`` holds them.

    ``percent`` is the mean over trials, ``percent_sd`` their standard deviation, ``avg_diff`` that of the whole method.
    """
    classes = source.output.classes
    forget = source.results.predictions
    forget = forget[forget["membership"] == "forget"] if len(forget) else forget

    def percent(rows: pd.DataFrame) -> Floats:
        """Return the per cent that are predicted as each shown class."""
        return rows.set_index("prediction")["percent"].reindex(classes, fill_value=0.0).to_numpy(dtype=float)

    methods = dict.fromkeys([*source.controls, RETRAIN, *source.methods])
    shares = {method: source.by_class(forget, cell, method, percent, len(classes)) for method in methods}
    parts = []
    for method, trials in shares.items():
        data = pd.DataFrame({**vars(cell), "true_class": classes[0], "method": method}, index=range(len(classes)))
        data["trials"], data["diverged"] = len(trials), int(np.isnan(trials).any(axis=1).sum())
        data["predicted_class"], data["percent"], data["percent_sd"] = classes, mean(trials), deviation(trials)
        parts.append(data.assign(avg_diff=average_difference(mean(trials), mean(shares[RETRAIN]))))
    return pd.concat(parts, ignore_index=True)


def _rows(data: pd.DataFrame, classes: list[str]) -> list[Row]:
    """Return one block's rows."""
    methods = data.drop_duplicates("method")
    competes = [method != RETRAIN and not facts.is_control(method) for method in methods["method"]]
    best = bold_best(methods["avg_diff"].where(competes), DECIMALS)
    rows: list[Row] = []
    for (method, mine), bold in zip(data.groupby("method", sort=False), best, strict=True):
        label = method_label(str(method))
        if mine["diverged"].any():
            rows.append([label, Entry("diverged", spans=True)])
            continue
        average = Entry(number(mine["avg_diff"].iloc[0], DECIMALS), bold=bool(bold))
        rows.append([label, *(number(value, DECIMALS) for value in mine["percent"]), average])
    return rows
