"""How certain a number from a few trials is: intervals, corrected p-values, and how many trials a difference needs.

Trials are drawn with replacement, Retrain's with the others, and each draw gives a value of the statistic. With few
trials, percentile intervals are too narrow (Hesterberg 2015, "What teachers should know about the bootstrap", section
4.3), so an interval is computed from the draws' variance times n / (n - 1) and Student's quantiles. For a plain mean it
is Student's interval: exactly so up to 6 trials, since all draws are taken, and within about one per cent beyond.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Statistic = Callable[[Indices], Floats]

# Written here because scipy.stats' interval differs in the last bit, and committed tables must not change; statsmodels'
# power fails for large differences, and its Holm, with equal results, takes as long as all the drawing for a table.
LEVEL, POWER = 0.95, 0.8
CONFIDENCE = 0.8  # that a standard deviation is below the end of its interval
TINY = 1e-9  # a smaller spread is that of rounding errors
DRAWS = 50_000  # at most: 6 trials have 46,656, which are all taken
SEED = 20_251
MOST_TRIALS = 1000


@dataclass(frozen=True)
class Estimate:
    """A statistic of trials with its 95 % interval and the two-sided p-value of a true value of 0.

    Interval and p-value are NaN for one trial, for several that are equal and not 0, and where some draw has no value.
    ``sd`` is the standard deviation of a single trial's contribution: the standard error times the root of ``trials``;
    NaN for one trial and where some draw has no value.
    """

    value: float
    low: float
    high: float
    p: float
    sd: float
    trials: int


def draws(trials: int) -> Indices:
    """Return resamples of trials, (draws, trials): all of them if they are at most `DRAWS`, else random ones."""
    if trials**trials <= DRAWS:
        return np.array(list(itertools.product(range(trials), repeat=trials)), dtype=np.int64)
    return np.random.default_rng(SEED).integers(trials, size=(DRAWS, trials))


def estimate(statistic: Statistic, trials: int) -> Estimate:
    """Return the estimate of a statistic: a function from draws of trials, (draws, trials), to values (draws,)."""
    value = float(statistic(np.arange(trials)[None])[0])
    if trials < 2 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, math.nan, math.nan, trials)
    error = float(statistic(draws(trials)).std()) * math.sqrt(trials / (trials - 1))
    half = quantile(trials - 1) * error
    deviation = error * math.sqrt(trials)
    if error < TINY:
        # Equal trials do not show how much others may differ.
        value = value if abs(value) > TINY else 0.0
        end, p = (math.nan, math.nan) if value else (0.0, 1.0)
        return Estimate(value, end, end, p, 0.0, trials)
    p = 2 * float(special.stdtr(trials - 1, -abs(value) / error))
    return Estimate(value, value - half, value + half, p, deviation, trials)


def quantile(df: int) -> float:
    """Return Student's quantile: how many standard errors on both sides hold the true value in 95 % of cases."""
    return float(special.stdtrit(df, (1 + LEVEL) / 2))


def mean_interval(values: npt.ArrayLike) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean of values (n,); NaN for fewer than two."""
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2:
        return math.nan, math.nan
    half = quantile(len(sample) - 1) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return float(sample.mean()) - half, float(sample.mean()) + half


def welch_interval(
    difference: Floats, sds: tuple[Floats, Floats], trials: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Return the ends of Welch's 95 % intervals of differences (n,) of two means, whose variances may be unequal.

    ``sds`` and ``trials`` are standard deviations and numbers of trials, (n,), for each of the two means. An interval
    is NaN if a mean is of one trial, and a point if neither varies (Welch 1947).
    """
    errors = [sd**2 / count for sd, count in zip(sds, trials, strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = sum(error**2 / (count - 1) for error, count in zip(errors, trials, strict=True))
        half = special.stdtrit(sum(errors) ** 2 / shares, (1 + LEVEL) / 2) * np.sqrt(sum(errors))
    half = np.where(sum(errors) == 0, 0.0, half)
    return difference - half, difference + half


def holm(p: npt.ArrayLike) -> Floats:
    """Return p-values (n,) corrected for multiple tests (Holm 1979); NaN stay NaN and do not count."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)  # NaN come last
    factors = np.isfinite(values).sum() - np.arange(len(values))
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(np.minimum(1.0, factors * values[order]))
    return corrected


def sd_upper(sd: float, trials: int) -> float:
    """Return the upper end of the one-sided 80 % interval of a standard deviation ``sd`` of ``trials`` values.

    A study planned with it has its power in four cases of five; planned with ``sd`` itself, in about half of them
    (Browne 1995, "On the use of a pilot sample for sample size determination").
    """
    return sd * math.sqrt((trials - 1) / float(special.chdtri(trials - 1, CONFIDENCE)))


def trials_needed(difference: float, sd: float, most: int = MOST_TRIALS) -> int:
    """Return how many trials show a paired difference, not 0, of per-trial standard deviation ``sd``; at most ``most``.

    That is the smallest n at which the two-sided one-sample t test detects it with a power of 0.8 (Cohen 1988, section
    2.5; Chow, Shao, Wang 2008, section 3.1). The power is that of t squared, noncentral F with one numerator degree of
    freedom, since the far tail of noncentral t is not computed reliably.
    """
    if sd == 0:
        return 2
    for n in range(2, most):
        missed = special.ncfdtr(1, n - 1, n * (difference / sd) ** 2, quantile(n - 1) ** 2)
        if 1 - float(missed) >= POWER:
            return n
    return most
