"""All audits of a cell: one number per trial for every method, beside that of Retrain in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.bootstrap import Indices, mean_interval
from benchmark.metrics.samplewise import agreement, competition, nulls
from benchmark.metrics.samplewise.built_in_audits import AUDITS, BY_SAMPLE, Forgetting
from benchmark.metrics.samplewise.klom import klom
from benchmark.metrics.samplewise.likelihood import Attack, efficacy, strict
from benchmark.metrics.samplewise.margins import Floats, Mask, standardised
from benchmark.metrics.samplewise.never_seen import Contributions, References, leaving_out, margin_auc
from benchmark.metrics.samplewise.resampling import over_pairs
from benchmark.names import RETRAIN

PERCENTILE = 95  # of the samples' KLoM
MARGINS = ("margin", "test_margin", "unseen_margin")
COMPARED = (*BY_SAMPLE, "tug-of-war", "tug-of-war-mia")

COLUMNS = ["method", "audit", "trial", "value", "null", "pair", "enough"]

Values = dict[str, Floats]


@dataclass(frozen=True)
class MethodOutputs:
    """The outputs of a method's models, one row per trial.

    Attributes
    ----------
    trials : their numbers, (trials,).
    margin, prediction : of the training samples, (trials, samples).
    test_margin : of the evaluated test samples, (trials, tests).
    unseen_margin : of the test samples that forgotten ones may be compared with, (trials, tests): the same or, where a
        class is forgotten, those of that class.
    metrics : RA, UA, TA and MIA in per cent, (trials, 4).
    known : accuracy on forgotten samples beyond that on the test samples they are compared with, in points, (trials,).
        Where a class is forgotten, it is the accuracy on forgotten samples: evaluated tests are of other classes.
    """

    trials: Indices
    margin: Floats
    prediction: npt.NDArray[np.int16]
    test_margin: Floats
    unseen_margin: Floats
    metrics: Floats
    known: Floats

    def of(self, trials: Indices) -> MethodOutputs:
        """Return the outputs of some of the trials."""
        rows = [list(self.trials).index(trial) for trial in trials]
        return MethodOutputs(*(getattr(self, field.name)[rows] for field in fields(self)))

    @cached_property
    def standardised(self) -> MethodOutputs:
        """The same with all margins standardised by each model's test margins."""
        margins: Any = {name: standardised(getattr(self, name), self.test_margin) for name in MARGINS}
        return replace(self, **margins)


