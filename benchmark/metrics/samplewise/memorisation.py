"""Which samples does a model get right only because it was trained on them, and are those the ones not forgotten?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.samplewise.battery import Outputs, beside_retrain
from benchmark.metrics.samplewise.likelihood import LEAST_JUDGED, likelihood_ratios
from benchmark.metrics.samplewise.margins import Floats, Mask, auc
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean
from benchmark.metrics.samplewise.sufficiency import FITTED, Forgetting

LEAST_MODELS = 2  # models on either side: of one, a sample's accuracy is 0 or 1
GROUPS = (0.0, 0.25, 0.5, 0.75, 1.0)  # scores below 0, which are noise, count as 0
COLUMNS = ["method", "trial", "memorisation", "samples", "auc"]


def memorisation(correct: Mask, trained_on: Mask, least: int = LEAST_MODELS) -> Floats:
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


def by_memorisation(methods: Mapping[str, Outputs], given: Forgetting, label: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return how well the efficacy attack tells a method from Retrain, by how far the samples are memorised.

    Margins are standardised, so that a shift of the whole model is left out. A sample's score in a trial is that of the
    Retrains of the *other* trials: by its own, samples that this Retrain happens to get wrong would count as memorised,
    and a perfect unlearner would be told from it by them.

    Returns
    -------
    A row a method, trial and group of samples: ``method, trial``; ``memorisation``, one of `GROUPS`, to which scores
    are rounded; ``samples``, how many the trial judges; ``auc``, what the trial contributes to the mean: see
    `jackknife`. Groups that some trial has too few samples of have no rows; nor has anything where no sample has a
    score, as where all trials forget the same.
    """
    rows = []
    for method, outputs, retrain, here in beside_retrain(methods, given):
        if len(here.trials) < FITTED:
            continue
        correct, trained_on = retrain.prediction == label, ~here.unseen
        each = np.arange(len(here.trials))
        scores = np.stack([memorisation(np.delete(correct, t, 0), np.delete(trained_on, t, 0)) for t in each])
        group = np.where(here.forgotten, np.round(np.clip(scores, 0, 1) * (len(GROUPS) - 1)), np.nan)
        ours, theirs = (np.where(here.forgotten, one.standardised.margin, np.nan) for one in (outputs, retrain))
        left = [_aucs(np.delete(ours, t, 0), np.delete(theirs, t, 0), np.delete(group, t, 0)) for t in each]
        whole = _aucs(ours, theirs, group)
        for place, score in enumerate(GROUPS):
            samples = (group == place).sum(axis=1)
            if (samples >= LEAST_JUDGED).all():
                values = jackknife(float(whole[place]), [one[place] for one in left])
                columns = {"method": method, "trial": here.trials, "memorisation": score, "samples": samples}
                rows.append(pd.DataFrame({**columns, "auc": values}))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


def _aucs(unlearned: Floats, retrain: Floats, group: Floats) -> Floats:
    """Return the AUC of the attack on each group, a mean over trials: (groups,)."""
    ratios = likelihood_ratios(unlearned, retrain)

    def of(trial: int, place: int) -> float:
        ours, theirs = (side[trial, group[trial] == place] for side in ratios)
        return auc(ours[~np.isnan(ours)], theirs[~np.isnan(theirs)])

    places, trials = range(len(GROUPS)), range(len(group))
    return nan_mean([[of(trial, place) for place in places] for trial in trials])
