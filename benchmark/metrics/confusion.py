"""Which classes the forget samples of one class are predicted as (Tables 1, 5 and 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.samples import membership

Floats = npt.NDArray[np.float64]


def prediction_shares(samples: pd.DataFrame, forget: pd.DataFrame, true_class: int, classes: int) -> Floats:
    """Return the per cent of forget samples of one class that are predicted as each class (Tables 1, 5, 6).

    Parameters
    ----------
    samples, forget : as `benchmark.metrics.samples` has them.
    true_class : the label whose forget samples are looked at.

    Returns
    -------
    Shape (classes,), per cent; the sum is 100.

    Raises
    ------
    BadInput
        As `benchmark.metrics.samples.membership`; or if no forget sample has this label, or a prediction is no class.
    """
    chosen = (membership(samples, forget) == "forget") & (samples["label"] == true_class)
    predicted = samples.loc[chosen.to_numpy(), "prediction"].to_numpy()
    if not len(predicted):
        raise BadInput(
            f"predictions of class {true_class}: no forget sample has this label: accepted is a forgotten one"
        )
    wrong = predicted[(predicted < 0) | (predicted >= classes)]
    if len(wrong):
        raise BadInput(f"samples, column prediction: {wrong[0]} is no class: accepted are 0 to {classes - 1}")
    return 100.0 * np.bincount(predicted, minlength=classes) / len(predicted)


def average_difference(shares: Floats, reference: Floats, shown: Sequence[int]) -> float:
    """Return the mean over the shown classes of the absolute difference to Retrain, in points (Tables 1, 5, 6).

    Shares and reference are `prediction_shares` of a method and of Retrain. `BadInput` is raised if no class is shown,
    one is shown twice or does not exist, or the two shapes differ.
    """
    if np.shape(shares) != np.shape(reference):
        raise BadInput(f"shares of {len(shares)} classes against {len(reference)}: accepted are equal numbers")
    if not len(shown) or len(set(shown)) < len(shown) or min(shown) < 0 or max(shown) >= len(shares):
        raise BadInput(f"shown classes {list(shown)}: accepted are distinct numbers from 0 to {len(shares) - 1}")
    chosen = list(shown)
    return float(np.mean(np.abs(np.asarray(shares)[chosen] - np.asarray(reference)[chosen])))
