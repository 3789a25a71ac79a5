"""How sure a number is that a few trials gave: intervals, corrected p-values, and how many trials a difference needs.

Trials are drawn together, with replacement: what is computed from them (a gap to Retrain, the smallest of several, a
difference of two) is computed anew from each draw, Retrain's trials included. Of few trials the percentiles of such
draws are too narrow (Hesterberg 2015, "What teachers should know about the bootstrap", section 4.3), so it is the
spread of the draws that is used, widened by n / (n - 1) and with Student's quantiles: of a plain mean this *is*
Student's interval.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

LEVEL = 0.95
DRAWS = 4000  # where not all of them can be taken: 5 trials have 3,125
SEED = 20_251


@dataclass(frozen=True)
class Estimate:
    """A statistic of trials with its interval.

    Attributes
    ----------
    value : from all trials.
    low, high : the 95 % interval; NaN for one trial.
    p : two-sided, of the true value being 0; NaN for one trial.
    trials : how many.
    """

    value: float
    low: float
    high: float
    p: float
    trials: int


def draws(trials: int) -> Indices:
    """Return resamples of trials, (draws, trials): all of them where there are no more than `DRAWS`, else random."""
    if trials**trials <= DRAWS:
        return np.array(list(itertools.product(range(trials), repeat=trials)), dtype=np.int64)
    return np.random.default_rng(SEED).integers(trials, size=(DRAWS, trials))


def estimate(statistic: Callable[[Indices], float], trials: int) -> Estimate:
    """Return a statistic with its interval.

    Parameters
    ----------
    statistic : of the trials with these numbers, (trials,), some of which may be there several times.
    trials : how many there are.
    """
    value = float(statistic(np.arange(trials)))
    if trials < 2 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, math.nan, trials)
    found = np.array([statistic(drawn) for drawn in draws(trials)])
    error = float(found.std()) * math.sqrt(trials / (trials - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, trials - 1)) * error
    if error == 0:
        return Estimate(value, value, value, 0.0 if value else 1.0, trials)
    p = 2 * float(stats.t.sf(abs(value) / error, trials - 1))
    return Estimate(value, value - half, value + half, p, trials)


def mean_interval(values: npt.ArrayLike) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of values (n,); NaN for fewer than two."""
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(sample) - 1)) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return float(sample.mean()) - half, float(sample.mean()) + half


def holm(p: npt.ArrayLike) -> Floats:
    """Return p-values (n,) corrected for there being several (Holm 1979); NaN stay NaN and do not count."""
    given = np.asarray(p, dtype=float)
    out = np.full(given.shape, np.nan)
    order = [i for i in np.argsort(given, kind="stable") if np.isfinite(given[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(given[i])))
        out[i] = largest
    return out


def trials_needed(difference: float, sd: float, power: float = 0.8, level: float = LEVEL, most: int = 10_000) -> int:
    """Return how many trials show a paired difference: the smallest n at which a t test finds it with ``power``.

    The power is that of the two-sided one-sample t test on per-trial differences, from the noncentral t distribution
    (Cohen 1988, section 2.5; Chow, Shao, Wang 2008, section 3.1).

    Parameters
    ----------
    difference : the true one, in points; not 0.
    sd : standard deviation of the per-trial differences, in points.
    power : chance of finding it.
    level : 1 - chance of finding one that is not there.
    most : returned where so many do not suffice.
    """
    if sd == 0:
        return 2
    for n in range(2, most):
        df, shift = n - 1, abs(difference) / sd * math.sqrt(n)
        edge = float(stats.t.ppf((1 + level) / 2, df))
        if float(stats.nct.sf(edge, df, shift)) + float(stats.nct.cdf(-edge, df, shift)) >= power:
            return n
    return most
