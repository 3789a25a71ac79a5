"""Two results of the same cells and methods, trial by trial: how far apart they are, and whether that may be noise.

Trials are paired, as they share Original, split and batches. Intervals are those of `benchmark.metrics.bootstrap`, the
noise is that between two Retrains of as many trials (`benchmark.metrics.gaps.floor_of`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Floats, Indices, estimate
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS, floor_of
from benchmark.names import KEYS, RETRAIN

AVERAGE, COST = "avg_gap", "pflops"
NUMBERS = ["trials", "first", "second", "difference", "low", "high", "noise_floor", "differs"]
COLUMNS = [*CELL, "method", "column", *NUMBERS]
COUNTED = 1e-9  # relative: computation is counted, not measured


def differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return how far the second of two results lies above the first, over the trials that both have: `COLUMNS`.

    There is a row for each cell, method and ``column``: the four metrics and the average gap, in per cent and points;
    ``pflops``, whose difference is in per cent of the first; and ``diverged``, in how many trials training did, where
    it did. Trials in which either side diverged count for nothing else. ``low, high`` is the 95 % interval of the
    difference. ``differs`` says that it excludes 0 and the difference exceeds ``noise_floor``; of computation and of
    diverged trials, that they are not equal.

    Parameters
    ----------
    first, second : a row a run and cell, as `benchmark.results.measured` has them. The average gap is taken to the
        side's own Retrain or, where it has none, to the other side's.
    """
    rows: list[dict[str, Any]] = []
    results = [frame.set_index(KEYS).sort_index() for frame in (first, second)]
    common = results[0].index.intersection(results[1].index)
    groups = first[pd.MultiIndex.from_frame(first[KEYS]).isin(common)].groupby([*CELL, "method"], sort=False)
    for (*cell, method), _ in groups:
        labels = dict(zip(CELL, cell, strict=True)) | {"method": method}
        rows += [labels | row for row in _of_method(results[0], results[1], tuple(cell), str(method))]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_method(
    first: pd.DataFrame, second: pd.DataFrame, cell: tuple[str, ...], method: str
) -> Iterator[dict[str, Any]]:
    of_method = [side.loc[(*cell, method)] for side in (first, second)]
    trials = of_method[0].index.intersection(of_method[1].index)
    diverged = [(side.loc[trials, "status"] == DIVERGED).to_numpy() for side in of_method]
    if diverged[0].any() or diverged[1].any():
        yield _exact(DIVERGED, len(trials), *(float(side.sum()) for side in diverged))
    trials = trials[~(diverged[0] | diverged[1])]
    if not len(trials):
        return
    first_rows, second_rows = (side.loc[trials] for side in of_method)
    retrains = [_retrain(side, cell) for side in (first, second)]
    references = [second_rows if retrain is None else retrain for retrain, second_rows in (retrains, retrains[::-1])]
    first_values, second_values = (side[METRICS].to_numpy(dtype=float) for side in (first_rows, second_rows))
    retrain_values = references[0].to_numpy(dtype=float) if references[0] is not None else np.empty((0, len(METRICS)))
    for index, metric in enumerate(METRICS):
        floor = floor_of(retrain_values[:, [index]], len(trials))
        yield _row(metric, (first_values[:, [index]], second_values[:, [index]]), (None, None), floor)
    if method != RETRAIN and all(retrain is not None and trials.isin(retrain.index).all() for retrain in references):
        gap_references = tuple(retrain.loc[trials].to_numpy(dtype=float) for retrain in references if retrain is not None)
        yield _row(AVERAGE, (first_values, second_values), gap_references, floor_of(retrain_values, len(trials)))
    yield _exact(COST, len(trials), float(first_rows[COST].mean()), float(second_rows[COST].mean()))


def _retrain(side: pd.DataFrame, cell: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the metrics of Retrain's trials in a cell that did not diverge; None without any."""
    if (*cell, RETRAIN) not in side.index.droplevel("trial"):
        return None
    runs = side.loc[(*cell, RETRAIN)]
    runs = runs.loc[runs["status"] != DIVERGED, METRICS]
    return runs if len(runs) else None


def _row(column: str, values: tuple[Floats, Floats], references: tuple[Any, ...], floor: float) -> dict[str, Any]:
    """Return the difference of two means over trials (n, columns), or of their average gaps to the references'."""
    trials = len(values[0])

    def level(place: int, drawn: Indices) -> Floats:
        means = values[place][drawn].mean(axis=1)
        if references[place] is not None:
            means = np.abs(means - references[place][drawn].mean(axis=1))
        return np.asarray(means.mean(axis=1))

    result = estimate(lambda drawn: level(1, drawn) - level(0, drawn), trials)
    ends = {"low": result.low, "high": result.high, "noise_floor": floor}
    beyond = (result.low > 0 or result.high < 0) and not abs(result.value) <= floor
    first, second = (float(level(place, np.arange(trials)[None])[0]) for place in (0, 1))
    given = {"column": column, "trials": trials, "first": first, "second": second, "difference": result.value}
    return given | ends | {"differs": bool(beyond)}


def _exact(column: str, trials: int, first: float, second: float) -> dict[str, Any]:
    """Return the difference of two numbers that no draw of trials moves: of computation in per cent."""
    apart = abs(second - first) > COUNTED * max(abs(first), abs(second))
    relative = 100 * (second / first - 1) if first else np.inf if second else 0.0
    difference = (relative if apart else 0.0) if column == COST else second - first
    none = dict.fromkeys(("low", "high", "noise_floor"), np.nan)
    given = {"column": column, "trials": trials, "first": first, "second": second, "difference": difference}
    return given | none | {"differs": apart}


def identical(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series[bool]:
    """Return of each run and cell that both have, by `KEYS`, whether all of its numbers are equal to the last digit.

    Where both sides know the digest of what a run says of its samples (``samples``), these are equal too.
    """
    sides = [frame.set_index(KEYS).sort_index() for frame in (first, second)]
    common = sides[0].index.intersection(sides[1].index)
    mine, other = (side.loc[common] for side in sides)
    columns = [*METRICS, COST, "pflops_executed"]
    equal = ((mine[columns] == other[columns]) | (mine[columns].isna() & other[columns].isna())).all(axis=1)
    known = mine["samples"].notna() & other["samples"].notna()
    return equal & (mine["status"] == other["status"]) & (~known | (mine["samples"] == other["samples"]))
