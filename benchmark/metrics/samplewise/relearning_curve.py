"""Measures of a relearning curve: how soon a model recovers its accuracy on forgotten images when trained on them.

The area under the curve, beside Retrain's, is the relearning audit of Tarun et al. (2021); the steps until a model is
back near Original's accuracy are the relearn time of Golatkar et al. (2020) and Chundawat et al. (2023).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR = 5.0  # points below Original's accuracy at which forgotten images count as relearnt


def area(step: npt.ArrayLike, accuracy: npt.ArrayLike) -> float:
    """Return the mean accuracy on forgotten images over the steps, in per cent, by the trapezoidal rule.

    ``step``, from 0, and ``accuracy``, in per cent, are (n,), with n at least 2.
    """
    steps, values = np.asarray(step, dtype=float), np.asarray(accuracy, dtype=float)
    return float(np.average((values[1:] + values[:-1]) / 2, weights=np.diff(steps)))


def steps_until(step: npt.ArrayLike, accuracy: npt.ArrayLike, target: float) -> float:
    """Return the number of steps after which the accuracy first reaches ``target``, by linear interpolation between
    evaluations; infinity if it never does, NaN if ``target`` is NaN.
    """
    steps, values = np.asarray(step, dtype=float), np.asarray(accuracy, dtype=float)
    if np.isnan(target):
        return np.nan
    reached = np.flatnonzero(values >= target)
    if not len(reached):
        return np.inf
    first = reached[0]
    return float(np.interp(target, values[first - 1 : first + 1], steps[first - 1 : first + 1]) if first else steps[0])
