"""The paper's claims as formulas over gathered results.

A formula is positive where the claim holds, and by how much. It is computed from means over trials, as the paper's
tables are; `benchmark.metrics.verdicts` draws trials anew for its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, Statistic
from benchmark.metrics.evidence import Evidence, Floats, Trials, in_cell
from benchmark.metrics.gaps import CELL, METRICS, noise_floor
from benchmark.names import RETRAIN, Cell, MethodName, Scenario

MAIN = ("ft", "neggrad-plus", "l1-sparse", "salun", "not", "coun")
BASES = ("ft", "neggrad-plus", "l1-sparse", "not")
OURS = "coun"
NEAR = 1.5  # a temperature within this factor of the paper's is near it
BUDGET = 1.05  # a cost that is larger by less than this is the same


@dataclass(frozen=True)
class Tested:
    """A claim in one cell, ready to be computed.

    Attributes
    ----------
    place : the cell.
    subject : what in that cell, in words, with names of methods and settings between backticks; empty where the claim
        says it all.
    statistic : positive where the claim holds, in ``unit``; see `benchmark.metrics.bootstrap.estimate`.
    trials : how many trials there are.
    diverged : methods that it compares and that diverged, with the number of trials that are left out for that.
    """

    place: str
    subject: str
    statistic: Statistic
    trials: int
    unit: str = "points"
    diverged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """One of the paper's claims, in a sentence, and ``find``, which yields it in each cell that can test it."""

    key: str
    text: str
    where: str
    find: Callable[[Evidence], Iterator[Tested]]
    needs: str


# --- average gaps compared within a cell ----------------------------------------------------------------------------


def _lowest(evidence: Evidence) -> Iterator[Tested]:
    others = [method for method in MAIN if method != OURS]
    for cell in _cells(evidence, "random"):
        yield from _ahead(evidence, cell, [OURS], others)


def _with_term(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "random"):
        for base in BASES:
            added = MethodName(base, True, ()).head
            alike, differing = _differing(in_cell(evidence.metrics, cell), base, added)
            pairs = {base: f"`{base}` with the term" + differing}
            # Where the term came with other values of the base's own settings, a run with those shows what it does.
            pairs |= dict.fromkeys(alike if differing else [], f"`{base}` with the term, all else the same")
            for without, subject in pairs.items():
                yield from _ahead(evidence, cell, [added], [without], subject)


def _differing(runs: pd.DataFrame, base: str, added: str) -> tuple[list[str], str]:
    """Return the base's variants that have all its settings as the run with the term does, and, in words, in which of
    them the base itself differs.
    """
    runs = runs.drop_duplicates("method").set_index("method")
    if not {base, added} <= set(runs.index):
        return [], ""
    settings = runs.loc[base, _settings(runs)].dropna().index.tolist()
    target = runs.loc[added, settings]
    different = [name for name in settings if runs.loc[base, name] != target[name]]
    words = [f"`{n.removeprefix('setting_')}` {_short(target[n])} for {_short(runs.loc[base, n])}" for n in different]
    variants = [method for method in runs.index if MethodName.parse(method).head == base and method != base]
    alike = [method for method in variants if (runs.loc[method, settings] == target).all()]
    return alike, f" and {', '.join(words)}" if words else ""


def _ft_worst(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "random"):
        trials = Trials(evidence.metrics, cell, MAIN)
        others = [method for method in trials.methods if method != "ft"]
        if "ft" in trials.methods and others and len(trials):
            yield _tested(trials, cell, _against(others), partial(_exceeds, trials, others))


def _exceeds(trials: Trials, others: Sequence[str], drawn: Indices) -> Floats:
    return trials.gap("ft", drawn) - trials.largest(others, drawn)


def _easy(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "class"):
        floor = float(noise_floor(in_cell(evidence.metrics, cell))["noise_floor"].iloc[0])
        for method in MAIN:
            trials = Trials(evidence.metrics, cell, (method,))
            if trials.methods and len(trials) and math.isfinite(floor):
                yield _tested(trials, cell, f"`{method}`", partial(_below, trials, method, floor))


def _below(trials: Trials, method: str, floor: float, drawn: Indices) -> Floats:
    return floor - trials.gap(method, drawn)


def _equal_cost(evidence: Evidence) -> Iterator[Tested]:
    """Compare each main method with ours at the most epochs that cost no more."""
    for cell in _cells(evidence, "random"):
        costs = in_cell(evidence.metrics, cell).groupby("method")["pflops_executed"].mean()
        variants = {method: costs[method] for method in costs.index if _only_epochs(method)}
        for other in [method for method in MAIN if method != OURS and method in costs]:
            affordable = {method: cost for method, cost in variants.items() if cost <= BUDGET * costs[other]}
            if affordable:
                ours = max(affordable, key=lambda method: affordable[method])
                share = 100 * affordable[ours] / costs[other]
                subject = f"`{ours}` at {share:.0f} % of the cost of `{other}`"
                yield from _ahead(evidence, cell, [ours], [other], subject)


