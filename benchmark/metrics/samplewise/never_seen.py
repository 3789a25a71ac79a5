"""Does a model take what it forgot for what no model was trained on? AUC of forgotten against test samples.

It is above 0.5 where forgotten samples still look like training data, below where they look worse than unseen ones. An
easy sample has a large margin in every model; the calibrated forms compare it with its margins in Retrains of other
trials that were not trained on it. The more there are of these, the less noise: so that this alone does not part the
sides, a test sample is compared with the Retrains of as many trials, those of a forgotten sample drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise.agreement import confidence
from benchmark.metrics.samplewise.margins import Floats, Mask, auc
from benchmark.metrics.samplewise.resampling import jackknife, nan_mean

SEED = 20_252
OFFLINE = [tenth / 10 for tenth in range(11)]  # RMIA's a


def margin_auc(margin: Floats, test_margin: Floats, forgotten: Mask) -> Floats:
    """Return the AUC of forgotten against test samples by their margin, the same as by their loss, (trials,)."""
    trials = zip(margin, test_margin, forgotten, strict=True)
    return np.array([auc(mine[mask], test) for mine, test, mask in trials])


class _Drawn(NamedTuple):
    """What is judged in a trial: samples (n,), and the one that each test sample is treated like, (tests,)."""

    trial: int
    samples: Indices
    like: Indices


class _Means(NamedTuple):
    """Means over references, of samples (n,) and of tests (m,), which those are that have any reference."""

    samples: Indices
    of_samples: Floats
    tests: Indices
    of_tests: Floats


Attacked = Callable[[int, _Means], float]  # from a trial's number and its references' means to an AUC


@dataclass(frozen=True)
class References:
    """What models never trained on a sample say of it: Retrains of other trials.

    Attributes
    ----------
    margin, test_margin : of the Retrains, (trials, samples) and (trials, tests).
    unseen : what each of them was not trained on, (trials, samples).
    """

    margin: Floats
    test_margin: Floats
    unseen: Mask

    def calibrated_auc(self, margin: Floats, test_margin: Floats, judged: Mask) -> Floats:
        """Return the AUC by margin above the mean of the references' margins (Watson et al. 2022), (trials,).

        What stands for a trial is its contribution to the mean over trials: see `resampling.jackknife`.
        """

        def attacked(trial: int, means: _Means) -> float:
            ours, theirs = margin[trial, means.samples], test_margin[trial, means.tests]
            return auc(ours - means.of_samples, theirs - means.of_tests)

        return self._contributions(judged, self.margin, self.test_margin, attacked)

    def rmia_auc(self, margin: Floats, test_margin: Floats, judged: Mask, a: float) -> Floats:
        """Return the AUC by offline RMIA with gamma 1, (trials,) (Zarifzadeh et al. 2024, *Low-Cost High-Power MIAs*).

        The score of x is the share of test samples z for which p(x) / E p(x) is above p(z) / E p(z), where p is the
        model's probability of the label and E p = ((1 + a) m + 1 - a) / 2 estimates, from the mean m over references,
        the mean over models of which half were trained on the sample. Trials contribute as in `calibrated_auc`.
        """
        ours, theirs = confidence(margin), confidence(test_margin)
        references = confidence(self.margin), confidence(self.test_margin)
        return self._contributions(judged, *references, partial(_rmia, ours, theirs, a))

    def offline_a(self) -> float:
        """Return the a by which RMIA tells best what the references were trained on: no unlearned model is asked."""
        ours, theirs = confidence(self.margin), confidence(self.test_margin)
        aucs = []
        for drawn in self._drawn(~self.unseen):
            _, means = next(self._means(drawn, ours, theirs))
            aucs.append([_rmia(ours, theirs, a, drawn.trial, means) for a in OFFLINE])
        return OFFLINE[int(np.nan_to_num(aucs).sum(axis=0).argmax())]

    def _contributions(self, judged: Mask, values: Floats, tests: Floats, attacked: Attacked) -> Floats:
        """Return what each trial contributes, as attacked and as a reference, to the mean over trials of an AUC."""
        trials = len(judged)
        aucs = np.full((trials, 1 + trials), np.nan)  # of all references, then without each of them
        for drawn in self._drawn(judged):
            for out, means in self._means(drawn, values, tests):
                aucs[drawn.trial, out + 1] = attacked(drawn.trial, means)
        whole, *left = nan_mean(aucs)
        return jackknife(whole, left)

    def _drawn(self, judged: Mask) -> list[_Drawn]:
        """Return, trial by trial, what is judged, and the forgotten sample that each test sample is treated like."""
        rng = np.random.default_rng(SEED)
        drawn = []
        for trial, mine in enumerate(judged):
            samples = np.flatnonzero(mine & np.delete(self.unseen, trial, axis=0).any(axis=0))
            tests = self.test_margin.shape[1] if len(samples) else 0
            drawn.append(_Drawn(trial, samples, rng.choice(samples, tests) if tests else samples))
        return drawn

    def _means(self, drawn: _Drawn, values: Floats, tests: Floats) -> Iterator[tuple[int, _Means]]:
        """Yield the means over the other trials' references, as -1, then without each of these by its number.

        Samples without any reference are left out.
        """
        others = np.delete(np.arange(len(self.unseen)), drawn.trial)
        count, like = self.unseen[:, drawn.samples], self.unseen[:, drawn.like]
        value, test = np.where(count, values[:, drawn.samples], 0), np.where(like, tests[:, : len(drawn.like)], 0)
        sums = [part[others].sum(axis=0) for part in (count, value, like, test)]
        for out in (-1, *others):
            n, total, m, total_test = (
                whole - part[out] if out >= 0 else whole
                for whole, part in zip(sums, (count, value, like, test), strict=True)
            )
            known, there = np.flatnonzero(n), np.flatnonzero(m)
            yield int(out), _Means(drawn.samples[known], total[known] / n[known], there, total_test[there] / m[there])


def _rmia(ours: Floats, theirs: Floats, a: float, trial: int, means: _Means) -> float:
    """Return a trial's AUC by RMIA, from probabilities of the label, (trials, samples) and (trials, tests)."""
    mine = ours[trial, means.samples] / ((1 + a) * means.of_samples + 1 - a)
    tests = np.sort(theirs[trial, means.tests] / ((1 + a) * means.of_tests + 1 - a))
    return auc(*(np.searchsorted(tests, side) / len(tests) for side in (np.sort(mine), tests)))
