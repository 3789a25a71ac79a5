"""What each trial contributes to a number, so that the number's interval is that of a mean over trials.

The numbers of single trials are not independent where each is judged by the others: their interval contains the true
value of an attack in 65 to 85 % of cases instead of 95 %. The jackknife leaves a trial out of everything.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats


def jackknife(value: float, leave_one_out: npt.ArrayLike) -> Floats:
    """Return numbers whose mean is a statistic of all trials and whose spread is that of the jackknife, (trials,).

    ``leave_one_out`` is the statistic without each trial, (trials,) (Efron and Tibshirani 1993, chapter 11). For a mean
    the numbers are its values. Where no spread is known they are those of `without_spread`.
    """
    leave_one_out = np.asarray(leave_one_out, dtype=float)
    if len(leave_one_out) < 2 or np.isnan(leave_one_out).any():
        return without_spread(value, len(leave_one_out))
    return np.asarray(value + (len(leave_one_out) - 1) * (leave_one_out.mean() - leave_one_out))


def without_spread(value: float, trials: int) -> Floats:
    """Return ``value`` and, for the other trials, NaN: numbers whose mean is known, and whose spread is not."""
    return np.array([value] + [np.nan] * (trials - 1))


def contributions(statistic: Callable[[Indices], float], trials: int) -> Floats:
    """Return the `jackknife` of a function of the trials that remain."""
    leave_one_out = [statistic(others) for others in other_trials(trials)] if trials > 1 else [np.nan]
    return jackknife(statistic(np.arange(trials)), leave_one_out)


def other_trials(trials: int) -> list[Indices]:
    """Return for each of so many trials the numbers of the others."""
    numbers = np.arange(trials)
    return [np.delete(numbers, trial) for trial in numbers]


def over_pairs(by_pair: list[Floats]) -> Floats:
    """Return the `jackknife` of a mean over pairs of trials; in each row a trial has its pair's number, or NaN.

    Since every number depends on two trials, a trial's deviation counts about twice: 2 (n - 1) / (n - 2) times.
    """
    by_trial = nan_mean(by_pair)
    trials, mean = len(by_trial), float(nan_mean(by_trial))
    if trials < 3 or np.isnan(by_trial).sum() > trials / 2:  # the spread of one or two pairs says nothing
        return without_spread(mean, trials)
    return np.asarray(mean + 2 * (trials - 1) / (trials - 2) * (by_trial - mean))


def nan_mean(values: npt.ArrayLike) -> Floats:
    """Return the mean along the first axis, ignoring NaN; NaN where there is nothing else."""
    present = ~np.isnan(np.asarray(values, dtype=float))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, values, 0).sum(axis=0) / present.sum(axis=0))
