"""Likelihood-ratio attacks: which of two kinds of model does a sample's margin come from?

Each sample has two Gaussians, fitted to its margins in the models of either kind. A model's score is the difference of
their log-densities at its margin. A model must not be judged by Gaussians fitted to it: equal kinds would then be told
apart 67 times of 100 with five models per side. So the pair of models being judged is left out *on both sides*; left
out on one side only, the error is reversed. Equal kinds then read 50 % with any number of models.

Sources: Carlini et al. (2022), *Membership Inference Attacks From First Principles*; the efficacy game is RULI's (arXiv
2506.13009), the strict one U-LiRA's (Hayes et al., arXiv 2403.01218).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats, Mask, auc, true_positives
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean, other_trials

# A sample's variance is shrunk towards that of all samples, which counts as this many models (Smyth 2004): a few models
# say little about a variance, and a single one nothing.
PRIOR = 4
SMALLEST = 1e-12  # variance; without it a method with no randomness, whose trials are equal, would have 0
# The most margins per side from which intervals are computed: with many trials, only every second or third sample.
ENTRIES = 100_000
SEED = 20_254
LEAST_JUDGED = 20  # judged samples of a trial; rates of fewer say nothing


class Attack(NamedTuple):
    """An attack's success: AUC, accuracy in per cent, and per cent of true positives at 1 % false positives.

    Each is one number per trial, (trials,): for `efficacy` and `strict` what the trial contributes to the mean over
    trials, for `against` that of the pair alone.
    """

    auc: Floats
    accuracy: Floats
    tpr: Floats


def efficacy(unlearned: Floats, retrain: Floats, forgotten: Mask) -> Attack:
    """Attack each trial's unlearned model against the Retrain of that trial, on the samples that it forgot.

    A sample is judged in a trial if at least one other trial forgot it too.
    """
    margins = np.where(forgotten, unlearned, np.nan), np.where(forgotten, retrain, np.nan)
    return _contributed(against, *margins)


def against(first: Floats, second: Floats) -> Attack:
    """Attack the models of each row, ``first`` against ``second``: both are (pairs, samples)."""
    return _attack(*likelihood_ratios(first, second))


def strict(unlearned: Floats, forgotten: Mask, held_out: Mask) -> Attack:
    """Attack unlearned models among themselves: a sample is forgotten in some trials and never seen in others (U-LiRA).

    A trial that forgot a sample is paired with one that held it out, and the pair is left out. Pairing is random: in
    trial order, the forgotten samples that a trial judges would have other numbers of models than the held-out ones.
    """
    if not held_out.any():
        return Attack(*np.full((3, len(unlearned)), np.nan))
    return _contributed(_strict, np.where(forgotten, unlearned, np.nan), np.where(held_out, unlearned, np.nan))


def _strict(forgotten: Floats, held_out: Floats) -> Attack:
    rng = np.random.default_rng(SEED)
    orders = [np.argsort(rng.random(margin.shape) + np.isnan(margin), axis=0) for margin in (forgotten, held_out)]
    first, second = (
        np.take_along_axis(margin, order, axis=0) for margin, order in zip((forgotten, held_out), orders, strict=True)
    )
    scores = np.full((2, *forgotten.shape), np.nan)
    for by_trial, order, ratios in zip(scores, orders, likelihood_ratios(first, second), strict=True):
        np.put_along_axis(by_trial, order, ratios, axis=0)
    return _attack(*scores)


def _contributed(attack: Callable[[Floats, Floats], Attack], first: Floats, second: Floats) -> Attack:
    """Return what each trial contributes to the means over trials of an attack's measures."""
    margins = max(np.isfinite(side).sum() for side in (first, second))
    thinned = slice(None, None, max(1, -(-margins // ENTRIES)))

    def rates(remaining: Indices, columns: slice) -> Floats:
        return nan_mean(np.transpose(attack(first[remaining, columns], second[remaining, columns])))

    leave_one_out = [rates(others, thinned) for others in other_trials(len(first))]
    values = rates(np.arange(len(first)), slice(None)).tolist()
    return Attack(*map(jackknife, values, np.transpose(leave_one_out)))


def likelihood_ratios(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return the scores of the models of ``first`` and of ``second``: a positive score speaks for ``first``.

    All are (pairs, samples). NaN where either model of the pair is excluded, or a side has no other model to fit to.
    Where no sample has two models left, no variance is known, and the nearer of the two means wins.
    """
    (mean, variance), (other_mean, other_variance) = (_without_own(margin) for margin in (first, second))
    unknown = ~(np.isfinite(variance) & np.isfinite(other_variance)).any(axis=1, keepdims=True)
    variance, other_variance = np.where(unknown, 1, variance), np.where(unknown, 1, other_variance)
    judged = ~np.isnan(first) & ~np.isnan(second)
    first_score, second_score = (
        _log_density(margin, mean, variance) - _log_density(margin, other_mean, other_variance)
        for margin in (first, second)
    )
    return np.where(judged, first_score, np.nan), np.where(judged, second_score, np.nan)


def _without_own(margin: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of each sample's margins in the other rows, (rows, samples); NaN where unknown."""
    present = ~np.isnan(margin)
    centre = np.where(present, margin, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    values = np.where(present, margin - centre, 0)
    count = present.sum(axis=0) - present
    freedom = np.maximum(count - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (values.sum(axis=0) - values) / count
        squares = np.where(count, (values**2).sum(axis=0) - values**2 - count * mean**2, 0)
        pooled = squares.sum(axis=1, keepdims=True) / freedom.sum(axis=1, keepdims=True)
    variance = (np.maximum(squares, 0) + PRIOR * pooled) / (freedom + PRIOR)
    return mean + centre, np.maximum(variance, SMALLEST)


def _log_density(value: Floats, mean: Floats, variance: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(-((value - mean) ** 2) / variance / 2 - np.log(variance) / 2)


def _attack(first: Floats, second: Floats) -> Attack:
    rates = []
    for row in zip(first, second, strict=True):
        scores = [score[~np.isnan(score)] for score in row]
        few = min(map(len, scores)) < LEAST_JUDGED
        rates.append([np.nan] * 3 if few else [rate(*scores) for rate in (auc, _accuracy, true_positives)])
    return Attack(*np.reshape(rates, (-1, 3)).T)


def _accuracy(first: Floats, second: Floats) -> float:
    """Return the per cent of models that the sign of the score classifies correctly, both sides counting alike."""
    return float(50 + 25 * (np.sign(first).mean() - np.sign(second).mean()))
