"""What forget samples of one class are predicted as (Tables 1, 5 and 6)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from benchmark.report.source import Source
from benchmark.report.tables import by_class
from benchmark.report.tabular import METHOD, Column, Table


def build(source: Source) -> Table:
    """Return the table: one block per cell, Original (if listed) and Retrain first, then the methods as listed.

    An entry is the per cent of the forget samples of the first listed class that are predicted as the column's class,
    a mean over trials with its standard deviation, and the absolute difference to Retrain; the last column is the
    mean of these differences over the shown classes.
    """
    classes, data = source.output.classes, numbers(source)
    columns = [METHOD, *(Column(name, "Predicted as (%)", centred=True) for name in classes), Column("Avg. diff. ↓")]
    notes = [f"Shares of the forget samples of class {classes[0]}", *by_class.notes(source, data)]
    return source.table(columns, source.blocks(data, partial(by_class.rows, value="percent")), notes, data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what the ``.csv`` holds: `by_class.numbers`'s ``percent`` by ``predicted_class``."""
    classes = pd.Index(source.output.classes, name="predicted_class")
    forget = source.results.predictions
    forget = forget[forget["membership"] == "forget"] if len(forget) else forget

    def percent(rows: pd.DataFrame) -> pd.DataFrame:
        """Return a trial's shares: 0 for a class that no sample is predicted as, since rows lack it."""
        return rows.set_index("prediction")[["percent"]].reindex(classes, fill_value=0.0)

    return by_class.numbers(source, forget, percent, ["percent"], classes)