def _only_epochs(method: str) -> bool:
    name = MethodName.parse(method)
    return name.head == OURS and set(dict(name.settings)) <= {"epochs"}


def _ablation(evidence: Evidence, setting: str, favoured: Callable[[Any], bool]) -> Iterator[Tested]:
    """Compare, per cell, our runs that differ in nothing but one setting: the favoured values with the others."""
    column = f"setting_{setting}"
    if column not in evidence.metrics:
        return
    for cell in _cells(evidence, "random"):
        ours = in_cell(evidence.metrics, cell).drop_duplicates("method")
        ours = ours[[MethodName.parse(method).head == OURS for method in ours["method"]]]
        fixed = [name for name in _settings(ours) if name != column]
        for _, alike in ours.groupby(fixed, dropna=False, sort=False):
            methods = dict(zip(alike[column], alike["method"], strict=True))
            if len(methods) > 1:
                chosen = [method for value, method in methods.items() if favoured(value)]
                others = [method for method in methods.values() if method not in chosen]
                values = ", ".join(_short(value) for value in sorted(methods))
                subject = f"`{setting}` among {values}{_in_common(methods.values())}"
                yield from _ahead(evidence, cell, chosen, others, subject)


_temperature = partial(_ablation, setting="tau", favoured=lambda tau: 1 / NEAR <= tau / 0.1 <= NEAR)
_second_view = partial(_ablation, setting="cl_transform", favoured=lambda letters: letters == "CHN")
_batch_size = partial(_ablation, setting="batch_size", favoured=lambda size: size == 256)


def _in_common(methods: Iterable[str]) -> str:
    """Return the settings that all of the runs' names give the same value, such as fewer epochs, in words."""
    common = set.intersection(*(set(MethodName.parse(method).settings) for method in methods))
    return "".join(f", `{key}` {value}" for key, value in sorted(common))


def _stages(evidence: Evidence) -> Iterator[Tested]:
    history = evidence.history
    if "stage" not in history:
        return
    for place, rows in history[history["scenario"].str.startswith("sequential")].groupby(CELL, sort=False):
        cell, scenario = Cell(*place), Scenario(str(place[2]))
        stages = [_stage(evidence, cell, scenario, rows, stage) for stage in range(1, scenario.stages + 1)]
        present = set.intersection(*(set(trials.methods) for trials in stages))
        others = [method for method in MAIN if method in present and method != OURS]
        shared = set.intersection(*(set(trials.numbers) for trials in stages))
        if OURS in present and others and shared:
            statistic = partial(_smallest_lead, [trials.restricted(shared) for trials in stages], others)
            diverged = Trials(evidence.metrics, cell, MAIN).diverged
            yield Tested(str(cell), _against(others), statistic, len(shared), diverged=diverged)


def _stage(evidence: Evidence, cell: Cell, scenario: Scenario, rows: pd.DataFrame, stage: int) -> Trials:
    """Return the metrics at the end of a stage beside those of the Retrain that never saw what is gone by then."""
    ends = rows[rows["stage"] == stage].groupby(["method", "trial"], sort=False).tail(1)
    reference = Cell(cell.dataset, cell.arch, f"random-{stage * scenario.percent}")
    known = in_cell(evidence.metrics, reference)
    known = known[known["method"] == RETRAIN]
    columns = [*CELL, "method", "trial", *METRICS]
    together = pd.concat([known[columns], ends.assign(scenario=reference.scenario)[columns]])
    return Trials(together.dropna(subset=METRICS), reference, MAIN)


def _smallest_lead(stages: list[Trials], others: list[str], drawn: Indices) -> Floats:
    return np.asarray(np.min([_lead(trials, [OURS], others, drawn) for trials in stages], axis=0))


def _directions(evidence: Evidence) -> Iterator[Tested]:
    if evidence.predictions.empty:
        return
    forget = evidence.predictions[evidence.predictions["membership"] == "forget"]
    for cell in [*_cells(evidence, "class"), *_cells(evidence, "random")]:
        known = Trials(evidence.metrics, cell, ["ft", OURS])
        rows = in_cell(forget, cell)
        rows = rows[rows["method"].isin(["ft", OURS, RETRAIN]) & rows["trial"].isin(known.numbers)]
        wide = rows.pivot_table(
            index=["method", "trial"], columns=["label", "prediction"], values="percent", fill_value=0.0
        )
        methods = {str(method): shares.droplevel("method") for method, shares in wide.groupby(level="method")}
        if set(methods) == {"ft", OURS, RETRAIN}:
            trials = sorted(set.intersection(*(set(shares.index) for shares in methods.values())))
            aligned = {method: shares.loc[trials].to_numpy() for method, shares in methods.items()}
            if trials:
                yield Tested(str(cell), "against `ft`", partial(_closer, aligned), len(trials), diverged=known.diverged)


