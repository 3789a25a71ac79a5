"""Does a model treat forgotten samples as unseen ones? The AUC of forgotten against test samples.

It is above 0.5 where forgotten samples still look like training data, below where they look worse than unseen ones. An
easy sample has a large margin in every model; the calibrated forms compare it with its margins in Retrains of other
trials that were not trained on it. More of these mean less noise. So that noise alone does not separate the sides, a
test sample is compared with the Retrains of as many trials: those of a forgotten sample drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import expit  # a margin as a probability of the label

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.margins import Floats, Mask, auc
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean

SEED = 20_252
OFFLINE = [tenth / 10 for tenth in range(11)]  # RMIA's a


def margin_auc(margin: Floats, test_margin: Floats, forgotten: Mask) -> Floats:
    """Return the AUC of forgotten against test samples by margin, which equals that by loss, (trials,)."""
    trials = zip(margin, test_margin, forgotten, strict=True)
    return np.array([auc(train_row[mask], test_row) for train_row, test_row, mask in trials])


class _Judged(NamedTuple):
    """The samples judged in a trial, (n,), its test samples, and the one that each of these is treated like, (m,)."""

    trial: int
    samples: Indices
    tests: Indices
    like: Indices


class _Means(NamedTuple):
    """Means over references, for the samples (n,) and tests (m,) that have any reference."""

    samples: Indices
    of_samples: Floats
    tests: Indices
    of_tests: Floats


AttackOfTrial = Callable[[int, _Means], float]  # from a trial's number and its references' means to an AUC
Contributions = Callable[[Floats], Floats]  # from AUCs, (1 + trials, trials), to what each trial contributes


def leaving_out(aucs: Floats) -> Floats:
    """Return what each trial contributes, attacked and as a reference, to the mean over trials of an AUC, (trials,).

    ``aucs`` are those of each trial with all references, (trials,), then without each of these: (1 + trials, trials).
    """
    overall, *leave_one_out = nan_mean(aucs.T)
    return jackknife(overall, leave_one_out)


@dataclass(frozen=True)
class References:
    """The outputs of models never trained on a sample: Retrains of other trials.

    Attributes
    ----------
    margin, test_margin : of the Retrains, (trials, samples) and (trials, tests).
    unseen : what each of them was not trained on, (trials, samples).
    compared : the test samples that each trial is compared with, (trials, n); None for all.
    """

    margin: Floats
    test_margin: Floats
    unseen: Mask
    compared: Indices | None = None

    def calibrated_auc(
        self, margin: Floats, test_margin: Floats, judged: Mask, contributions: Contributions = leaving_out
    ) -> Floats:
        """Return the AUC by margin above the mean of the references' margins (Watson et al. 2022), (trials,).

        The number of a trial is its contribution to the mean over trials. Where the margins are the references' own,
        ``contributions`` is `nulls.of_references`.
        """

        def attack(trial: int, means: _Means) -> float:
            values, tests = margin[trial, means.samples], test_margin[trial, means.tests]
            return auc(values - means.of_samples, tests - means.of_tests)

        return contributions(self._aucs(judged, self.margin, self.test_margin, attack))

    def rmia_auc(
        self, margin: Floats, test_margin: Floats, judged: Mask, a: float, contributions: Contributions = leaving_out
    ) -> Floats:
        """Return the AUC by offline RMIA with gamma 1, (trials,) (Zarifzadeh et al. 2024, *Low-Cost High-Power MIAs*).

        The score of x is the share of test samples z for which p(x) / E p(x) is above p(z) / E p(z), where p is the
        model's probability of the label and E p = ((1 + a) m + 1 - a) / 2 estimates, from the mean m over references,
        the mean over models half of which were trained on the sample. Trials contribute as in `calibrated_auc`.
        """
        attack = partial(_rmia, expit(margin), expit(test_margin), a)
        return contributions(self._aucs(judged, expit(self.margin), expit(self.test_margin), attack))

    def offline_a(self) -> float:
        """Return the a with which RMIA best detects what the references were trained on; no unlearned model is used."""
        probability, test_probability = expit(self.margin), expit(self.test_margin)
        aucs = []
        for judged in self._judged(~self.unseen):
            _, means = next(self._means(judged, probability, test_probability))
            aucs.append([_rmia(probability, test_probability, a, judged.trial, means) for a in OFFLINE])
        return OFFLINE[int(np.nan_to_num(aucs).sum(axis=0).argmax())]

    def _aucs(self, mask: Mask, values: Floats, tests: Floats, attack: AttackOfTrial) -> Floats:
        """Return the trials' AUCs of all references, then without each of them, (1 + trials, trials)."""
        trials = len(mask)
        aucs = np.full((1 + trials, trials), np.nan)
        for judged in self._judged(mask):
            for left_out, means in self._means(judged, values, tests):
                aucs[left_out + 1, judged.trial] = attack(judged.trial, means)
        return aucs

    def _judged(self, masks: Mask) -> list[_Judged]:
        """Return each trial's judged samples, and the one that each test sample is treated like, drawn at random."""
        rng = np.random.default_rng(SEED)
        by_trial = []
        for trial, mask in enumerate(masks):
            samples = np.flatnonzero(mask & np.delete(self.unseen, trial, axis=0).any(axis=0))
            tests = np.arange(self.test_margin.shape[1]) if self.compared is None else self.compared[trial]
            tests = tests if len(samples) else tests[:0]
            by_trial.append(_Judged(trial, samples, tests, rng.choice(samples, len(tests)) if len(tests) else samples))
        return by_trial

    def _means(self, judged: _Judged, values: Floats, tests: Floats) -> Iterator[tuple[int, _Means]]:
        """Yield -1 and the means over the other trials' references, then each of these trials and the means without it.

        Samples without any reference are left out.
        """
        other_trials = np.delete(np.arange(len(self.unseen)), judged.trial)
        unseen, test_unseen = self.unseen[:, judged.samples], self.unseen[:, judged.like]
        value = np.where(unseen, values[:, judged.samples], 0)
        test_value = np.where(test_unseen, tests[:, judged.tests], 0)
        terms = unseen, value, test_unseen, test_value
        sums = [term[other_trials].sum(axis=0) for term in terms]
        for left_out in (-1, *other_trials):
            count, total, test_count, test_total = (
                summed - term[left_out] if left_out >= 0 else summed for summed, term in zip(sums, terms, strict=True)
            )
            present, test_present = np.flatnonzero(count), np.flatnonzero(test_count)
            means, test_means = total[present] / count[present], test_total[test_present] / test_count[test_present]
            yield int(left_out), _Means(judged.samples[present], means, test_present, test_means)


def _rmia(probability: Floats, test_probability: Floats, a: float, trial: int, means: _Means) -> float:
    """Return a trial's AUC by RMIA from probabilities of the label, (trials, samples) and (trials, tests).

    RMIA's score, the share of test samples that a ratio exceeds, rises with the ratio. So it is the ratios that are
    compared: a test sample's share would count the sample itself, and every AUC would be too large by 0.5 / tests.
    """
    ratios = probability[trial, means.samples] / ((1 + a) * means.of_samples + 1 - a)
    return auc(ratios, test_probability[trial, means.tests] / ((1 + a) * means.of_tests + 1 - a))
