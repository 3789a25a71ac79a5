"""Does a model take what it forgot for what no model was trained on? AUC of forgotten against test samples.

It is above 0.5 where forgotten samples still look like training data, below where they look worse than unseen ones. An
easy sample has a large margin in every model; the calibrated forms compare it with its margins in Retrains of other
trials that were not trained on it. The more there are of these, the less noise: so that this alone does not part the
sides, a test sample is compared with the Retrains of as many trials, those of a forgotten sample drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.samplewise.agreement import confidence
from benchmark.metrics.samplewise.margins import Floats, Mask, auc

SEED = 20_252
OFFLINE = [tenth / 10 for tenth in range(11)]  # RMIA's a


def margin_auc(margin: Floats, test_margin: Floats, forgotten: Mask) -> Floats:
    """Return the AUC of forgotten against test samples by their margin, the same as by their loss, (trials,)."""
    trials = zip(margin, test_margin, forgotten, strict=True)
    return np.array([auc(mine[mask], test) for mine, test, mask in trials])


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
        """Return the AUC by margin above the mean of the references' margins (Watson et al. 2022), (trials,)."""
        means = self._means(judged, self.margin, self.test_margin)
        return np.array(
            [auc(margin[t, of] - mean, test_margin[t] - tests) for t, (of, mean, tests) in enumerate(means)]
        )

    def rmia_auc(self, margin: Floats, test_margin: Floats, judged: Mask, a: float) -> Floats:
        """Return the AUC by offline RMIA with gamma 1, (trials,) (Zarifzadeh et al. 2024, *Low-Cost High-Power MIAs*).

        The score of x is the share of test samples z for which p(x) / E p(x) is above p(z) / E p(z), where p is the
        model's probability of the label and E p = ((1 + a) m + 1 - a) / 2 estimates, from the mean m over references,
        the mean over models of which half were trained on the sample.
        """
        return self._rmia(margin, test_margin, judged, [a])[0]

    def offline_a(self) -> float:
        """Return the a by which RMIA tells best what the references were trained on: no unlearned model is asked."""
        aucs = self._rmia(self.margin, self.test_margin, ~self.unseen, OFFLINE)
        return OFFLINE[int(np.nan_to_num(aucs).sum(axis=1).argmax())]

    def _rmia(self, margin: Floats, test_margin: Floats, judged: Mask, choices: Sequence[float]) -> Floats:
        """Return the AUC for each choice of a, (choices, trials)."""
        aucs = []
        means = self._means(judged, confidence(self.margin), confidence(self.test_margin))
        for t, (of, mean, tests) in enumerate(means):
            ours, theirs = confidence(margin[t, of]), confidence(test_margin[t])
            row = []
            for a in choices:
                ratios = np.sort(ours / ((1 + a) * mean + 1 - a)), np.sort(theirs / ((1 + a) * tests + 1 - a))
                row.append(auc(*(np.searchsorted(ratios[1], side) / len(theirs) for side in ratios)))
            aucs.append(row)
        return np.transpose(aucs)

    def _means(self, judged: Mask, values: Floats, tests: Floats) -> Iterator[tuple[Mask, Floats, Floats]]:
        """Yield, trial by trial, which samples are judged, the references' mean of these and of the test samples."""
        rng = np.random.default_rng(SEED)
        for trial in range(len(judged)):
            others = self.unseen & (np.arange(len(judged)) != trial)[:, None]
            count = others.sum(axis=0)
            of = judged[trial] & (count > 0)
            chosen = np.flatnonzero(of)
            if not len(chosen):
                yield of, np.zeros(0), np.full(tests.shape[1], np.nan)
                continue
            like = rng.choice(chosen, tests.shape[1])
            mean = np.where(others[:, chosen], values[:, chosen], 0).sum(axis=0) / count[chosen]
            yield of, mean, np.where(others[:, like], tests, 0).sum(axis=0) / count[like]
