"""The table of how far the forget samples of one class lie from the retain centroids of others (Table 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tables import by_class
from benchmark.report.tabular import METHOD, Column, Row, Table, method_row, number


def build(source: Source) -> Table:
    """Return the table: a block a cell, methods as listed, a column for each listed class but the first.

    A cell of it is the mean L2 distance of the features of the first listed class's forget samples to the centroid of
    the column's class, over the largest such distance to any class: at most 1; a mean over trials.
    """
    (true_class, *others), trials, data = source.output.classes, source.trials, numbers(source)
    columns = [METHOD, *(Column(name, "Centroid of class") for name in others)]
    notes = [
        f"Mean L2 distance of the features of forget samples of class {true_class} to the centroid of each class's "
        "retain samples, divided by the largest such distance to any class (the paper's divisor is not known)",
        f"At the last epoch{'; means' * (trials > 1)} {facts.over(trials)}",
        facts.diverged(data),
        facts.incomplete(data, trials),
    ]
    return source.table(columns, source.blocks(data, _rows), notes, data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what the ``.csv`` holds: `by_class.gather`'s ``distance``, scaled, and ``raw`` by ``centroid_class``."""
    others = pd.Index(source.output.classes[1:], name="centroid_class")

    def scaled_and_raw(rows: pd.DataFrame) -> pd.DataFrame:
        """Return a trial's distances, scaled by the largest to any class, and as they are."""
        raw = rows.set_index("centroid")["distance"]
        return pd.DataFrame({"distance": raw / (raw.max() or np.nan), "raw": raw})

    return by_class.gather(
        source, source.results.distances, source.methods, scaled_and_raw, ["distance", "raw"], others
    )


def _rows(data: pd.DataFrame) -> list[Row]:
    methods = data.groupby("method", sort=False)
    return [method_row(str(m), [*map(number, mine["distance"])], mine["diverged"].any()) for m, mine in methods]
