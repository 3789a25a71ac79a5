"""Margins: from the losses of older files, without a shift of the whole model, and how well they tell sides apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SMALLEST_LOSS = 2.0**-24  # half of float32's spacing at 1: a loss of exactly 0 is somewhere below it
FALSE_ALARMS = 0.01


def margin_of_loss(loss: npt.NDArray[Any]) -> Floats:
    """Return -log(exp(loss) - 1), the margin as far as a float32 cross-entropy preserves it.

    Above about 10 it is coarse (15 may come back as 15.25). A loss of exactly 0 is taken as `SMALLEST_LOSS`: 16.6.
    """
    clipped = np.maximum(np.asarray(loss, dtype=np.float64), SMALLEST_LOSS)
    return np.asarray(-clipped - np.log(-np.expm1(-clipped)))  # the same, without overflow for large losses


def standardised(margin: Floats, test_margin: Floats) -> Floats:
    """Return margins centred on each model's mean test margin, in its standard deviations: (trials, samples)."""
    return np.asarray((margin - test_margin.mean(axis=1, keepdims=True)) / test_margin.std(axis=1, keepdims=True))


def auc(positives: Floats, negatives: Floats) -> float:
    """Return how often a positive exceeds a negative, ties counting half; NaN where either side is empty."""
    if not len(positives) or not len(negatives):
        return float("nan")
    positives, negatives = np.sort(positives), np.sort(negatives)  # searching for sorted values is much faster
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / 2 / len(negatives))


def true_positives(positives: Floats, negatives: Floats) -> float:
    """Return the per cent of positives above the threshold that a share `FALSE_ALARMS` of such negatives exceeds.

    The k-th largest of n negatives is exceeded by k / (n + 1) of them in expectation, whatever their distribution; the
    threshold is interpolated between two of them. NaN where there are too few negatives for a single false alarm.
    """
    rank = FALSE_ALARMS * (len(negatives) + 1)
    if rank < 1 or not len(positives):
        return float("nan")
    ordered, whole_rank = np.sort(negatives), int(rank)
    strict, loose = (float(np.mean(positives > ordered[-place])) for place in (whole_rank, whole_rank + 1))
    return 100 * (strict + (rank - whole_rank) * (loose - strict))
