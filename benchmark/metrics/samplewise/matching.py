"""Test samples that are as hard as the forgotten ones, for scenarios whose forgotten samples a file chooses.

A model that is less sure of everything than Retrain has smaller margins on easy samples, and larger ones on hard
samples. So if forgotten samples are harder or easier than test samples, the two differ although nothing was kept.
"""

from __future__ import annotations

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats
from benchmark.metrics.samplewise.resampling import other_trials


def as_hard(margin: Floats, test_margin: Floats) -> Indices:
    """Return for each trial and forgotten sample the test sample that is most nearly as hard: (trials, forgotten).

    How hard a sample is, the Retrains of the *other* trials say, by their margins, (trials, forgotten) and (trials,
    tests). So a test sample that looked hard by chance does so to the trial's own Retrain no more than to the model
    that is compared with it. One test sample may stand for several forgotten ones. With one trial there are no others,
    and its own Retrain says it.
    """
    judges = other_trials(len(margin)) if len(margin) > 1 else [np.arange(1)]
    return np.stack([_nearest(_expected(margin[rows]), _expected(test_margin[rows])) for rows in judges])


def _expected(margin: Floats) -> Floats:
    """Return what a further Retrain's margins may be expected to be, (samples,), given some, (trials, samples).

    Means over few trials are more extreme than that. They are drawn towards the mean of all samples by the share of
    their variance that is noise (Kelley 1927, *Interpretation of Educational Measurements*: regressed scores).
    """
    means, trials = margin.mean(axis=0), len(margin)
    if trials < 2 or not means.var():
        return np.asarray(means)
    noise = min(margin.var(axis=0, ddof=1).mean() / trials / means.var(), 1.0)
    return np.asarray(means + noise * (means.mean() - means))


def _nearest(sought: Floats, offered: Floats) -> Indices:
    """Return the position of the offered value nearest to each sought one."""
    order = np.argsort(offered, kind="stable")
    above = np.searchsorted(offered[order], sought).clip(1, len(order) - 1)
    lower, upper = offered[order[above - 1]], offered[order[above]]
    return np.asarray(order[np.where(sought - lower < upper - sought, above - 1, above)])
