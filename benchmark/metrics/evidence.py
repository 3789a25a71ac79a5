"""The data behind the paper's claims: gathered results, and the trials of one cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.bootstrap import Estimate, Floats, Indices, estimate
from benchmark.metrics.gaps import floor_of
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, RETRAIN, RUN_KEYS, Cell, Scenario


@dataclass(frozen=True)
class Evidence:
    """The frames that claims are computed from: gathered results, theory tables, and the paper's ``printed`` means."""

    metrics: pd.DataFrame
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    theory: pd.DataFrame = field(default_factory=pd.DataFrame)
    distances: pd.DataFrame = field(default_factory=pd.DataFrame)
    embeddings: pd.DataFrame = field(default_factory=pd.DataFrame)
    printed: pd.DataFrame = field(default_factory=pd.DataFrame)
    margin: float = 1.0  # in points, or per cent of a distance: how far beyond the noise still counts as equal

    def cells(self, kind: str) -> list[Cell]:
        """Return the cells of a kind of scenario that have Retrain, in the order of the results."""
        cells = cells_in(self.metrics[self.metrics["method"] == RETRAIN])
        return [cell for cell in cells if Scenario(cell.scenario).kind == kind]


class Trials:
    """The metrics of a cell's methods, trial by trial, in the trials that Retrain and all of the methods have.

    Attributes
    ----------
    methods : those with a run that did not diverge.
    diverged : in how many trials a method diverged; such a trial is left out for all.
    collapsed : in how many of the remaining trials a method collapsed.
    numbers : the numbers of the remaining trials.
    values : (trials, columns) values, such as the four metrics in per cent, of each of the methods and of Retrain.
    noise_floor : `benchmark.metrics.gaps.floor_of` means over so many trials, from all of Retrain's trials.
    """

    def __init__(
        self, metrics: pd.DataFrame, cell: Cell, methods: Iterable[str], columns: Sequence[str | int] = tuple(METRICS)
    ):
        runs, methods = in_cell(metrics, cell), list(methods)
        runs = runs[runs["method"].isin([RETRAIN, *methods])]
        self.diverged = trials_with(runs, "status", DIVERGED, [RETRAIN, *methods])
        if "status" in runs:
            runs = runs[runs["status"] != DIVERGED]
        by_trial = runs.set_index("trial")[["method", *columns]]
        tables = {method: rows[list(columns)] for method, rows in by_trial.groupby("method")}
        self.methods = [method for method in methods if method in tables]
        names = [RETRAIN, *self.methods]
        trials = set.intersection(*(set(tables[name].index) for name in names)) if RETRAIN in tables else set()
        self.numbers = sorted(trials)
        self.values = {name: tables[name].loc[self.numbers].to_numpy(dtype=float) for name in names if trials}
        self.noise_floor = floor_of(tables[RETRAIN].to_numpy(dtype=float), len(trials)) if trials else np.nan
        self.collapsed = trials_with(runs[runs["trial"].isin(trials)], "collapsed", True, self.methods)

    def __len__(self) -> int:
        return len(self.numbers)

    def difference(self, method: str, reference: str = RETRAIN) -> Floats:
        """Return how far a method's means lie above those of ``reference``: (columns,)."""
        return np.asarray(self.values[method].mean(axis=0) - self.values[reference].mean(axis=0))

    def gap(self, method: str, drawn: Indices) -> Floats:
        """Return a method's average gap to Retrain, in points, over the trials of each draw: (draws,)."""
        means, reference = (self.values[name][drawn].mean(axis=1) for name in (method, RETRAIN))
        return np.asarray(np.abs(means - reference).mean(axis=1))

    def gaps(self, methods: Sequence[str], drawn: Indices) -> Floats:
        """Return the average gaps of several methods: (methods, draws)."""
        return np.array([self.gap(method, drawn) for method in methods])

    def farther(self, method: str, other: str) -> Estimate:
        """Estimate by how much a method's average gap is larger than another's, in points."""
        return estimate(lambda drawn: self.gap(method, drawn) - self.gap(other, drawn), len(self))


def leaders(
    metrics: pd.DataFrame, cell: Cell, methods: Iterable[str], columns: Sequence[str | int] = tuple(METRICS)
) -> set[str]:
    """Return the method with the smallest average gap, and every one whose gap the trials cannot tell from it.

    The trials tell two methods apart if the 95 % interval of their difference lies above 0. Each gap is over the trials
    that a method shares with Retrain, as in tables, and each difference over those that two methods share: so a method
    with few trials takes none from the others. A method with a single trial does not lead.
    """
    alone = {method: Trials(metrics, cell, [method], columns) for method in methods}
    gaps = {
        method: float(trials.gap(method, np.arange(len(trials))[None])[0])
        for method, trials in alone.items()
        if len(trials) > 1
    }
    if not gaps:
        return set()
    best = min(gaps, key=gaps.__getitem__)
    leading = set()
    for method in gaps:
        both = Trials(metrics, cell, dict.fromkeys([best, method]), columns)
        if len(both) > 1:
            difference = both.farther(method, best)
            # Equal in every trial, a difference has no interval, and no doubt.
            if not (difference.value > 0 if difference.sd == 0 else difference.low > 0):
                leading.add(method)
    return leading


def trials_with(runs: pd.DataFrame, column: str, value: str | bool, methods: list[str]) -> dict[str, int]:
    """Return in how many trials each of the methods has a run with a value in a column; only those that have any."""
    if column not in runs:
        return {}
    counts = runs[runs[column] == value].drop_duplicates(["method", "trial"])["method"].value_counts()
    return {method: int(counts[method]) for method in methods if method in counts}


def of_runs_in(frame: pd.DataFrame, other: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows of gathered results are of runs that another frame has too, (rows,)."""
    runs, others = (pd.MultiIndex.from_frame(rows[RUN_KEYS]) for rows in (frame, other))
    return np.asarray(runs.isin(others))


def cell_by_row(frame: pd.DataFrame) -> list[Cell]:
    """Return the cell of each row of gathered results."""
    return [Cell(*parts) for parts in frame[CELL_KEYS].itertuples(index=False)]


def cells_in(frame: pd.DataFrame) -> list[Cell]:
    """Return the cells of gathered results, each once, in order of appearance."""
    return cell_by_row(frame[CELL_KEYS].drop_duplicates())


def in_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell among gathered results."""
    return frame[np.logical_and.reduce([frame[column] == value for column, value in vars(cell).items()])]
