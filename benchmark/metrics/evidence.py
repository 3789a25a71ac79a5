"""What the paper's claims are computed from: gathered results, and a cell's trials among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Floats, Indices, estimate
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS, floor_of
from benchmark.names import RETRAIN, Cell, Scenario


@dataclass(frozen=True)
class Evidence:
    """What claims are computed from: the frames that `benchmark.results` gathers, and those of the tables of theory."""

    metrics: pd.DataFrame
    history: pd.DataFrame
    predictions: pd.DataFrame
    theory: pd.DataFrame = field(default_factory=pd.DataFrame)
    distances: pd.DataFrame = field(default_factory=pd.DataFrame)
    embeddings: pd.DataFrame = field(default_factory=pd.DataFrame)
    margin: float = 1.0  # in points, or per cent of a distance: what still counts as equal, beyond the noise

    def cells(self, kind: str) -> list[Cell]:
        """Return the cells of a kind of scenario that have Retrain, in the order of the results."""
        known = self.metrics.loc[self.metrics["method"] == RETRAIN, CELL].drop_duplicates()
        cells = [Cell(*place) for place in known.itertuples(index=False)]
        return [cell for cell in cells if Scenario(cell.scenario).kind == kind]


class Trials:
    """The metrics of a cell's methods, trial by trial: those trials that Retrain and all of the methods have.

    Attributes
    ----------
    methods : those that have runs which did not diverge.
    diverged : in how many trials a method did; such a trial is left out for all.
    collapsed : in how many of the trials a method did.
    numbers : the trials.
    values : (trials, columns) numbers, such as the four metrics in per cent, of each of the methods and of Retrain.
    noise_floor : `benchmark.metrics.gaps.floor_of` means over so many trials, from all that Retrain has.
    """

    def __init__(
        self, metrics: pd.DataFrame, cell: Cell, methods: Iterable[str], columns: Sequence[str | int] = tuple(METRICS)
    ):
        here, methods = in_cell(metrics, cell), list(methods)
        here = here[here["method"].isin([RETRAIN, *methods])]
        self.diverged: dict[str, int] = {}
        if "status" in here:
            lost = here.loc[here["status"] == DIVERGED, "method"].value_counts()
            self.diverged = {method: int(lost[method]) for method in [RETRAIN, *methods] if method in lost}
            here = here[here["status"] != DIVERGED]
        numbers = here.set_index("trial")[["method", *columns]]
        tables = {method: rows[list(columns)] for method, rows in numbers.groupby("method")}
        self.methods = [method for method in methods if method in tables]
        wanted = [RETRAIN, *self.methods]
        trials = set.intersection(*(set(tables[m].index) for m in wanted)) if RETRAIN in tables else set()
        self.numbers = sorted(trials)
        self.values = {m: tables[m].loc[self.numbers].to_numpy(dtype=float) for m in wanted if trials}
        self.noise_floor = floor_of(tables[RETRAIN].to_numpy(dtype=float), len(trials)) if trials else np.nan
        self.collapsed: dict[str, int] = {}
        if "collapsed" in here:
            lost = here.loc[here["collapsed"].astype(bool) & here["trial"].isin(trials), "method"].value_counts()
            self.collapsed = {method: int(lost[method]) for method in self.methods if method in lost}

    def __len__(self) -> int:
        return len(self.numbers)

    def difference(self, method: str, reference: str = RETRAIN) -> Floats:
        """Return how far a method's means lie above those of another: (columns,)."""
        return np.asarray(self.values[method].mean(axis=0) - self.values[reference].mean(axis=0))

    def gap(self, method: str, drawn: Indices) -> Floats:
        """Return a method's average gap to Retrain, in points, over the trials of each draw: (draws,)."""
        mine, reference = (self.values[m][drawn].mean(axis=1) for m in (method, RETRAIN))
        return np.asarray(np.abs(mine - reference).mean(axis=1))

    def gaps(self, methods: Sequence[str], drawn: Indices) -> Floats:
        """Return the average gaps of several methods: (methods, draws)."""
        return np.array([self.gap(method, drawn) for method in methods])

    def leaders(self) -> set[str]:
        """Return the method with the smallest average gap, and every one whose gap the trials cannot tell from it.

        They can where the 95 % interval of the difference lies above 0. A single trial tells nothing: no method leads.
        """
        if len(self) < 2 or not self.methods:
            return set()
        best = min(self.methods, key=lambda method: float(self.gap(method, np.arange(len(self))[None])[0]))

        def is_apart(method: str) -> bool:
            """Whether a method's average gap is larger beyond doubt."""
            return estimate(lambda drawn: self.gap(method, drawn) - self.gap(best, drawn), len(self)).low > 0

        return {method for method in self.methods if not is_apart(method)}


def in_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of gathered results that are of a cell."""
    return frame[np.logical_and.reduce([frame[column] == value for column, value in vars(cell).items()])]
