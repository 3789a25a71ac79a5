"""Which samples does a model get right only because it was trained on them, and does it fail to forget these?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.samplewise.battery import MethodOutputs, beside_retrain
from benchmark.metrics.samplewise.built_in_audits import FITTED, Forgetting
from benchmark.metrics.samplewise.likelihood import LEAST_JUDGED, likelihood_ratios
from benchmark.metrics.samplewise.margins import Floats, Mask, auc
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean, other_trials

LEAST_MODELS = 2  # models on either side; with one, a sample's accuracy is 0 or 1
GROUPS = (0.0, 0.25, 0.5, 0.75, 1.0)  # scores below 0, which are noise, count as 0
COLUMNS = ["method", "trial", "memorisation", "samples", "auc"]


def memorisation(correct: Mask, trained_on: Mask) -> Floats:
    """Return P(correct | trained on) - P(correct | not) of each sample over models, (samples,), from -1 to 1.

    The masks are (models, samples); NaN where either side has fewer than `LEAST_MODELS` (Feldman and Zhang 2020, *What
    Neural Networks Memorize and Why*, equation 1). Retrain's trials at random 50 % are such models, for samples that
    some retained and others forgot.
    """
    shares = []
    for mask in (trained_on, ~trained_on):
        count = mask.sum(axis=0)
        share = (correct & mask).sum(axis=0) / np.maximum(count, 1)
        shares.append(np.where(count >= LEAST_MODELS, share, np.nan))
    return np.asarray(shares[0] - shares[1])


def by_memorisation(
    methods: Mapping[str, MethodOutputs], forgetting: Forgetting, label: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Return how well the efficacy attack tells a method from Retrain, by how strongly the samples are memorised.

    ``label`` is each sample's class, (samples,). Margins are standardised, to ignore a shift of the whole model. A
    sample's score in a trial comes from the Retrains of the *other* trials: with its own, samples that this Retrain
    happens to get wrong would count as memorised and give away a perfect unlearner.

    There is a row per method, trial and group of samples: ``method, trial``; ``memorisation``, one of `GROUPS`, to
    which scores are rounded; ``samples``, how many the trial judges; ``auc``, what the trial contributes to the mean:
    see `jackknife`. A group has no rows if some trial has too few samples of it. There are no rows at all if no sample
    has a score, as where all trials forget the same samples.
    """
    rows = []
    for method, outputs, retrain, shared in beside_retrain(methods, forgetting):
        if len(shared.trials) < FITTED:
            continue
        correct, trained_on = retrain.prediction == label, ~shared.unseen
        remaining = other_trials(len(shared.trials))
        scores = np.stack([memorisation(correct[others], trained_on[others]) for others in remaining])
        # A score counts the trials that held a sample out, too; the attack only those that forgot it.
        judged = shared.forgotten & (shared.forgotten.sum(axis=0) > 1)
        group = np.where(judged, np.round(np.clip(scores, 0, 1) * (len(GROUPS) - 1)), np.nan)
        standardised = outputs.standardised.margin, retrain.standardised.margin
        margin, reference = (np.where(shared.forgotten, values, np.nan) for values in standardised)
        leave_one_out = [_aucs(margin[others], reference[others], group[others]) for others in remaining]
        overall = _aucs(margin, reference, group)
        for number, score in enumerate(GROUPS):
            samples = (group == number).sum(axis=1)
            if (samples >= LEAST_JUDGED).all():
                values = jackknife(float(overall[number]), [aucs[number] for aucs in leave_one_out])
                columns = {"method": method, "trial": shared.trials, "memorisation": score, "samples": samples}
                rows.append(pd.DataFrame({**columns, "auc": values}))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


def _aucs(margin: Floats, reference: Floats, group: Floats) -> Floats:
    """Return the AUC of the attack on each group, a mean over trials: (groups,)."""
    ratios = likelihood_ratios(margin, reference)

    def group_auc(trial: int, number: int) -> float:
        positives, negatives = (ratio[trial, group[trial] == number] for ratio in ratios)
        return auc(positives[~np.isnan(positives)], negatives[~np.isnan(negatives)])

    numbers, trials = range(len(GROUPS)), range(len(group))
    return nan_mean([[group_auc(trial, number) for number in numbers] for trial in trials])
