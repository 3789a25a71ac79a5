"""Likelihood-ratio attacks: which of two kinds of model does a sample's margin come from?

Each sample has two Gaussians, of its margins in the models of either kind, and the score of a model is the difference
of the two log-densities at its own margin. A model must not be judged by Gaussians that it is part of: judged so, equal
kinds are told apart 67 times of 100 with five models a side. So the pair of models that is judged is left out *on both
sides*; left out on one alone, the error is the other way round. Then equal kinds read 50 % with any number of models.

Sources: Carlini et al. (2022), *Membership Inference Attacks From First Principles*; the efficacy game is RULI's (arXiv
2506.13009), the strict one U-LiRA's (Hayes et al., arXiv 2403.01218).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats, Mask, auc, true_positives
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean

# A sample's variance is drawn towards that of all samples, which counts as this many of its models (Smyth 2004): a few
# models say little of a variance, and one other model nothing.
PRIOR = 4
SMALLEST = 1e-12  # variance, of a method without any randomness: its trials are equal
# Margins of a side that intervals are computed from, at most: of many trials, every second or third sample.
ENTRIES = 100_000
SEED = 20_254
LEAST_JUDGED = 20  # judged samples of a trial: of fewer, rates say nothing


class Attack(NamedTuple):
    """How well an attack does: AUC, accuracy in per cent, and per cent of true positives at 1 % false ones.

    Each is a number a trial, (trials,): of `efficacy` and `strict` what a trial contributes to the mean over trials,
    of `against` that of the pair alone.
    """

    auc: Floats
    accuracy: Floats
    tpr: Floats


def efficacy(unlearned: Floats, retrain: Floats, forgotten: Mask) -> Attack:
    """Attack unlearned models, trial by trial, against Retrain of the same trial, on the samples forgotten there.

    A sample is judged in a trial where at least one other trial forgot it too.
    """
    sides = np.where(forgotten, unlearned, np.nan), np.where(forgotten, retrain, np.nan)
    return _contributed(against, *sides)


def against(one: Floats, other: Floats) -> Attack:
    """Attack the models of each row, ``one`` against ``other``: both are (pairs, samples)."""
    return _attack(*likelihood_ratios(one, other))


def strict(unlearned: Floats, forgotten: Mask, held_out: Mask) -> Attack:
    """Attack unlearned models by themselves: a sample forgotten in some trials, and never seen in others (U-LiRA).

    A trial that forgot a sample is paired at random with one that held it out, and the pair left out. At random, since
    in trial order the forgotten samples that a trial judges would have other numbers of models than the held-out ones.
    """
    if not held_out.any():
        return Attack(*np.full((3, len(unlearned)), np.nan))
    return _contributed(_strict, np.where(forgotten, unlearned, np.nan), np.where(held_out, unlearned, np.nan))


def _strict(forgotten: Floats, held_out: Floats) -> Attack:
    rng = np.random.default_rng(SEED)
    orders = [np.argsort(rng.random(side.shape) + np.isnan(side), axis=0) for side in (forgotten, held_out)]
    first, second = (
        np.take_along_axis(side, order, axis=0) for side, order in zip((forgotten, held_out), orders, strict=True)
    )
    scores = np.full((2, *forgotten.shape), np.nan)
    for by_trial, order, ratios in zip(scores, orders, likelihood_ratios(first, second), strict=True):
        np.put_along_axis(by_trial, order, ratios, axis=0)
    return _attack(*scores)


def _contributed(attack: Callable[[Floats, Floats], Attack], one: Floats, other: Floats) -> Attack:
    """Return what each trial contributes to the mean of the numbers that an attack on both sides has of each."""
    trials, samples = one.shape
    some = slice(None, None, 1 + (trials * samples - 1) // ENTRIES)

    def rates(kept: Indices, columns: slice) -> Floats:
        return nan_mean(np.transpose(attack(one[kept, columns], other[kept, columns])))

    each = np.arange(trials)
    left = [rates(np.delete(each, trial), some) for trial in each]
    whole = rates(each, slice(None))
    return Attack(*(jackknife(float(value), rest) for value, rest in zip(whole, np.transpose(left), strict=True)))


def likelihood_ratios(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return the score of each model, of ``one`` and of ``other``: positive speaks for ``one``.

    All are (pairs, samples). NaN where either of the pair has nothing to say, or no model is left to fit on a side.
    Where no sample has two models left, no variance is known, and the nearer of the two means wins.
    """
    (mean, variance), (other_mean, other_variance) = (_without_own(side) for side in (one, other))
    unknown = ~(np.isfinite(variance) & np.isfinite(other_variance)).any(axis=1, keepdims=True)
    variance, other_variance = np.where(unknown, 1, variance), np.where(unknown, 1, other_variance)
    judged = ~np.isnan(one) & ~np.isnan(other)
    first, second = (
        _log_density(margin, mean, variance) - _log_density(margin, other_mean, other_variance)
        for margin in (one, other)
    )
    return np.where(judged, first, np.nan), np.where(judged, second, np.nan)


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


def _attack(one: Floats, other: Floats) -> Attack:
    rates = []
    for row in zip(one, other, strict=True):
        sides = [side[~np.isnan(side)] for side in row]
        few = min(map(len, sides)) < LEAST_JUDGED
        rates.append([np.nan] * 3 if few else [rate(*sides) for rate in (auc, _accuracy, true_positives)])
    return Attack(*np.reshape(rates, (-1, 3)).T)


def _accuracy(one: Floats, other: Floats) -> float:
    """Return the per cent that the sign of the score names rightly, the two sides counting alike."""
    return float(50 + 25 * (np.sign(one).mean() - np.sign(other).mean()))
