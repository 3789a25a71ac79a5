"""Which samples a model gets right only because it was trained on them."""

from __future__ import annotations

import numpy as np

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
