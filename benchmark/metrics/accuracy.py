"""Accuracy in per cent."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import BadInput


def accuracy(label: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> float:
    """Return the per cent of samples whose prediction is their label: RA, TA and 100 - UA (paper, section Metrics).

    Parameters
    ----------
    label, prediction : class numbers, shape (n,).

    Raises
    ------
    BadInput
        If there is no sample, or the two differ in length.
    """
    if len(label) != len(prediction) or len(label) == 0:
        raise BadInput(
            f"accuracy of {len(label)} labels and {len(prediction)} predictions: accepted are as many of one as of the "
            "other, and at least one"
        )
    return float(100.0 * np.mean(np.asarray(label) == np.asarray(prediction)))
