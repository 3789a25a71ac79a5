"""The forgetting quality of the NeurIPS 2023 unlearning competition: epsilon of each sample, and F of forget data.

Source: Triantafillou et al. (2024), *Are we making progress in unlearning?*, and its released code, which uses 512
models per side. That code tries thresholds on a grid and so misses the best test; here the errors of every test are
counted from the sorted margins. F of a perfect unlearner is far below 1: 0.25 with 5 models per side, 0.10 with 32,
0.05 with 512.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.metrics.samplewise.margins import Floats, Mask

Counts = npt.NDArray[np.int64]

DELTA = 1e-5
CAP = 50.0
NARROW = 0.01  # where one side's range is less than this share of the other's, epsilon is the cap
MODELS = 512  # per side, in the source


def epsilon(unlearned: Floats, retrain: Floats) -> Floats:
    """Return the largest privacy loss that any test of a sample's margin shows, from 0 to `CAP`: (samples,).

    The tests are the source's: margins between two thresholds are attributed to the side with the smaller range, and
    margins above one threshold to the side with the larger median. A test that errs in exactly one of the two ways is
    dropped, since that shows too few models; a test that never errs shows the cap. Both sides are (models, samples),
    with NaN for models that are excluded, and at least one that is not.
    """
    models = max(len(unlearned), len(retrain))
    unlearned, retrain = (
        np.pad(margin, ((0, models - len(margin)), (0, 0)), constant_values=np.nan) for margin in (unlearned, retrain)
    )
    ranges = [np.fmax.reduce(margin) - np.fmin.reduce(margin) for margin in (unlearned, retrain)]
    peaked = ranges[0] < ranges[1]
    higher = np.nanmedian(unlearned, axis=0) >= np.nanmedian(retrain, axis=0)
    inside, outside = _below_cuts(*_swapped(unlearned, retrain, peaked))
    largest = np.zeros(unlearned.shape[1])
    for lower in range(len(inside) - 1):
        hits, alarms = inside[lower + 1 :] - inside[lower], outside[lower + 1 :] - outside[lower]
        largest = np.maximum(largest, _privacy_loss(inside[-1] - hits, inside[-1], alarms, outside[-1]))
    misses, rejected = _below_cuts(*_swapped(unlearned, retrain, higher))
    largest = np.maximum(largest, _privacy_loss(misses, misses[-1], rejected[-1] - rejected, rejected[-1]))
    return np.where(np.minimum(*ranges) < NARROW * np.maximum(*ranges), CAP, largest)


def quality(epsilons: Floats, models: npt.ArrayLike) -> float:
    """Return F, the mean over samples of 2^-floor(2 epsilon), 0 from ceil(ln(models - 1)) on: 1 at best.

    ``models`` is the number of models per side, one for all samples or one for each.
    """
    with np.errstate(divide="ignore"):
        threshold = np.ceil(np.log(np.asarray(models, dtype=float) - 1))
    return float(np.where(epsilons < threshold, 2.0 ** -np.floor(2 * epsilons), 0).mean())


def _swapped(unlearned: Floats, retrain: Floats, unlearned_first: Mask) -> tuple[Floats, Floats]:
    """Return the two sides of each sample, the unlearned models first where ``unlearned_first``."""
    return np.where(unlearned_first, unlearned, retrain), np.where(unlearned_first, retrain, unlearned)


def _below_cuts(first: Floats, second: Floats) -> tuple[Counts, Counts]:
    """Return how many models of each side lie below each threshold, in ascending order: (thresholds, samples).

    No threshold separates equal margins: one that would takes the counts of the next above.
    """
    margins = np.concatenate([first, second])
    order = np.argsort(margins, axis=0)  # NaN come last
    ordered = np.take_along_axis(margins, order, axis=0)
    below = [np.zeros((len(margins) + 1, margins.shape[1]), np.int64) for _ in range(2)]
    for counts, of_side in zip(below, (order < len(first), order >= len(first)), strict=True):
        np.cumsum(of_side & ~np.isnan(ordered), axis=0, out=counts[1:])
        for cut in range(len(margins) - 1, 0, -1):
            counts[cut] = np.where(ordered[cut - 1] == ordered[cut], counts[cut + 1], counts[cut])
    return below[0], below[1]


def _privacy_loss(misses: Any, positives: Any, alarms: Any, negatives: Any) -> Floats:
    """Return the largest loss over the tests, from counts of misses and false alarms, (tests, samples)."""
    fnr, fpr = misses / positives, alarms / negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        loss = np.fmax(np.log(1 - DELTA - fpr) - np.log(fnr), np.log(1 - DELTA - fnr) - np.log(fpr))
    faultless, one_sided = (misses == 0) & (alarms == 0), (misses == 0) != (alarms == 0)
    loss = np.where(faultless, CAP, np.where(one_sided | np.isnan(loss), 0, loss))
    return np.asarray(np.clip(loss, 0, CAP).max(axis=0))