class Battery:
    """The audits of some trials of a cell, all of which Retrain has."""

    def __init__(self, retrain: MethodOutputs, forgetting: Forgetting):
        self.retrain, self.forgetting = retrain, forgetting
        self.trials = len(forgetting.trials)
        self.enough = {name: audit.enough(forgetting) for name, audit in AUDITS.items()}

    def audit(self, unlearned: MethodOutputs) -> Values:
        """Return one number per trial, (trials,), of each audit; NaN where there are too few trials."""
        values = {
            "average-gap": nulls.average_gap(unlearned.metrics, self.retrain.metrics),
            "kept": unlearned.known - self.retrain.known,
            **self._against_retrain(unlearned, efficacy),
            **_compared(unlearned, self.retrain, self.forgetting.forgotten),
        }
        return self._complete(values, unlearned, leaving_out)

    @cached_property
    def null(self) -> Values:
        """The audits of Retrain in the unlearned model's place: see `benchmark.metrics.samplewise.nulls`."""
        halves = self._against_retrain(self.retrain, lambda _, margin, mask: nulls.efficacy_by_halving(margin, mask))
        values = {
            "average-gap": nulls.average_gap_of_retrain(self.retrain.metrics),
            "kept": nulls.of_difference(self.retrain.known),
            **{name: nulls.of_exchanges(rates, self.trials) for name, rates in halves.items()},
            **{name: over_pairs([pair[name] for pair in self._pairs]) for name in COMPARED if self._pairs},
        }
        return self._complete(values, self.retrain, nulls.of_references)

    @property
    def pair(self) -> Values:
        """The null of single models: by audits that compare two of them, each trial's Retrain and one other's."""
        return self.null | next(iter(self._pairs), {})

    @cached_property
    def _pairs(self) -> list[Values]:
        """What audits of single models read for each trial's Retrain and that of the trial before, two before, ..."""
        retrain, forgotten = self.retrain, self.forgetting.forgotten
        pairs = []
        for shift in range(1, self.trials):
            others = retrain.of(np.roll(retrain.trials, shift))
            values = _compared(others, retrain, np.roll(forgotten, shift, axis=0) & forgotten)
            values["average-gap"] = np.abs(others.metrics - retrain.metrics).mean(axis=1)
            values["kept"] = others.known - retrain.known
            if not self.forgetting.retained_alike:  # Retrains of other images disagree more than a perfect unlearner
                values |= dict.fromkeys(BY_SAMPLE, np.full(self.trials, np.nan))
            pairs.append(values)
        return pairs

    def _against_retrain(self, unlearned: MethodOutputs, attack: Callable[[Floats, Floats, Mask], Attack]) -> Values:
        """Return an attack's measures, and its AUC on test samples and beyond it, by both forms of the margins.

        Where a class is forgotten, the test samples are those of the other classes.
        """
        values: Values = {}
        for form, first, second in (
            ("", unlearned, self.retrain),
            ("-standardised", unlearned.standardised, self.retrain.standardised),
        ):
            rates = attack(first.margin, second.margin, self.forgetting.forgotten)
            on_test = attack(first.test_margin, second.test_margin, self._as_if_forgotten).auc
            on_test = np.where(np.isnan(rates.auc), np.nan, on_test)  # shown beside the other, or not at all
            measures = rates._asdict() | {"auc-test": on_test, "auc-beyond": rates.auc - on_test}
            values |= {f"efficacy-{measure}{form}": value for measure, value in measures.items()}
        return values

    @cached_property
    def _as_if_forgotten(self) -> Mask:
        return self.forgetting.like(self.retrain.test_margin.shape[1])

    def _complete(self, values: Values, unlearned: MethodOutputs, contributions: Contributions) -> Values:
        """Add the audits computed alike for unlearned models and Retrain; blank those with too few trials."""
        values = values | self._over_halves(unlearned) | self._against_unseen(unlearned, contributions)
        no_value = np.full(self.trials, np.nan)
        return {name: values[name] if self.trials >= enough else no_value for name, enough in self.enough.items()}

    def _over_halves(self, unlearned: MethodOutputs) -> Values:
        """Return KLoM and F where there are enough trials; both are slow."""
        forgotten = self.forgetting.forgotten
        margin, retrain = (np.where(forgotten, outputs.margin, np.nan) for outputs in (unlearned, self.retrain))

        def quality(first: Indices, second: Indices) -> float:
            models = np.minimum(forgotten[first].sum(axis=0), forgotten[second].sum(axis=0))
            judged = models > 0
            epsilons = competition.epsilon(margin[first][:, judged], retrain[second][:, judged])
            return competition.quality(epsilons, models[judged])

        statistics: dict[str, Callable[[Indices, Indices], float]] = {
            "klom": lambda first, second: float(np.nanmean(klom(margin[first], retrain[second]))),
            "klom-95": lambda first, second: float(np.nanpercentile(klom(margin[first], retrain[second]), PERCENTILE)),
            "forgetting-quality": quality,
        }
        return {
            name: nulls.halved(statistic, self.trials)
            for name, statistic in statistics.items()
            if self.trials >= self.enough[name]
        }

    def _against_unseen(self, unlearned: MethodOutputs, contributions: Contributions) -> Values:
        references, a = self._references
        margins = unlearned.margin, self.forgetting.compared_of(unlearned.unseen_margin), self.forgetting.forgotten
        among_themselves = strict(unlearned.margin, self.forgetting.forgotten, self.forgetting.held_out)
        return {
            "unseen-auc": margin_auc(*margins),
            "unseen-auc-calibrated": references.calibrated_auc(*margins, contributions),
            "rmia-auc": references.rmia_auc(*margins, a, contributions),
            **{f"u-lira-{measure}": values for measure, values in among_themselves._asdict().items()},
        }

    @cached_property
    def _references(self) -> tuple[References, float]:
        retrain, forgetting = self.retrain, self.forgetting
        references = References(retrain.margin, retrain.unseen_margin, forgetting.unseen, forgetting.compared)
        return references, references.offline_a()


