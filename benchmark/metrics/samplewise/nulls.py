"""What a perfect unlearner scores: Retrain in its place, against the Retrains of other trials.

The Retrains of two trials that forgot a sample are two models never trained on it. An audit of single models compares
each trial's Retrain with that of every other trial. For an audit of many models per side, the trials are halved at
random, several times, and the Retrains of one half stand for the unlearned models. KLoM and F, which fall with the
number of models even if both sides are alike, are computed on halves for a method too. The Retrains of two trials also
differ in what they retained, which those of one trial would not.

The mean of a null is right. Its spread is too small where Retrains judge one another, since what raises one of them
lowers another: in simulations an independent perfect unlearner varies up to twice as much in `efficacy`, up to three
times as much in RMIA, and 4 to 20 times as much in the calibrated AUC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.likelihood import Attack, against
from benchmark.metrics.samplewise.margins import Floats, Mask
from benchmark.metrics.samplewise.resampling import contributions, over_pairs

HALVINGS = 8
SEED = 20_253


def halves(trials: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of random halves of the trials; of an odd number, one trial is in neither half."""
    rng = np.random.default_rng(SEED)
    half = trials // 2
    for _ in range(HALVINGS):
        order = rng.permutation(trials)
        yield order[:half], order[half : 2 * half]


def halved(statistic: Callable[[Indices, Indices], float], trials: int) -> Floats:
    """Return what each trial contributes to the mean of a statistic of two halves over random halvings, (trials,)."""
    pairs = list(halves(trials))

    def mean_over(remaining: Indices) -> float:
        return float(np.mean([statistic(*(half[np.isin(half, remaining)] for half in pair)) for pair in pairs]))

    return contributions(mean_over, trials)


def efficacy_of_retrain(retrain: Floats, forgotten: Mask) -> Attack:
    """Return the null of `efficacy`: an attack on the Retrains of one half of the trials against those of the other.

    A pair is judged on the samples that both of its trials forgot.
    """
    margin = np.where(forgotten, retrain, np.nan)
    rates: tuple[list[Floats], ...] = ([], [], [])
    for first, second in halves(len(margin)):
        for rows, rate in zip(rates, against(margin[first], margin[second]), strict=True):
            row = np.full(len(margin), np.nan)
            row[first] = row[second] = rate
            rows.append(row)
    return Attack(*map(over_pairs, rates))


def average_gap(metrics: Floats, reference: Floats) -> Floats:
    """Return what each trial contributes to the average gap between means of metrics, (trials, 4), in points."""

    def gap(trials: Indices) -> float:
        return float(np.abs(metrics[trials].mean(axis=0) - reference[trials].mean(axis=0)).mean())

    return contributions(gap, len(metrics))


def average_gap_of_retrain(metrics: Floats) -> Floats:
    """Return the null of `average_gap`: gaps between single trials, scaled to those between means over all trials."""
    trials = len(metrics)
    shifted = [np.roll(metrics, shift, axis=0) for shift in range(1, trials)]
    gaps = [np.abs(metrics - other).mean(axis=1) for other in shifted]
    return np.asarray(over_pairs(gaps) / np.sqrt(trials)) if gaps else np.full(trials, np.nan)