def _closer(shares: dict[str, Floats], drawn: Indices) -> Floats:
    """How much less our predictions of forget samples differ from Retrain's than those of FT."""
    mean = {method: values[drawn].mean(axis=1) for method, values in shares.items()}
    theirs, ours = (np.abs(mean[method] - mean[RETRAIN]).mean(axis=1) for method in ("ft", OURS))
    return np.asarray(theirs - ours)


def _lemma(evidence: Evidence) -> Iterator[Tested]:
    theory = evidence.theory
    if theory.empty:
        return
    columns = [column for column in theory if str(column).startswith("r_")]
    for place, rows in theory[theory["method"] == OURS].groupby(CELL, sort=False):
        means = rows.assign(r=rows[columns].mean(axis=1)).pivot(index="trial", columns="group", values="r").dropna()
        lost = int(rows.loc[rows["diverged"].astype(bool), "trial"].nunique()) if "diverged" in rows else 0
        if len(means):
            apart = (100 * (means["forget"] - means["retain"])).to_numpy(dtype=float)
            subject = f"mean over ε = {', '.join(str(column)[2:] for column in columns)}"
            diverged = {OURS: lost} if lost else {}
            yield Tested(str(Cell(*place)), subject, partial(_mean, apart), len(means), "% of images", diverged)


def _mean(values: Floats, drawn: Indices) -> Floats:
    return np.asarray(values[drawn].mean(axis=1))


# --- what they share ------------------------------------------------------------------------------------------------


def _cells(evidence: Evidence, kind: str) -> list[Cell]:
    return [cell for cell in evidence.cells if Scenario(cell.scenario).kind == kind]


def _tested(trials: Trials, cell: Cell, subject: str, statistic: Statistic) -> Tested:
    return Tested(str(cell), subject, statistic, len(trials), diverged=trials.diverged)


def _ahead(
    evidence: Evidence, cell: Cell, ours: list[str], others: list[str], subject: str | None = None
) -> Iterator[Tested]:
    """Compare the smallest average gap of ours with that of the others, as far as either have runs."""
    trials = Trials(evidence.metrics, cell, [*others, *ours])
    ours, others = ([method for method in methods if method in trials.methods] for methods in (ours, others))
    if ours and others and len(trials):
        yield _tested(trials, cell, subject or _against(others), partial(_lead, trials, ours, others))


def _lead(trials: Trials, ours: Sequence[str], others: Sequence[str], drawn: Indices) -> Floats:
    return trials.smallest(others, drawn) - trials.smallest(ours, drawn)


def _settings(runs: pd.DataFrame) -> list[str]:
    return [name for name in runs if name.startswith("setting_") and name != "setting_evaluate_every"]


def _against(methods: Sequence[str]) -> str:
    return f"against {', '.join(f'`{method}`' for method in methods)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


CLAIMS = (
    Claim("best", "CoUn has the lowest average gap", "Tables 2, 3", _lowest, "CoUn and another main method"),
    Claim("term", "adding CL lowers the average gap", "Tables 9, 10", _with_term, "a method with and without CL"),
    Claim("ft-worst", "FT has the largest average gap", "Tables 2, 3", _ft_worst, "FT and another main method"),
    Claim("easy", "class-wise, every gap is within the noise", "Table 8", _easy, "a class-wise cell, two trials"),
    Claim("tau", "a temperature near 0.1 is best", "Figure 8", _temperature, "CoUn near and far from 0.1"),
    Claim("views", "CHN is the best second view", "Figure 9", _second_view, "CoUn with CHN and another second view"),
    Claim("batch", "batch size 256 is best", "Figure 10", _batch_size, "CoUn at batch size 256 and another"),
    Claim("stages", "CoUn leads at every stage", "Figure 6", _stages, "a sequential scenario with CoUn and another"),
    Claim("budget", "CoUn leads at equal computation", "Figure 5", _equal_cost, "CoUn at no more than another's cost"),
    Claim("directions", "predictions of forget samples go where Retrain's go", "Table 5", _directions, "FT and CoUn"),
    Claim("lemma", "views of forget images lie farther apart", "Lemma 1", _lemma, "a table of kind theory with CoUn"),
)
