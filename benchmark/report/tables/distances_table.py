"""How far the forget samples of one class lie from the retain centroids of others (Table 4)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from benchmark.report.source import Source
from benchmark.report.tables import by_class
from benchmark.report.tabular import METHOD, Column, Table

# The paper does not say which of these it divides by.
DIVISORS = {"distance": "the largest distance", "over_mean": "the mean distance"}


def build(source: Source) -> Table:
    """Return the table: two blocks per cell, Original (if listed) and Retrain first, then the methods as listed.

    An entry is the mean L2 distance of the features of the first listed class's forget samples to the centroid of
    the column's class, divided by the largest, then by the mean, of such distances to all other classes: a mean over
    trials with its standard deviation, and the absolute difference to Retrain. The last column is the mean of these
    differences.
    """
    (true_class, *others), data = source.output.classes, numbers(source)
    columns = [METHOD, *(Column(name, "Centroid of class", centred=True) for name in others), Column("Avg. diff. ↓")]
    by_divisor = [source.blocks(data, partial(by_class.rows, value=value)) for value in DIVISORS]
    blocks = [
        replace(block, heading="; ".join(filter(None, [block.heading, f"divided by {divisor}"])))
        for cell in zip(*by_divisor, strict=True)
        for block, divisor in zip(cell, DIVISORS.values(), strict=True)
    ]
    notes = [
        f"Mean L2 distance from the features of the forget samples of class {true_class} to the centroid of each "
        "class's retain samples, divided by the largest or the mean distance to any other class (the paper does not "
        "say which)",
        *by_class.notes(source, data),
    ]
    return source.table(columns, blocks, notes, data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what the ``.csv`` holds: `by_class.numbers`'s ``distance`` (over largest), ``over_mean`` and ``raw``."""
    true_class, *others = source.output.classes

    def scaled_and_raw(rows: pd.DataFrame) -> pd.DataFrame:
        """Return a trial's distances, divided by the largest and the mean to any other class, and undivided."""
        raw = rows.set_index("centroid")["distance"]
        to_others = raw.drop(true_class, errors="ignore")
        scales = {"distance": to_others.max(), "over_mean": to_others.mean()}
        columns = {name: raw / (scale or np.nan) for name, scale in scales.items()} | {"raw": raw}
        return pd.DataFrame(columns).reindex(classes)

    classes = pd.Index(others, name="centroid_class")
    return by_class.numbers(source, source.results.distances, scaled_and_raw, [*DIVISORS, "raw"], classes)
