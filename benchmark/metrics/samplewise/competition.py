"""The forgetting quality of the NeurIPS 2023 unlearning competition: epsilon of each sample, and F of a forget set.

Source: Triantafillou et al. (2024), *Are we making progress in unlearning?*, and its released code, which takes 512
models a side. That code tries thresholds on a grid and so misses the best test; here the errors of every test are
counted, from the sorted margins. F of a perfect unlearner is far below 1: 0.25 with 5 models a side, 0.10 with 32, 0.05
with 512.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.metrics.samplewise.margins import Floats, Mask

Counts = npt.NDArray[np.int64]

DELTA = 1e-5
CAP = 50.0
NARROW = 0.01  # a side whose range is so small a part of the other's shows the cap
MODELS = 512  # a side, in the source


def epsilon(unlearned: Floats, retrain: Floats) -> Floats:
    """Return the largest privacy loss that a test of a sample's margin shows, from 0 to `CAP`: (samples,).

    The tests are those of the source: that margins between two thresholds are of the side with the smaller range, and
    that those above one threshold are of the side with the larger median. A test that errs in exactly one of the two
    ways is dropped, as one of too few models; a test that never errs shows the cap. Both sides are (models, samples),
    with NaN for models that say nothing, but at least one that does.
    """
    most = max(len(unlearned), len(retrain))
    unlearned, retrain = (
        np.pad(side, ((0, most - len(side)), (0, 0)), constant_values=np.nan) for side in (unlearned, retrain)
    )
    reach = [np.fmax.reduce(side) - np.fmin.reduce(side) for side in (unlearned, retrain)]
    peaked = reach[0] < reach[1]
    higher = np.nanmedian(unlearned, axis=0) >= np.nanmedian(retrain, axis=0)
    inside, outside = _below_cuts(*_swapped(unlearned, retrain, peaked))
    largest = np.zeros(unlearned.shape[1])
    for left in range(len(inside) - 1):
        hits, alarms = inside[left + 1 :] - inside[left], outside[left + 1 :] - outside[left]
        largest = np.maximum(largest, _privacy_loss(inside[-1] - hits, inside[-1], alarms, outside[-1]))
    misses, others = _below_cuts(*_swapped(unlearned, retrain, higher))
    largest = np.maximum(largest, _privacy_loss(misses, misses[-1], others[-1] - others, others[-1]))
    return np.where(np.minimum(*reach) < NARROW * np.maximum(*reach), CAP, largest)


def quality(epsilons: Floats, models: npt.ArrayLike) -> float:
    """Return F, the mean over samples of 2^-floor(2 epsilon), 0 from ceil(ln(models - 1)) on: 1 at best.

    ``models`` is how many there are a side: one number, or one for each sample.
    """
    with np.errstate(divide="ignore"):
        most = np.ceil(np.log(np.asarray(models, dtype=float) - 1))
    return float(np.where(epsilons < most, 2.0 ** -np.floor(2 * epsilons), 0).mean())


def _swapped(unlearned: Floats, retrain: Floats, first: Mask) -> tuple[Floats, Floats]:
    """Return the two sides of each sample, the unlearned models first where ``first`` says so."""
    return np.where(first, unlearned, retrain), np.where(first, retrain, unlearned)


def _below_cuts(one: Floats, other: Floats) -> tuple[Counts, Counts]:
    """Return how many models of each side lie below each threshold, ascending: (thresholds, samples).

    No threshold parts equal margins: one that would stands for the next above.
    """
    both = np.concatenate([one, other])
    order = np.argsort(both, axis=0)  # NaN come last
    sorted_ = np.take_along_axis(both, order, axis=0)
    below = [np.zeros((len(both) + 1, both.shape[1]), np.int64) for _ in range(2)]
    for counts, side in zip(below, (order < len(one), order >= len(one)), strict=True):
        np.cumsum(side & ~np.isnan(sorted_), axis=0, out=counts[1:])
        for cut in range(len(both) - 1, 0, -1):
            counts[cut] = np.where(sorted_[cut - 1] == sorted_[cut], counts[cut + 1], counts[cut])
    return below[0], below[1]


def _privacy_loss(misses: Any, positives: Any, alarms: Any, negatives: Any) -> Floats:
    """Return the largest loss over the tests, (tests, samples) of counts: misses of the positives, false alarms."""
    fnr, fpr = misses / positives, alarms / negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        loss = np.fmax(np.log(1 - DELTA - fpr) - np.log(fnr), np.log(1 - DELTA - fnr) - np.log(fpr))
    faultless, one_sided = (misses == 0) & (alarms == 0), (misses == 0) != (alarms == 0)
    loss = np.where(faultless, CAP, np.where(one_sided | np.isnan(loss), 0, loss))
    return np.asarray(np.clip(loss, 0, CAP).max(axis=0))
