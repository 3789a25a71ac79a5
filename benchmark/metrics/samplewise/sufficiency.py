"""Which audits there are, what a perfect unlearner reads in each, and how many trials are enough for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmark.metrics.bootstrap import Indices
from benchmark.metrics.samplewise import competition, klom
from benchmark.metrics.samplewise.margins import Mask

JUDGED = 100  # forgotten samples a trial that an attack needs, or half of them where they are few
FITTED = 3  # trials: with one left out, two are left to have a variance


@dataclass(frozen=True)
class Forgetting:
    """What each trial forgot, and what it held out of all training: (trials, samples), with the trials' numbers."""

    trials: Indices
    forgotten: Mask
    held_out: Mask

    def of(self, trials: Indices) -> Forgetting:
        """Return what some of the trials forgot and held out."""
        rows = [list(self.trials).index(trial) for trial in trials]
        return Forgetting(trials, self.forgotten[rows], self.held_out[rows])

    @property
    def unseen(self) -> Mask:
        """What each trial's Retrain was not trained on."""
        return self.forgotten | self.held_out

    def share(self, mask: Mask) -> float:
        """Return in which share of the other trials a sample that one forgot is in a mask.

        That is 1 where all trials forget the same, as a class. Of one trial it is the share of all samples.
        """
        if len(mask) < 2:
            return float(mask.mean())
        others = mask.sum(axis=0) - mask
        return float(others[self.forgotten].mean() / (len(mask) - 1))


def for_pairs(_: Forgetting) -> float:
    """Return 2: what compares models of one trial has its null from two."""
    return 2


def for_attack(given: Forgetting) -> float:
    """Return how many trials let `JUDGED` samples of each, on average, be forgotten in another one."""
    share, forgotten = given.share(given.forgotten), given.forgotten.sum(axis=1).mean()
    if not share:
        return math.inf
    wanted = min(JUDGED / forgotten, 0.5)
    others = math.ceil(math.log(1 - wanted) / math.log(1 - share)) if share < 1 else 1
    return max(FITTED, 1 + others)


def for_strict(given: Forgetting) -> float:
    """Return how many trials forget a sample twice and hold it out twice; infinity where nothing is held out."""
    least = min(given.share(given.forgotten), given.share(given.held_out))
    return math.ceil(2 / least) if least else math.inf


def for_models(models: int) -> Callable[[Forgetting], float]:
    """Return how many trials have halves with so many models each that forgot a sample."""
    return lambda given: math.ceil(2 * models / share) if (share := given.share(given.forgotten)) else math.inf


@dataclass(frozen=True)
class Audit:
    """What an audit reads for a perfect unlearner, and a function to how many trials are enough for it.

    ``ideal`` is what it reads whatever the trials; None where that depends on how unlike Retrains are to one another,
    so that only the null says.
    """

    ideal: float | None
    enough: Callable[[Forgetting], float]


def _attack(name: str, enough: Callable[[Forgetting], float]) -> dict[str, Audit]:
    ideals = {"auc": 0.5, "accuracy": 50.0, "tpr": 1.0}
    return {name.format(what): Audit(ideal, enough) for what, ideal in ideals.items()}


AUDITS: Mapping[str, Audit] = {
    "average-gap": Audit(None, for_pairs),
    **_attack("efficacy-{}", for_attack),
    **_attack("efficacy-{}-standardised", for_attack),
    "klom": Audit(None, for_models(klom.MODELS)),
    "klom-95": Audit(None, for_models(klom.MODELS)),
    "forgetting-quality": Audit(None, for_models(competition.MODELS)),
    "disagreement": Audit(None, for_pairs),
    "confidence-difference": Audit(None, for_pairs),
    "tug-of-war": Audit(None, for_pairs),
    "tug-of-war-mia": Audit(None, for_pairs),
    "unseen-auc": Audit(0.5, for_pairs),
    "unseen-auc-calibrated": Audit(0.5, for_attack),
    "rmia-auc": Audit(0.5, for_attack),
    **_attack("u-lira-{}", for_strict),
}


def ideal(audit: str, null: float) -> float:
    """Return what a perfect unlearner reads in an audit: the null where only that says, as of a study's own audits."""
    known = AUDITS[audit].ideal if audit in AUDITS else None
    return null if known is None else known
