"""How closely an unlearned model agrees with Retrain of its trial, on the forgotten samples and overall."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from benchmark.metrics.samples import METRICS
from benchmark.metrics.samplewise.margins import Floats, Mask

TUG_OF_WAR = ("ra", "ua", "ta")
TUG_OF_WAR_MIA = ("ra", "mia", "ta")


def disagreement(prediction: npt.NDArray[Any], reference: npt.NDArray[Any], forgotten: Mask) -> Floats:
    """Return the per cent of forgotten samples for which the two predict different classes, (trials,).

    All three arrays are (trials, samples).
    """
    return 100 * _mean(prediction != reference, forgotten)


def confidence_difference(margin: Floats, reference: Floats, forgotten: Mask) -> Floats:
    """Return the mean |difference of the probability of the label| over forgotten samples, in points, (trials,).

    All three arrays are (trials, samples).
    """
    return 100 * _mean(np.abs(expit(margin) - expit(reference)), forgotten)


def tug_of_war(metrics: Floats, reference: Floats, factors: tuple[str, ...] = TUG_OF_WAR) -> Floats:
    """Return the product over retain, forget and test data of 1 - |difference to Retrain|, (trials,): 1 at best.

    Both arrays are RA, UA, TA and MIA in per cent, (trials, 4). With `TUG_OF_WAR_MIA`, MIA replaces the forget accuracy
    (Zhao et al. 2024, *What makes unlearning hard and what to do about it*: ToW and ToW-MIA).
    """
    columns = [METRICS.index(factor) for factor in factors]
    return np.asarray((1 - np.abs(metrics - reference)[:, columns] / 100).prod(axis=1))


def known_beyond_test(metrics: Floats) -> Floats:
    """Return the accuracy on forget data minus that on test data, in points: (trials,).

    ``metrics`` are RA, UA, TA and MIA in per cent, (trials, 4).

    What unlearning should leave of it is Retrain's. A model that is better or worse on all images does not stand out.
    """
    return known_beyond(metrics, metrics[:, METRICS.index("ta")])


def known_beyond(metrics: Floats, unseen_accuracy: Floats | float) -> Floats:
    """Return the accuracy on forget data minus that on comparable images never seen, in per cent, likewise."""
    return np.asarray(100 - metrics[:, METRICS.index("ua")] - unseen_accuracy)


def _mean(values: npt.NDArray[Any], mask: Mask) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(mask, values, 0).sum(axis=1) / mask.sum(axis=1))
