"""All audits of a cell: a number a trial for every method, and beside it what Retrain in its place reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.bootstrap import Indices, mean_interval
from benchmark.metrics.samplewise import agreement, competition, nulls
from benchmark.metrics.samplewise.klom import klom
from benchmark.metrics.samplewise.likelihood import Attack, efficacy, strict
from benchmark.metrics.samplewise.margins import Floats, Mask, standardised
from benchmark.metrics.samplewise.never_seen import References, margin_auc
from benchmark.metrics.samplewise.resampling import over_pairs
from benchmark.metrics.samplewise.sufficiency import AUDITS, Forgetting
from benchmark.names import RETRAIN

PERCENTILE = 95  # of the samples' KLoM
COMPARED = ("disagreement", "confidence-difference", "tug-of-war", "tug-of-war-mia")

COLUMNS = ["method", "audit", "trial", "value", "null", "enough"]

Values = dict[str, Floats]


@dataclass(frozen=True)
class Outputs:
    """What a method's models say, a row a trial.

    Attributes
    ----------
    trials : their numbers, (trials,).
    margin, prediction : of the training samples, (trials, samples).
    test_margin : of the test samples that count, (trials, tests).
    unseen_margin : of those that forgotten samples are compared with, (trials, tests): the same or, where a class is
        forgotten, the test samples of that class.
    metrics : RA, UA, TA and MIA in per cent, (trials, 4).
    """

    trials: Indices
    margin: Floats
    prediction: npt.NDArray[np.int16]
    test_margin: Floats
    unseen_margin: Floats
    metrics: Floats

    def of(self, trials: Indices) -> Outputs:
        """Return the outputs of some of the trials."""
        rows = [list(self.trials).index(trial) for trial in trials]
        return Outputs(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def standardised(self) -> Outputs:
        """The same with margins standardised by each model's test margins."""
        return replace(self, margin=standardised(self.margin, self.test_margin))


class Battery:
    """The audits of some trials of a cell, all of which Retrain has."""

    def __init__(self, retrain: Outputs, given: Forgetting):
        self.retrain, self.given = retrain, given
        self.trials = len(given.trials)
        self.enough = {name: audit.enough(given) for name, audit in AUDITS.items()}

    def audit(self, unlearned: Outputs) -> Values:
        """Return a number a trial, (trials,), of each audit; NaN where the trials are not enough."""
        retrain, forgotten = self.retrain, self.given.forgotten
        apart = unlearned.standardised.margin, retrain.standardised.margin
        values = {
            "average-gap": nulls.average_gap(unlearned.metrics, retrain.metrics),
            **_named("efficacy-{}", efficacy(unlearned.margin, retrain.margin, forgotten)),
            **_named("efficacy-{}-standardised", efficacy(*apart, forgotten)),
            **_compared(unlearned, retrain, forgotten),
        }
        return self._completed(values, unlearned)

    @cached_property
    def null(self) -> Values:
        """The same with Retrain in the unlearned model's place: see `benchmark.metrics.samplewise.nulls`."""
        retrain, forgotten = self.retrain, self.given.forgotten
        trials = retrain.trials
        pairs = [
            _compared(retrain.of(others), retrain, self.given.of(others).forgotten & forgotten)
            for others in (np.roll(trials, shift) for shift in range(1, len(trials)))
        ]
        values = {
            "average-gap": nulls.average_gap_of_retrain(retrain.metrics),
            **_named("efficacy-{}", nulls.efficacy_of_retrain(retrain.margin, forgotten)),
            **_named("efficacy-{}-standardised", nulls.efficacy_of_retrain(retrain.standardised.margin, forgotten)),
            **{name: over_pairs([pair[name] for pair in pairs]) for name in COMPARED if pairs},
        }
        return self._completed(values, retrain)

    def _completed(self, values: Values, unlearned: Outputs) -> Values:
        """Add what is computed for an unlearned model as for Retrain; drop what the trials do not carry."""
        values = values | self._by_halves(unlearned) | self._against_unseen(unlearned)
        none = np.full(self.trials, np.nan)
        return {name: values[name] if self._carries(name) else none for name in AUDITS}

    def _carries(self, audit: str) -> bool:
        return self.trials >= self.enough[audit]

    def _by_halves(self, unlearned: Outputs) -> Values:
        """Return KLoM and F, where the trials are enough: they take time."""
        forgotten = self.given.forgotten
        ours, theirs = (np.where(forgotten, one.margin, np.nan) for one in (unlearned, self.retrain))

        def quality(one: Indices, other: Indices) -> float:
            models = np.minimum(forgotten[one].sum(axis=0), forgotten[other].sum(axis=0))
            there = models > 0
            return competition.quality(competition.epsilon(ours[one][:, there], theirs[other][:, there]), models[there])

        statistics: dict[str, Callable[[Indices, Indices], float]] = {
            "klom": lambda one, other: float(np.nanmean(klom(ours[one], theirs[other]))),
            "klom-95": lambda one, other: float(np.nanpercentile(klom(ours[one], theirs[other]), PERCENTILE)),
            "forgetting-quality": quality,
        }
        return {name: nulls.halved(of, self.trials) for name, of in statistics.items() if self._carries(name)}

    def _against_unseen(self, unlearned: Outputs) -> Values:
        references, a = self._references
        ours = unlearned.margin, unlearned.unseen_margin, self.given.forgotten
        return {
            "unseen-auc": margin_auc(*ours),
            "unseen-auc-calibrated": references.calibrated_auc(*ours),
            "rmia-auc": references.rmia_auc(*ours, a),
            **_named("u-lira-{}", strict(unlearned.margin, self.given.forgotten, self.given.held_out)),
        }

    @cached_property
    def _references(self) -> tuple[References, float]:
        references = References(self.retrain.margin, self.retrain.unseen_margin, self.given.unseen)
        return references, references.offline_a()


