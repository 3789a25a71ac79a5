"""What a perfect unlearner scores: Retrain in its place, against the Retrains of other trials.

Two models of one sample that were never trained on it are Retrains of two trials that forgot it. Where a number is of
single models, each trial's Retrain is compared with that of every other trial. Where it is of many models a side, the
trials are split in halves at random, several times over, and the Retrains of one half stand for the unlearned models;
KLoM and F, which fall with the number of models even if both sides are alike, are taken of halves for a method too.
The Retrains of two trials differ in what they retained as well, which those of one trial would not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.likelihood import Attack, against
from benchmark.metrics.samplewise.margins import Floats, Mask

SPLITS = 8
SEED = 20_253

# Of the rows that stand for either side: a number.
Statistic = Callable[[Indices, Indices], float]


def halves(trials: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of halves of the trials, in an order at random; of an odd number, one trial is in neither."""
    rng = np.random.default_rng(SEED)
    half = trials // 2
    for _ in range(SPLITS):
        order = rng.permutation(trials)
        yield order[:half], order[half : 2 * half]


def with_others(compare: Callable[[Indices, Indices], Floats], trials: int) -> Floats:
    """Return the mean of a comparison of each trial's Retrain with every other trial's, (trials,).

    ``compare`` takes the two sides' trials, (trials,) each, and returns a number for each pair.
    """
    each = np.arange(trials)
    return nan_mean([compare(np.roll(each, shift), each) for shift in range(1, trials)], trials)


def efficacy_of_retrain(retrain: Floats, forgotten: Mask) -> Attack:
    """Return the null of `efficacy`: an attack on the Retrains of one half of the trials, against those of the other.

    A trial's number is the mean over the pairs that it was judged in, on the samples that both forgot.
    """
    margin = np.where(forgotten, retrain, np.nan)
    rows: list[list[Floats]] = [[], [], []]
    for first, second in halves(len(margin)):
        for values, of_pairs in zip(rows, against(margin[first], margin[second]), strict=True):
            row = np.full(len(margin), np.nan)
            row[first] = row[second] = of_pairs
            values.append(row)
    return Attack(*(nan_mean(values, len(margin)) for values in rows))


def halved(statistic: Statistic, trials: int) -> Floats:
    """Return what each trial contributes to the mean of a statistic of two halves over splits of them, (trials,)."""
    splits = list(halves(trials))

    def of(kept: Indices) -> float:
        return float(np.mean([statistic(a[np.isin(a, kept)], b[np.isin(b, kept)]) for a, b in splits]))

    return contributions(of, trials)


def contributions(statistic: Callable[[Indices], float], trials: int) -> Floats:
    """Return what each trial contributes to a statistic of all of them: numbers whose mean is its value, (trials,).

    They are the jackknife's: leaving a trial out changes the statistic by so much (Efron and Tibshirani 1993, chapter
    11). Of a mean they are the values themselves; otherwise the interval of their mean is the jackknife's.
    """
    each = np.arange(trials)
    if trials < 2:
        return np.array([statistic(each)] * trials)
    without = np.array([statistic(np.delete(each, trial)) for trial in each])
    return np.asarray(statistic(each) + (trials - 1) * (without.mean() - without))


def average_gap(metrics: Floats, reference: Floats) -> Floats:
    """Return what each trial contributes to the average gap of the means of (trials, 4) metrics, in points."""
    return contributions(lambda kept: _gap(metrics[kept], reference[kept]), len(metrics))


def average_gap_of_retrain(metrics: Floats) -> Floats:
    """Return the null of `average_gap`: of single trials, scaled to what means over all of them would be apart."""
    apart = with_others(lambda one, other: np.abs(metrics[one] - metrics[other]).mean(axis=1), len(metrics))
    return np.asarray(apart / np.sqrt(len(metrics)))


def nan_mean(rows: list[Floats], trials: int) -> Floats:
    """Return the mean over rows of the numbers that there are, (trials,); NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(rows, axis=0)) if rows else np.full(trials, np.nan)


def _gap(metrics: Floats, reference: Floats) -> float:
    return float(np.abs(metrics.mean(axis=0) - reference.mean(axis=0)).mean())
