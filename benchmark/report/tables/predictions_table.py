"""The table of what forget samples of one class are taken for (Tables 1, 5 and 6)."""

from __future__ import annotations

import pandas as pd

from benchmark.metrics.gaps import CELL, average_difference, bold_best
from benchmark.names import RETRAIN
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tables import by_class
from benchmark.report.tabular import METHOD, Column, Entry, Row, Table, method_row, number


def build(source: Source) -> Table:
    """Return the table: a block a cell, Original (if listed) and Retrain first, then the methods as listed.

    A cell of it is the per cent of the forget samples of the first listed class that are predicted as the column's
    class, a mean over trials; the last column is the mean over the shown classes of the absolute difference to
    Retrain, in points, the best in bold, ties as printed too.
    """
    classes, trials, data = source.output.classes, source.trials, numbers(source)
    columns = [METHOD, *(Column(name, "Predicted as (%)") for name in classes), Column("Avg. diff. ↓")]
    notes = [
        f"Forget samples of class {classes[0]}, at the last epoch{'; means' * (trials > 1)} {facts.over(trials)}",
        "Avg. diff.: mean over the shown classes of the absolute difference to Retrain, in points",
        facts.diverged(data),
        facts.incomplete(data, trials),
    ]
    return source.table(columns, source.blocks(data, _rows), notes, data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what the ``.csv`` holds: `by_class.gather`'s ``percent`` by ``predicted_class``, and ``avg_diff``."""
    classes = pd.Index(source.output.classes, name="predicted_class")
    forget = source.results.predictions
    forget = forget[forget["membership"] == "forget"] if len(forget) else forget

    def percent(rows: pd.DataFrame) -> pd.DataFrame:
        """Return the shares of a trial; a class for which no sample is taken has none in its rows."""
        return rows.set_index("prediction")[["percent"]].reindex(classes, fill_value=0.0)

    methods = dict.fromkeys([*source.controls, RETRAIN, *source.methods])
    data = by_class.gather(source, forget, methods, percent, ["percent"], classes)
    for _, cell in data.groupby(CELL, sort=False):
        reference = cell.loc[cell["method"] == RETRAIN, "percent"].to_numpy()
        for _, mine in cell.groupby("method"):
            data.loc[mine.index, "avg_diff"] = average_difference(mine["percent"].to_numpy(), reference)
    return data


def _rows(data: pd.DataFrame) -> list[Row]:
    methods = data.drop_duplicates("method")
    competes = [method != RETRAIN and not facts.is_control(method) for method in methods["method"]]
    best = bold_best(methods["avg_diff"].where(competes), 2)
    rows = []
    for (method, mine), bold in zip(data.groupby("method", sort=False), best, strict=True):
        average = Entry(number(mine["avg_diff"].iloc[0]), bold=bool(bold))
        rows.append(method_row(str(method), [*map(number, mine["percent"]), average], mine["diverged"].any()))
    return rows
