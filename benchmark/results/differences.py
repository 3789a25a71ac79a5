"""Compare two results of the same cells and methods, trial by trial: how far apart they are, and whether it is noise.

Trials are paired, since they share Original, split and batches. Intervals come from `benchmark.metrics.bootstrap`; the
noise is that between two Retrains of as many trials (`benchmark.metrics.gaps.floor_of`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Floats, Indices, estimate
from benchmark.metrics.evidence import of_runs_in
from benchmark.metrics.gaps import floor_of
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, RETRAIN, RUN_KEYS

AVERAGE, COST = "avg_gap", "pflops"
NUMBERS = ["trials", "first", "second", "difference", "low", "high", "noise_floor", "differs"]
COLUMNS = [*CELL_KEYS, "method", "column", *NUMBERS]
COUNTED = 1e-9  # relative: computation is counted, not measured


def differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return how far the second of two results lies above the first, over the trials that both have: `COLUMNS`.

    There is a row for each cell, method and ``column``: the four metrics and the average gap, in per cent and points;
    ``pflops``, whose difference is in per cent of the first, NaN if either is unknown; and ``diverged``, the number of
    trials that diverged, if any. A trial that diverged on either side counts for no other row. ``low, high`` is the
    95 % interval of the difference. ``differs`` says that it excludes 0 and that the difference exceeds
    ``noise_floor``; for computation and diverged trials, that the sides are known and not equal.

    Both have a row per run and cell, as in `benchmark.results.measured`. The average gap is to the side's own Retrain
    or, without one, to the other side's, over the trials that these have too.
    """
    rows: list[tuple[Any, ...]] = []
    sides = [frame.set_index(RUN_KEYS).sort_index() for frame in (first, second)]
    for (*cell, method), _ in first[of_runs_in(first, second)].groupby([*CELL_KEYS, "method"], sort=False):
        rows += [(*cell, method, *row) for row in _of_method(sides[0], sides[1], tuple(cell), str(method))]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_method(
    first: pd.DataFrame, second: pd.DataFrame, cell: tuple[str, ...], method: str
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a method, each with a column's name and its `NUMBERS`."""
    runs = [side.loc[(*cell, method)] for side in (first, second)]
    trials = runs[0].index.intersection(runs[1].index)
    diverged = [(rows.loc[trials, "status"] == DIVERGED).to_numpy() for rows in runs]
    if diverged[0].any() or diverged[1].any():
        yield _exact(DIVERGED, len(trials), *(float(mask.sum()) for mask in diverged))
    trials = trials[~(diverged[0] | diverged[1])]
    if not len(trials):
        return
    first_rows, second_rows = (rows.loc[trials] for rows in runs)
    retrains = [_retrain(side, cell) for side in (first, second)]
    here, there = (other if retrain is None else retrain for retrain, other in (retrains, retrains[::-1]))
    first_values, second_values = (rows[METRICS].to_numpy(dtype=float) for rows in (first_rows, second_rows))
    retrain_values = here.to_numpy(dtype=float) if here is not None else np.empty((0, len(METRICS)))
    for index, metric in enumerate(METRICS):
        floor = floor_of(retrain_values[:, [index]], len(trials))
        yield _row(metric, (first_values[:, [index]], second_values[:, [index]]), (None, None), floor)
    if method != RETRAIN and here is not None and there is not None:
        shared = trials.isin(here.index) & trials.isin(there.index)
        if shared.any():
            paired = tuple(retrain.loc[trials[shared]].to_numpy(dtype=float) for retrain in (here, there))
            values = first_values[shared], second_values[shared]
            yield _row(AVERAGE, values, paired, floor_of(retrain_values, int(shared.sum())))
    yield _exact(COST, len(trials), float(first_rows[COST].mean()), float(second_rows[COST].mean()))


def _retrain(side: pd.DataFrame, cell: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the metrics of a cell's Retrain trials that did not diverge; None if there are none."""
    if (*cell, RETRAIN) not in side.index.droplevel("trial"):
        return None
    runs = side.loc[(*cell, RETRAIN)]
    runs = runs.loc[runs["status"] != DIVERGED, METRICS]
    return runs if len(runs) else None


def _row(column: str, values: tuple[Floats, Floats], references: tuple[Any, ...], floor: float) -> tuple[Any, ...]:
    """Return the difference of two means over trials, (n, columns), or of their average gaps to the references."""
    trials = len(values[0])

    def level(side: int, drawn: Indices) -> Floats:
        means = values[side][drawn].mean(axis=1)
        if references[side] is not None:
            means = np.abs(means - references[side][drawn].mean(axis=1))
        return np.asarray(means.mean(axis=1))

    result = estimate(lambda drawn: level(1, drawn) - level(0, drawn), trials)
    # Equal in every trial, a difference has no interval, and no doubt.
    certain = result.sd == 0 and result.value != 0
    beyond = (result.low > 0 or result.high < 0 or certain) and not abs(result.value) <= floor
    first, second = (float(level(side, np.arange(trials)[None])[0]) for side in (0, 1))
    return column, trials, first, second, result.value, result.low, result.high, floor, bool(beyond)


def _exact(column: str, trials: int, first: float, second: float) -> tuple[Any, ...]:
    """Return the difference of two exact numbers, which has no interval; that of computation is in per cent."""
    difference = second - first
    unequal = abs(difference) > COUNTED * max(abs(first), abs(second))  # not if one is NaN, as of predictions
    if column == COST and not np.isnan(difference):
        relative = 100 * (second / first - 1) if first else np.inf
        difference = relative if unequal else 0.0
    return column, trials, first, second, difference, np.nan, np.nan, np.nan, unequal


def identical(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series[bool]:
    """Return for each run and cell that both have, by `RUN_KEYS`, whether all numbers are equal to the last digit.

    Where both sides have the digest of a run's outputs on its samples (``samples``), these must be equal too.
    """
    sides = [frame.set_index(RUN_KEYS).sort_index() for frame in (first, second)]
    common = sides[0].index.intersection(sides[1].index)
    first, second = (side.loc[common] for side in sides)
    columns = [*METRICS, COST, "pflops_executed"]
    equal = ((first[columns] == second[columns]) | (first[columns].isna() & second[columns].isna())).all(axis=1)
    have_digests = first["samples"].notna() & second["samples"].notna()
    return equal & (first["status"] == second["status"]) & (~have_digests | (first["samples"] == second["samples"]))
