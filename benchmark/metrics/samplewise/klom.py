"""KLoM: how far the distribution of a sample's margin over unlearned models is from that over Retrains.

Sources: Georgiev, Rinberg et al. (2024), *Attribute-to-Delete*; Rinberg et al. (2025), *Data-Unlearn-Bench*, with 100
models a side. With fewer it is far above 0 for a perfect unlearner: 8.0 with 5, 3.8 with 16, 0.35 with 100.
"""

from __future__ import annotations

import numpy as np

from benchmark.metrics.samplewise.margins import Floats

BINS = 20
FLOOR = 1e-5
MODELS = 100  # a side, in the source


def klom(unlearned: Floats, retrain: Floats) -> Floats:
    """Return KL(unlearned || Retrain) of each sample's margins, in nats, (samples,): NaN where a side has none.

    Both sides, (models, samples) with NaN for models that say nothing, are binned over their joint range; a bin that a
    side leaves empty counts as `FLOOR`.
    """
    both = np.concatenate([unlearned, retrain])
    low, high = np.fmin.reduce(both), np.fmax.reduce(both)
    width = np.where(high > low, high - low, 1)
    ours, theirs = (_histogram((side - low) / width) for side in (unlearned, retrain))
    return np.asarray((ours * np.log(ours / theirs)).sum(axis=1))


def _histogram(places: Floats) -> Floats:
    """Return the shares of the bins, at least `FLOOR`, of places in the range as 0 to 1: (samples, bins)."""
    samples = places.shape[1]
    here = ~np.isnan(places)
    bins = np.minimum(np.where(here, places, 0) * BINS, BINS - 1).astype(np.int64) + BINS * np.arange(samples)
    counts = np.bincount(bins[here], minlength=samples * BINS).reshape(samples, BINS)
    with np.errstate(invalid="ignore"):
        return np.maximum(counts / counts.sum(axis=1, keepdims=True), FLOOR)
