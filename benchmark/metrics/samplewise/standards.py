"""How good the metrics are: does a metric detect Original, how large is its noise, and is its ranking stable?

All is computed from what `benchmark.metrics.samplewise.battery.by_trial` returns. A method's *distance* is that of its
mean over trials from what a perfect unlearner reads: the audit's ideal or, without one, the mean of its null. Methods
are ranked by distance. Original does not count as a method: it is what a metric must detect.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from benchmark.metrics.bootstrap import LEVEL, TINY, draws, holm, mean_interval
from benchmark.metrics.samplewise.built_in_audits import ideal
from benchmark.metrics.samplewise.margins import Floats, auc
from benchmark.metrics.samplewise.resampling import nan_mean
from benchmark.names import CELL_KEYS, ORIGINAL


def standards(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a row per cell and metric, over the trials that all of its methods have; refused metrics have none.

    Columns ``dataset, arch, scenario, audit``; ``trials`` and ``methods``, how many; ``faithfulness``, the AUC between
    the distances of Originals and of Retrains, in single pairs where the metric compares two models (Dorna et al. 2025,
    OpenUnlearning); ``null_distance``, the largest distance within the null's 95 % interval; ``apart``, the per cent of
    pairs of methods that the metric tells apart (paired t tests over trials, corrected by Holm's method);
    ``stability``, the mean of Kendall's tau between the ranking and those of resampled trials; ``best_stays``, the per
    cent of these that have the same best method.
    """
    rows = []
    for cell, audit, perfect, group in _metrics(trials):
        values = _by_method(group)
        null = _null(group).dropna().to_numpy()
        original = group.loc[group["method"] == ORIGINAL, "value"].dropna().to_numpy()
        # Earlier versions gathered no pairs.
        pair = _null(group, "pair").dropna().to_numpy() if "pair" in group else null[:0]
        faithfulness = auc(np.abs(original - perfect), np.abs(pair - perfect))
        null_distance = np.abs(np.array(mean_interval(null)) - perfect).max()
        counts = values.shape[1], len(values)
        verdicts = told_apart(values.to_numpy()), *ranking_stability(values.to_numpy(), perfect)
        rows.append([*cell, audit, *counts, faithfulness, null_distance, *verdicts])
    names = ["trials", "methods", "faithfulness", "null_distance", "apart", "stability", "best_stays"]
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "audit", *names])


def rank_correlations(trials: pd.DataFrame) -> pd.DataFrame:
    """Return Kendall's tau-b between the rankings of every two metrics of a cell.

    Columns ``dataset, arch, scenario, audit, other, tau``.
    """
    distances: dict[tuple[str, ...], dict[str, pd.Series[float]]] = {}
    for cell, audit, perfect, group in _metrics(trials):
        distances.setdefault(cell, {})[audit] = (_by_method(group).mean(axis=1) - perfect).abs()
    rows = [
        [*cell, first, second, float(kendall(*metrics[first].align(metrics[second], join="inner")))]
        for cell, metrics in distances.items()
        for first, second in itertools.combinations(metrics, 2)
    ]
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "audit", "other", "tau"])


def ranking_stability(values: Floats, perfect: float) -> tuple[float, float]:
    """Return the mean tau between the ranking of (methods, trials) values and those of resamples, and best_stays."""
    methods, trials = values.shape
    if methods < 2 or trials < 2:
        return np.nan, np.nan
    distances = np.abs(values.mean(axis=1) - perfect)
    resampled_distances = np.abs(values[:, draws(trials)].mean(axis=2) - perfect)
    same_best = resampled_distances.argmin(axis=0) == distances.argmin()
    return float(nan_mean(kendall(distances, resampled_distances.T))), float(100 * np.mean(same_best))


def told_apart(values: Floats) -> float:
    """Return the per cent of pairs of methods whose (methods, trials) values paired t tests tell apart.

    The tests are at 5 %, after Holm's correction over all pairs. With one trial or one method it is NaN.
    """
    pairs = list(itertools.combinations(values, 2))
    trials = values.shape[1]
    if not pairs or trials < 2:
        return np.nan
    differences = np.array([first - second for first, second in pairs])
    error = differences.std(axis=1, ddof=1) / np.sqrt(trials)
    error[error < TINY] = np.nan  # equal differences do not show how much others may differ
    p = 2 * special.stdtr(trials - 1, -np.abs(differences.mean(axis=1) / error))
    return float(100 * np.mean(holm(p) < 1 - LEVEL))


def kendall(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return Kendall's tau-b of rankings, each (..., methods): NaN where either is all ties."""
    pairs = np.triu_indices(np.shape(first)[-1], 1)
    rankings = map(np.asarray, (first, second))
    signs = [np.sign(ranking[..., pairs[0]] - ranking[..., pairs[1]]) for ranking in rankings]
    with np.errstate(invalid="ignore"):
        untied = np.sqrt((signs[0] ** 2).sum(axis=-1) * (signs[1] ** 2).sum(axis=-1))
        return np.asarray((signs[0] * signs[1]).sum(axis=-1) / untied)


def _metrics(trials: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str, float, pd.DataFrame]]:
    """Yield each cell and metric with its ideal and rows, where methods have numbers and the ideal is known."""
    for names, group in trials.groupby([*CELL_KEYS, "audit"], sort=False):
        *cell, audit = names
        perfect = ideal(audit, float(_null(group).mean()), cell[-1])
        if np.isfinite(perfect) and not _by_method(group).empty:
            yield tuple(cell), audit, perfect, group


def _null(group: pd.DataFrame, column: str = "null") -> pd.Series[float]:
    """Return a null by trial, of the first method with the most trials: methods with fewer have another."""
    return group.loc[group["method"] == group.groupby("method", sort=False).size().idxmax(), column]


def _by_method(group: pd.DataFrame) -> pd.DataFrame:
    """Return the values of all methods but Original, (methods, trials), over the trials that all have."""
    methods = group[group["method"] != ORIGINAL]
    return methods.pivot(index="method", columns="trial", values="value").dropna(how="all").dropna(axis="columns")
