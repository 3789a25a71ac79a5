"""What a curve of relearning says: how much a model knows again of what it forgot while it is trained again.

The area under the curve, beside Retrain's, is the relearning audit of Tarun et al. (2021); the steps until a model is
back near Original's accuracy are the relearn time of Golatkar et al. (2020) and Chundawat et al. (2023).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR = 5.0  # points below Original's accuracy at which forgotten images count as known again


def area(step: npt.ArrayLike, accuracy: npt.ArrayLike) -> float:
    """Return the mean accuracy on forgotten images over the steps, in per cent, by the trapezoidal rule.

    ``step``, from 0, and ``accuracy``, in per cent, are (n,) with n of at least 2.
    """
    steps, values = np.asarray(step, dtype=float), np.asarray(accuracy, dtype=float)
    return float(np.average((values[1:] + values[:-1]) / 2, weights=np.diff(steps)))


def steps_until(step: npt.ArrayLike, accuracy: npt.ArrayLike, wanted: float) -> float:
    """Return after how many steps the accuracy is ``wanted`` for the first time, between two evaluations by a straight
    line; infinity where it never is, NaN where ``wanted`` is NaN.
    """
    steps, values = np.asarray(step, dtype=float), np.asarray(accuracy, dtype=float)
    if np.isnan(wanted):
        return np.nan
    reached = np.flatnonzero(values >= wanted)
    if not len(reached):
        return np.inf
    first = reached[0]
    return float(np.interp(wanted, values[first - 1 : first + 1], steps[first - 1 : first + 1]) if first else steps[0])