def beside_retrain(
    methods: Mapping[str, MethodOutputs], forgetting: Forgetting
) -> Iterator[tuple[str, MethodOutputs, MethodOutputs, Forgetting]]:
    """Yield each method but Retrain, its outputs, Retrain's and what was forgotten, over the trials that all have."""
    for method, outputs in methods.items():
        shared = np.intersect1d(np.intersect1d(outputs.trials, methods[RETRAIN].trials), forgetting.trials)
        if method != RETRAIN and len(shared):
            yield method, outputs.of(shared), methods[RETRAIN].of(shared), forgetting.of(shared)


def by_trial(methods: Mapping[str, MethodOutputs], forgetting: Forgetting) -> pd.DataFrame:
    """Return a row per method, audit and trial, with the columns `COLUMNS`.

    Each method and its null are audited over the trials that Retrain has too. ``pair`` is the null of a single pair of
    Retrains, where ``null`` is what a trial contributes to a mean. The three numbers are NaN where there are fewer
    trials than ``enough``, which is infinite where no number of trials would do.
    """
    batteries: dict[tuple[int, ...], Battery] = {}
    rows = []
    for method, outputs, retrain, shared in beside_retrain(methods, forgetting):
        key = tuple(map(int, shared.trials))
        if key not in batteries:
            batteries[key] = Battery(retrain, shared)
        battery = batteries[key]
        for audit, values in battery.audit(outputs).items():
            numbers = values, battery.null[audit], battery.pair[audit], battery.enough[audit]
            columns = dict(zip(COLUMNS, (method, audit, shared.trials, *numbers), strict=True))
            rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


def summary(trials: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return a row per method and audit: means over trials of the method and of its null, with 95 % intervals.

    ``trials`` is what `by_trial` returns, preceded by the columns ``keys``, such as those of a cell. Columns ``keys,
    method, audit, value, low, high, null, null_low, null_high, trials, enough``; rows in order of appearance.
    """
    rows = []
    for key, group in trials.groupby([*keys, "method", "audit"], sort=False):
        estimates = [_estimate(group[column].to_numpy(dtype=float)) for column in ("value", "null")]
        rows.append([*key, *estimates[0], *estimates[1], len(group), group["enough"].iloc[0]])
    numbers = ["value", "low", "high", "null", "null_low", "null_high"]
    return pd.DataFrame(rows, columns=[*keys, "method", "audit", *numbers, "trials", "enough"])


def _estimate(values: Floats) -> tuple[float, float, float]:
    present = values[~np.isnan(values)]
    return (float(present.mean()) if len(present) else np.nan, *mean_interval(present))


def _compared(unlearned: MethodOutputs, retrain: MethodOutputs, forgotten: Mask) -> Values:
    """Return the audits that compare single models, row by row."""
    metrics = unlearned.metrics, retrain.metrics
    values = (
        agreement.disagreement(unlearned.prediction, retrain.prediction, forgotten),
        agreement.confidence_difference(unlearned.margin, retrain.margin, forgotten),
        agreement.tug_of_war(*metrics),
        agreement.tug_of_war(*metrics, agreement.TUG_OF_WAR_MIA),
    )
    return dict(zip(COMPARED, values, strict=True))
