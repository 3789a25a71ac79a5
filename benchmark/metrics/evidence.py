"""What the paper's claims are computed from: gathered results, and a cell's trials among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Floats, Indices
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS
from benchmark.names import RETRAIN, Cell


@dataclass(frozen=True)
class Evidence:
    """What claims are computed from: ``results/<study>-*.parquet`` and the theory's table.

    Attributes
    ----------
    metrics, history, predictions : as `benchmark.results.gather` writes them.
    theory : a row a run and group, as the ``.csv`` of a table of kind ``theory`` has them; empty if there is none.
    """

    metrics: pd.DataFrame
    history: pd.DataFrame
    predictions: pd.DataFrame
    theory: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def cells(self) -> list[Cell]:
        """The cells that have Retrain, in the order of the results."""
        known = self.metrics[self.metrics["method"] == RETRAIN]
        return [Cell(*place) for place in known[CELL].drop_duplicates().itertuples(index=False)]


class Trials:
    """The metrics of a cell's methods, trial by trial: those trials that all of the methods have.

    Parameters
    ----------
    metrics : one row a run.
    cell, methods : which; Retrain is added.

    Attributes
    ----------
    methods : those that have runs which did not diverge.
    diverged : in how many trials a method did; such a trial is left out for all.
    numbers : the trials.
    """

    def __init__(self, metrics: pd.DataFrame, cell: Cell, methods: Iterable[str]):
        here, methods = in_cell(metrics, cell), list(methods)
        self.diverged: dict[str, int] = {}
        if "status" in here:
            lost = here.loc[here["status"] == DIVERGED, "method"].value_counts()
            self.diverged = {method: int(lost[method]) for method in [RETRAIN, *methods] if method in lost}
            here = here[here["status"] != DIVERGED]
        tables = {m: rows.set_index("trial")[METRICS] for m, rows in here.groupby("method")}
        self.methods = [method for method in methods if method in tables]
        wanted = [RETRAIN, *self.methods]
        trials = set.intersection(*(set(tables[m].index) for m in wanted)) if RETRAIN in tables else set()
        self.numbers = sorted(trials)
        self.values = {m: tables[m].loc[self.numbers].to_numpy(dtype=float) for m in wanted if trials}

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def lost(self) -> int:
        """How many trials at least were left out, since a method diverged in them."""
        return max(self.diverged.values(), default=0)

    def restricted(self, numbers: Iterable[int]) -> Trials:
        """Return the same with some of its trials alone."""
        part = copy(self)
        part.numbers = sorted(numbers)
        rows = [self.numbers.index(number) for number in part.numbers]
        part.values = {method: values[rows] for method, values in self.values.items()}
        return part

    def gap(self, method: str, drawn: Indices) -> Floats:
        """Return a method's average gap to Retrain, in points, over the trials of each draw: (draws,)."""
        mine, reference = (self.values[m][drawn].mean(axis=1) for m in (method, RETRAIN))
        return np.asarray(np.abs(mine - reference).mean(axis=1))

    def smallest(self, methods: Sequence[str], drawn: Indices) -> Floats:
        """Return the smallest average gap of some methods, likewise."""
        return np.asarray(np.min([self.gap(method, drawn) for method in methods], axis=0))

    def largest(self, methods: Sequence[str], drawn: Indices) -> Floats:
        """Return the largest, likewise."""
        return np.asarray(np.max([self.gap(method, drawn) for method in methods], axis=0))


def in_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of gathered results that are of a cell."""
    place = zip(CELL, (cell.dataset, cell.arch, cell.scenario), strict=True)
    return frame[np.logical_and.reduce([frame[column] == value for column, value in place])]