def beside_retrain(
    methods: Mapping[str, Outputs], given: Forgetting
) -> Iterator[tuple[str, Outputs, Outputs, Forgetting]]:
    """Yield each other method, its outputs, Retrain's, and what was forgotten: of the trials that all of them have."""
    for method, outputs in methods.items():
        shared = np.intersect1d(np.intersect1d(outputs.trials, methods[RETRAIN].trials), given.trials)
        if method != RETRAIN and len(shared):
            yield method, outputs.of(shared), methods[RETRAIN].of(shared), given.of(shared)


def by_trial(methods: Mapping[str, Outputs], given: Forgetting) -> pd.DataFrame:
    """Return a row a method, audit and trial: columns ``method, audit, trial, value, null, enough``.

    Each method is audited over the trials that Retrain has too, which are also those of its null. ``value`` and
    ``null`` are NaN where the trials are fewer than ``enough``, which is infinite where no number would be.
    """
    batteries: dict[tuple[int, ...], Battery] = {}
    rows = []
    for method, outputs, retrain, here in beside_retrain(methods, given):
        key = tuple(map(int, here.trials))
        if key not in batteries:
            batteries[key] = Battery(retrain, here)
        battery = batteries[key]
        for audit, values in battery.audit(outputs).items():
            columns = {"method": method, "audit": audit, "trial": here.trials, "value": values}
            rows.append(pd.DataFrame({**columns, "null": battery.null[audit], "enough": battery.enough[audit]}))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


def summary(trials: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return a row a method and audit: means over trials, of the method and of its null, with 95 % intervals.

    ``trials`` is what `by_trial` returns, with the columns ``keys`` before it, such as those of a cell.

    Returns
    -------
    ``keys, method, audit, value, low, high, null, null_low, null_high, trials, enough``, in order of appearance.
    """
    rows = []
    for place, group in trials.groupby([*keys, "method", "audit"], sort=False):
        estimates = [_estimate(group[column].to_numpy(dtype=float)) for column in ("value", "null")]
        rows.append([*place, *estimates[0], *estimates[1], len(group), group["enough"].iloc[0]])
    numbers = ["value", "low", "high", "null", "null_low", "null_high"]
    return pd.DataFrame(rows, columns=[*keys, "method", "audit", *numbers, "trials", "enough"])


def _estimate(values: Floats) -> tuple[float, float, float]:
    there = values[~np.isnan(values)]
    return (float(there.mean()) if len(there) else np.nan, *mean_interval(there))


def _compared(unlearned: Outputs, retrain: Outputs, forgotten: Mask) -> Values:
    """Return the audits that compare single models, row by row."""
    metrics = unlearned.metrics, retrain.metrics
    values = (
        agreement.disagreement(unlearned.prediction, retrain.prediction, forgotten),
        agreement.confidence_difference(unlearned.margin, retrain.margin, forgotten),
        agreement.tug_of_war(*metrics),
        agreement.tug_of_war(*metrics, agreement.TUG_OF_WAR_MIA),
    )
    return dict(zip(COMPARED, values, strict=True))


def _named(name: str, attack: Attack) -> Values:
    return {name.format(what): values for what, values in attack._asdict().items()}
