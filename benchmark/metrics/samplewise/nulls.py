"""What a perfect unlearner scores: Retrain in its place, against the Retrains of other trials.

The Retrains of two trials that forgot a sample are two models never trained on it. An audit of single models compares
each trial's Retrain with that of every other trial. For an audit of many models per side, the trials are halved at
random, several times, and the Retrains of one half stand for the unlearned models. KLoM and F, which fall with the
number of models even if both sides are alike, are computed on halves for a method too. The Retrains of two trials also
differ in what they retained, which those of one trial would not.

A method's models are independent of the Retrains that they are compared with. Retrains that judge one another are not:
what raises one lowers another, and a mean over trials hardly varies. So a null's spread is that of halves, which have
no model in common (`efficacy_by_halving`), or that of single trials (`of_references`), and not that of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from benchmark.metrics.bootstrap import TINY, Indices, estimate
from benchmark.metrics.samplewise.likelihood import Attack, against
from benchmark.metrics.samplewise.margins import Floats, Mask
from benchmark.metrics.samplewise.resampling import contributions, nan_mean, without_spread

HALVINGS = 16
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


def efficacy_by_halving(retrain: Floats, forgotten: Mask) -> Attack:
    """Attack the Retrains of one half of the trials against those of the other, for each halving: (halvings,).

    A pair is judged on the samples that both of its trials forgot. `of_exchanges` makes the null of `efficacy` of it.
    """
    margin = np.where(forgotten, retrain, np.nan)
    rates = [nan_mean(np.transpose(against(margin[first], margin[second]))) for first, second in halves(len(margin))]
    return Attack(*np.transpose(rates))


def of_exchanges(by_halving: Floats, trials: int) -> Floats:
    """Return what trials contribute to a null, (trials,), from a number for each way to halve them, (halvings,).

    Exchanging models between two equal sides shows how much a number of equal sides varies. That of halves has half as
    many pairs as there are trials, and so varies more. No trial is special: the contributions are normal scores.
    """
    present = by_halving[~np.isnan(by_halving)]
    if len(present) <= len(by_halving) / 2:
        return without_spread(float(nan_mean(by_halving)), trials)
    return _spread(float(present.mean()), float(present.std(ddof=1)) * np.sqrt(trials // 2), trials)


def _spread(mean: float, sd: float, trials: int) -> Floats:
    """Return normal scores with a mean and a standard deviation, (trials,)."""
    scores = _normal_scores(trials)
    return np.asarray(mean + sd * scores / scores.std(ddof=1))


def _normal_scores(trials: int) -> Floats:
    """Return equally likely quantiles of the standard normal distribution, (trials,)."""
    return np.asarray(special.ndtri((np.arange(trials) + 0.5) / trials))


def of_references(aucs: Floats) -> Floats:
    """Return what trials contribute to a null, (trials,), where each Retrain is judged by those of the other trials.

    The first row of ``aucs``, (1 + trials, trials), are the AUCs with all references. Each is as of an independent
    model, but their mean hardly varies. If an AUC says how a model differs from the mean of n - 1 others, and v is the
    variance of a model, then the AUCs differ with variance v n^2 / (n - 1)^2. The mean of n independent models judged
    by these n would vary by 2 v / n.
    """
    trials, by_trial = len(aucs[0]), aucs[0]
    mean = float(nan_mean(by_trial))
    if np.isnan(by_trial).any() or trials < 2:
        return without_spread(mean, trials)
    return np.asarray(mean + np.sqrt(2) * (trials - 1) / trials * (by_trial - mean))


def of_difference(retrain: Floats) -> Floats:
    """Return the null of a number minus Retrain's, (trials,): two independent models vary by twice the variance."""
    return np.asarray(np.sqrt(2) * (retrain - retrain.mean()))


def average_gap(metrics: Floats, reference: Floats) -> Floats:
    """Return what each trial contributes to the average gap between means of metrics, (trials, 4), in points.

    The contributions are the jackknife's, spread so that their interval is that of the tables of gaps.
    """

    def gaps(drawn: Indices) -> Floats:
        return np.asarray(np.abs(metrics[drawn].mean(axis=-2) - reference[drawn].mean(axis=-2)).mean(axis=-1))

    by_trial = contributions(lambda trials: float(gaps(trials)), len(metrics))
    sd, mean = estimate(gaps, len(metrics)).sd, by_trial.mean()
    if not sd > TINY:
        return by_trial
    deviations, spread = by_trial - mean, by_trial.std(ddof=1)
    if spread < TINY:  # gaps that are equal without each trial do not say which of them differs
        deviations = _normal_scores(len(by_trial))
        spread = deviations.std(ddof=1)
    return np.asarray(mean + deviations * sd / spread)


def average_gap_of_retrain(metrics: Floats) -> Floats:
    """Return the null of `average_gap`: gaps between single trials, scaled to those between means over all trials.

    A perfect unlearner's gap is one such gap. More trials make it smaller, but not less variable for its size. So the
    contributions vary as gaps do, and not as the mean of many.
    """
    trials = len(metrics)
    first, second = np.triu_indices(trials, 1)
    gaps = np.abs(metrics[first] - metrics[second]).mean(axis=1) / np.sqrt(trials)
    if len(gaps) < 2:
        return without_spread(float(nan_mean(gaps)), trials)
    return _spread(float(gaps.mean()), float(gaps.std(ddof=1)) * np.sqrt(trials), trials)
