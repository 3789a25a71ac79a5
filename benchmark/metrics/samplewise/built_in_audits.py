"""The built-in audits, what a perfect unlearner reads in each, and how many trials each needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise import competition, klom
from benchmark.metrics.samplewise.margins import Floats, Mask
from benchmark.names import CHOSEN, Scenario

JUDGED = 100  # forgotten samples per trial that an attack needs, or half of them where they are few
SEED = 20_255
BY_SAMPLE = ("disagreement", "confidence-difference")
FITTED = 3  # trials: with one left out, two remain for a variance


@dataclass(frozen=True)
class Forgetting:
    """The trials' numbers, and masks of what each forgot and what it held out of all training: (trials, samples).

    ``compared`` are the test samples that each trial's forgotten ones are compared with, (trials, n), if not all.
    """

    trials: Indices
    forgotten: Mask
    held_out: Mask
    compared: Indices | None = None

    def of(self, trials: Indices) -> Forgetting:
        """Return what some of the trials forgot and held out."""
        rows = [list(self.trials).index(trial) for trial in trials]
        compared = None if self.compared is None else self.compared[rows]
        return Forgetting(trials, self.forgotten[rows], self.held_out[rows], compared)

    def compared_of(self, tests: Floats) -> Floats:
        """Return of numbers of test samples, (trials, tests), those that each trial compares with."""
        return tests if self.compared is None else np.take_along_axis(tests, self.compared, axis=1)

    @property
    def unseen(self) -> Mask:
        """What each trial's Retrain was not trained on."""
        return self.forgotten | self.held_out

    @property
    def retained_alike(self) -> bool:
        """Whether all trials retain the same samples, as where each forgets the same class."""
        return bool((self.unseen == self.unseen[0]).all())

    def like(self, samples: int) -> Mask:
        """Return a mask of other samples, (trials, samples), as if they were forgotten in the same trials.

        Each of them gets the trials of a random sample that two trials or more forgot, so that an attack has as many
        models for it. The mask is empty where there is no such sample.
        """
        shared = self.forgotten[:, self.forgotten.sum(axis=0) > 1]
        if not shared.size:
            return np.zeros((len(self.trials), samples), dtype=bool)
        return shared[:, np.random.default_rng(SEED).integers(shared.shape[1], size=samples)]

    def overlap(self, mask: Mask) -> float:
        """Return the share of the other trials in whose mask a trial's forgotten sample is, on average.

        With ``forgotten`` as the mask it is 1 where all trials forget the same class. Where no sample is forgotten in
        two trials, as with a single one, return the mask's mean: what independent draws share on average.
        """
        if not (self.forgotten.sum(axis=0) > 1).any():
            return float(mask.mean())
        elsewhere = mask.sum(axis=0) - mask
        return float(elsewhere[self.forgotten].mean() / (len(mask) - 1))


def for_pairs(_: Forgetting) -> float:
    """Return 2: an audit that compares single models needs two trials for its null."""
    return 2


def for_attack(forgetting: Forgetting) -> float:
    """Return how many trials it takes for `JUDGED` samples of each, on average, to be forgotten in another one."""
    share, forgotten = forgetting.overlap(forgetting.forgotten), forgetting.forgotten.sum(axis=1).mean()
    if not share:
        return math.inf
    judged_share = min(JUDGED / forgotten, 0.5)
    other_trials = math.ceil(math.log(1 - judged_share) / math.log(1 - share)) if share < 1 else 1
    return max(FITTED, 1 + other_trials)


def for_strict(forgetting: Forgetting) -> float:
    """Return how many trials it takes to forget a sample twice and hold it out twice; infinity if none is held out."""
    smallest_share = min(forgetting.overlap(forgetting.forgotten), forgetting.overlap(forgetting.held_out))
    return math.ceil(2 / smallest_share) if smallest_share else math.inf


def for_models(models: int) -> Callable[[Forgetting], float]:
    """Return a function to how many trials it takes for ``models`` in each half to have forgotten a sample."""

    def enough(forgetting: Forgetting) -> float:
        share = forgetting.overlap(forgetting.forgotten)
        return math.ceil(2 * models / share) if share else math.inf

    return enough


@dataclass(frozen=True)
class Audit:
    """What an audit reads for a perfect unlearner, and the function that says how many trials it needs.

    ``ideal`` is None where the null gives that reading: it depends on how much Retrains differ from one another, or on
    how much forget samples differ from test samples, as those chosen by a file do.
    """

    ideal: float | None
    enough: Callable[[Forgetting], float]


def _attack(template: str, enough: Callable[[Forgetting], float]) -> dict[str, Audit]:
    ideals = {"auc": 0.5, "accuracy": 50.0, "tpr": 1.0}
    return {template.format(measure): Audit(ideal, enough) for measure, ideal in ideals.items()}


AUDITS: Mapping[str, Audit] = {
    "average-gap": Audit(None, for_pairs),
    **_attack("efficacy-{}", for_attack),
    **_attack("efficacy-{}-standardised", for_attack),
    "efficacy-auc-test": Audit(0.5, for_attack),
    "efficacy-auc-beyond": Audit(0.0, for_attack),
    "efficacy-auc-beyond-standardised": Audit(0.0, for_attack),
    "klom": Audit(None, for_models(klom.MODELS)),
    "klom-95": Audit(None, for_models(klom.MODELS)),
    "forgetting-quality": Audit(None, for_models(competition.MODELS)),
    "disagreement": Audit(None, for_pairs),
    "confidence-difference": Audit(None, for_pairs),
    "tug-of-war": Audit(None, for_pairs),
    "tug-of-war-mia": Audit(None, for_pairs),
    "kept": Audit(0.0, for_pairs),
    "unseen-auc": Audit(None, for_pairs),
    "unseen-auc-calibrated": Audit(0.5, for_attack),
    "rmia-auc": Audit(None, for_attack),
    **_attack("u-lira-{}", for_strict),
}


def ideal(audit: str, null: float, scenario: str) -> float:
    """Return what a method's distance by an audit is measured from: its ideal or, in own audits too, the null.

    Audits of `BY_SAMPLE` have no null where trials retain different samples. The nearest is then what reads least. The
    calibrated AUC has no ideal where test samples are matched: they are less hard than they looked to the references.
    """
    matched = audit == "unseen-auc-calibrated" and Scenario(scenario).kind in CHOSEN
    fixed = AUDITS[audit].ideal if audit in AUDITS and not matched else None
    if fixed is not None:
        return fixed
    return 0.0 if math.isnan(null) and audit in BY_SAMPLE else null
