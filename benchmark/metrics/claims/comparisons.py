"""Claims that compare average gaps within a cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Statistic
from benchmark.metrics.claims.claim import (
    ALL_ELSE_SAME,
    BASES,
    FURTHER,
    MAIN,
    OTHERS,
    OURS,
    Tested,
    against,
    lead,
    signed,
    with_term,
    within,
)
from benchmark.metrics.evidence import Evidence, Trials, in_cell
from benchmark.metrics.gaps import summarise
from benchmark.names import DIVERGED, MethodName, name_with_term

NEAR = 1.5  # a temperature within this factor of the paper's counts as near it
BUDGET = 1.05  # costs within this factor count as equal

Methods = Sequence[str]
Formula = Callable[[Trials, list[str], list[str]], Statistic]
Choice = Callable[[list[Any]], tuple[list[Any], list[Any]]]  # from a setting's values to the favoured and their rivals


class Pair(NamedTuple):
    """Two groups of methods to compare, in words what is compared, and `Tested`'s ``method`` and ``also``."""

    ours: Methods
    others: Methods
    subject: str = ""
    method: str = ""
    also: str = ""


Pairs = Iterable[Pair]


def _lag(trials: Trials, ours: list[str], others: list[str]) -> Statistic:
    """Return by how much our largest average gap lies above the others' largest, in points."""
    return lambda drawn: trials.gaps(ours, drawn).max(axis=0) - trials.gaps(others, drawn).max(axis=0)


def _compared(pairs: Callable[[pd.DataFrame], Pairs], evidence: Evidence, formula: Formula = lead) -> Iterator[Tested]:
    """Compare in each cell the pairs that ``pairs`` makes of its runs, as far as their methods have runs."""
    for cell in evidence.cells("random"):
        runs = in_cell(evidence.metrics, cell)
        for pair in pairs(runs):
            trials = Trials(runs, cell, [*pair.others, *pair.ours])
            ours, others = ([name for name in names if name in trials.methods] for names in (pair.ours, pair.others))
            if ours and others and len(trials):
                statistic, subject = formula(trials, ours, others), pair.subject or against(others)
                yield Tested.of(cell, subject, statistic, trials, method=pair.method, also=pair.also)


def _term(runs: pd.DataFrame) -> Pairs:
    for base in BASES:
        added = name_with_term(base)
        matching, also = matching_variants(runs, base, added)
        yield Pair([added], [base], with_term(base, also), base, also)
        # Where the term comes with other values of the base's own settings, a base run with these isolates the term.
        for variant in matching if also else []:
            yield Pair([added], [variant], with_term(base, ALL_ELSE_SAME), base, ALL_ELSE_SAME)


def matching_variants(runs: pd.DataFrame, base: str, added: str) -> tuple[list[str], str]:
    """Return a cell's variants of the base with the settings of the run with the term, and how the base differs."""
    runs = runs.drop_duplicates("method").set_index("method")
    if not {base, added} <= set(runs.index):
        return [], ""
    settings = runs.loc[base, _settings(runs)].dropna().index.tolist()
    base_values, target = runs.loc[base], runs.loc[added, settings]
    words = [
        f"`{name.removeprefix('setting_')}` {_short(target[name])} for {_short(base_values[name])}"
        for name in settings
        if base_values[name] != target[name]
    ]
    variants = [method for method in runs.index if MethodName.parse(method).head == base and method != base]
    matching = [method for method in variants if (runs.loc[method, settings] == target).all()]
    return matching, ", ".join(words)


def _budget(runs: pd.DataFrame) -> Pairs:
    """Compare each main method with ours, at the largest number of epochs that costs no more.

    Where `_term` or `best` compares the same two runs, they are not counted again.
    """
    whole = runs[runs["status"] != DIVERGED] if "status" in runs else runs  # a run that diverges stops early
    costs = whole.groupby("method")["pflops_executed"].mean()
    names = map(MethodName.parse, costs.index)
    ours = costs[[name.head == OURS and dict(name.settings).keys() <= {"epochs"} for name in names]]
    rivals = summarise(runs).set_index("method")["avg_gap"].reindex(OTHERS).dropna()
    for other in [method for method in OTHERS if method in costs]:
        affordable = ours[ours <= BUDGET * costs[other]]
        if len(affordable):
            share = 100 * affordable.max() / costs[other]
            longest = str(affordable.idxmax())
            if other in BASES and longest == name_with_term(other):
                continue
            if longest == OURS and other == rivals.idxmin():
                continue
            yield Pair([longest], [other], f"`{longest}` at {share:.0f} % of the cost of `{other}`", other)


