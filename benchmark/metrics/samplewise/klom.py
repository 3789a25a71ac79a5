"""KLoM: how far the distribution of a sample's margin over unlearned models is from that over Retrains.

Sources: Georgiev, Rinberg et al. (2024), *Attribute-to-Delete*; Rinberg et al. (2025), *Data-Unlearn-Bench*, with 100
models per side. A perfect unlearner reads far above 0 with few models: 8.0 with 5, 3.8 with 16, 0.35 with 100.
"""

from __future__ import annotations

import numpy as np

from benchmark.metrics.samplewise.margins import Floats

BINS = 20
FLOOR = 1e-5
MODELS = 100  # per side, in the source


def klom(unlearned: Floats, retrain: Floats) -> Floats:
    """Return KL(unlearned || Retrain) of each sample's margins, in nats, (samples,): NaN where a side has none.

    Both sides, (models, samples) with NaN for excluded models, are binned over their joint range. A bin that a side
    leaves empty counts as `FLOOR`.
    """
    margins = np.concatenate([unlearned, retrain])
    low, high = np.fmin.reduce(margins), np.fmax.reduce(margins)
    width = np.where(high > low, high - low, 1)
    unlearned_shares, retrain_shares = (_histogram((margin - low) / width) for margin in (unlearned, retrain))
    return np.asarray((unlearned_shares * np.log(unlearned_shares / retrain_shares)).sum(axis=1))


def _histogram(positions: Floats) -> Floats:
    """Return the share of positions, from 0 to 1, in each bin, at least `FLOOR`: (samples, bins)."""
    samples = positions.shape[1]
    present = ~np.isnan(positions)
    bins = np.minimum(np.where(present, positions, 0) * BINS, BINS - 1).astype(np.int64) + BINS * np.arange(samples)
    counts = np.bincount(bins[present], minlength=samples * BINS).reshape(samples, BINS)
    with np.errstate(invalid="ignore"):
        return np.maximum(counts / counts.sum(axis=1, keepdims=True), FLOOR)
