"""What a perfect unlearner scores: Retrain in its place, against the Retrains of other trials.

Two models of one sample that were never trained on it are Retrains of two trials that forgot it. Where a number is of
single models, each trial's Retrain is compared with that of every other trial. Where it is of many models a side, the
trials are split in halves at random, several times over, and the Retrains of one half stand for the unlearned models;
KLoM and F, which fall with the number of models even if both sides are alike, are taken of halves for a method too.
The Retrains of two trials differ in what they retained as well, which those of one trial would not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.likelihood import Attack, against
from benchmark.metrics.samplewise.margins import Floats, Mask
from benchmark.metrics.samplewise.resampling import contributions, over_pairs

SPLITS = 8
SEED = 20_253


def halves(trials: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield pairs of halves of the trials, in an order at random; of an odd number, one trial is in neither."""
    rng = np.random.default_rng(SEED)
    half = trials // 2
    for _ in range(SPLITS):
        order = rng.permutation(trials)
        yield order[:half], order[half : 2 * half]


def halved(statistic: Callable[[Indices, Indices], float], trials: int) -> Floats:
    """Return what each trial contributes to the mean of a statistic of two halves over splits of them, (trials,)."""
    splits = list(halves(trials))

    def of(kept: Indices) -> float:
        return float(np.mean([statistic(a[np.isin(a, kept)], b[np.isin(b, kept)]) for a, b in splits]))

    return contributions(of, trials)


def efficacy_of_retrain(retrain: Floats, forgotten: Mask) -> Attack:
    """Return the null of `efficacy`: an attack on the Retrains of one half of the trials, against those of the other.

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
    """Return what each trial contributes to the average gap of the means of (trials, 4) metrics, in points."""
    return contributions(
        lambda kept: float(np.abs(metrics[kept].mean(axis=0) - reference[kept].mean(axis=0)).mean()), len(metrics)
    )


def average_gap_of_retrain(metrics: Floats) -> Floats:
    """Return the null of `average_gap`: of single trials, scaled to what means over all of them would be apart."""
    trials = len(metrics)
    shifted = [np.roll(metrics, shift, axis=0) for shift in range(1, trials)]
    apart = [np.abs(metrics - other).mean(axis=1) for other in shifted]
    return np.asarray(over_pairs(apart) / np.sqrt(trials)) if apart else np.full(trials, np.nan)