def _ablation(setting: str, choice: Choice, runs: pd.DataFrame) -> Pairs:
    """Compare our runs that differ in one setting only: the favoured values against their rivals."""
    column = f"setting_{setting}"
    ours = runs[[MethodName.parse(method).head == OURS for method in runs["method"]]].drop_duplicates("method")
    if column not in ours or ours.empty:
        return
    for _, rows in ours.groupby([name for name in _settings(ours) if name != column], dropna=False, sort=False):
        by_value = dict(zip(rows[column], rows["method"], strict=True))
        favoured, rivals = choice(sorted(by_value))
        methods = [by_value[value] for value in (*favoured, *rivals)]
        # The settings to which all of the runs' names give the same value, such as fewer epochs.
        common = set.intersection(*(set(MethodName.parse(method).settings) for method in methods)) if methods else set()
        shared = "".join(f", `{key}` {value}" for key, value in sorted(common))
        values = " against ".join(", ".join(map(_short, group)) for group in (favoured, rivals))
        yield Pair(methods[: len(favoured)], methods[len(favoured) :], f"`{setting}` {values}{shared}")


def _where(favours: Callable[[Any], bool], rivals: Callable[[Any], bool] | None = None) -> Choice:
    """Favour the values for which ``favours`` holds, against the ``rivals`` or, by default, all other values."""
    is_rival = rivals or (lambda value: not favours(value))
    return lambda values: (list(filter(favours, values)), list(filter(is_rival, values)))


def _inner(values: list[Any]) -> tuple[list[Any], list[Any]]:
    """Favour the values between the smallest and the largest."""
    return values[1:-1], [values[0], values[-1]]


def _settings(runs: pd.DataFrame) -> list[str]:
    return [name for name in runs if name.startswith("setting_") and name != "setting_evaluate_every"]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- equality, within a margin beyond the noise -----------------------------------------------------------------------


def easy(evidence: Evidence) -> Iterator[Tested]:
    """By how much each main method's gap lies within the margin where a class is forgotten."""
    for cell in evidence.cells("class"):
        for method in MAIN:
            trials = Trials(evidence.metrics, cell, [method])
            if trials.methods and math.isfinite(trials.noise_floor):
                subject = f"`{method}`: {signed(trials.difference(method))}"
                yield Tested.of(cell, subject, within(trials, method, evidence.margin), trials, method=method)


def equal_views(evidence: Evidence) -> Iterator[Tested]:
    """By how much less than the margin the average gaps with CHN and with CN differ."""
    choice = _where(lambda views: views == "CHN", lambda views: views == "CN")
    for cell in evidence.cells("random"):
        runs = in_cell(evidence.metrics, cell)
        for pair in _ablation("cl_transform", choice, runs):
            trials = Trials(runs, cell, [*pair.ours, *pair.others])
            if pair.ours and pair.others and len(trials.methods) == 2 and math.isfinite(trials.noise_floor):
                differences = signed(trials.difference(*trials.methods))
                yield Tested.of(cell, f"{pair.subject}: {differences}", _likeness(trials, evidence.margin), trials)


def _likeness(trials: Trials, margin: float) -> Statistic:
    first, second = trials.methods
    return lambda drawn: trials.noise_floor + margin - np.abs(trials.gap(first, drawn) - trials.gap(second, drawn))


best = partial(_compared, lambda runs: [Pair([OURS], OTHERS)])
worst = partial(_compared, lambda runs: [Pair(["ft"], MAIN[1:])], formula=_lag)
further = partial(_compared, lambda runs: [Pair([OURS], FURTHER)])
term, budget = partial(_compared, _term), partial(_compared, _budget)
weight = partial(_compared, partial(_ablation, "lambda", _inner))
temperature = partial(_compared, partial(_ablation, "tau", _where(lambda tau: 1 / NEAR <= tau / 0.1 <= NEAR)))
# CHN against every view with colour jitter.
mild_and_strong = partial(_ablation, "cl_transform", _where(lambda views: views == "CHN", lambda views: "J" in views))
strong_view = partial(_compared, mild_and_strong)
batch = partial(_compared, partial(_ablation, "batch_size", _where(lambda size: size == 256)))
