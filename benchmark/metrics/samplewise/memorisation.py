"""Which samples a model gets right only because it was trained on them, and which are in the training data twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import BadInput
from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats, Mask

LEAST = 2  # models on either side: of one, a sample's accuracy is 0 or 1


def memorisation(correct: Mask, trained_on: Mask, least: int = LEAST) -> Floats:
    """Return P(correct | trained on) - P(correct | not) of each sample over models, (samples,), from -1 to 1.

    NaN where fewer than ``least`` models, (models, samples), are on either side (Feldman and Zhang 2020, *What Neural
    Networks Memorize and Why*, equation 1). Retrain's trials at random 50 % are such models, for what was retained in
    some and forgotten in others.
    """
    shares = []
    for mask in (trained_on, ~trained_on):
        count = mask.sum(axis=0)
        share = (correct & mask).sum(axis=0) / np.maximum(count, 1)
        shares.append(np.where(count >= least, share, np.nan))
    return np.asarray(shares[0] - shares[1])


def extreme(scores: Floats, percent: int, highest: bool) -> Indices:
    """Return the indices, ascending, of the samples with the highest or lowest scores: per cent of all, half up.

    Of equal scores the first samples are taken; NaN never. Raises `BadInput` where fewer have a score.
    """
    wanted, known = (len(scores) * percent + 50) // 100, np.flatnonzero(~np.isnan(scores))
    if len(known) < wanted:
        raise BadInput(f"memorisation: {wanted} samples are wanted, {len(known)} of {len(scores)} have a score")
    order = np.argsort(-scores[known] if highest else scores[known], kind="stable")
    return np.sort(known[order[:wanted]])


def with_twins(images: npt.NDArray[Any], forgotten: npt.NDArray[np.bool_]) -> Mask:
    """Return which samples, (samples,), are forgotten although an equal image, (samples, ...), is retained."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    _, group = np.unique(rows.view(np.dtype((np.void, rows.strides[0]))).ravel(), return_inverse=True)
    return forgotten & np.isin(group, group[~forgotten])
