"""The paper's claims as formulas over gathered results.

A formula is positive where the claim holds, and by how much. It is computed from means over trials, as the paper's
tables are; `benchmark.metrics.verdicts` draws trials anew for its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, Statistic
from benchmark.metrics.evidence import Evidence, Floats, Trials, in_cell
from benchmark.metrics.gaps import CELL, METRICS, noise_floor
from benchmark.names import RETRAIN, Cell, MethodName, Scenario

OURS = "coun"
OTHERS = ("ft", "neggrad-plus", "l1-sparse", "salun", "not")
MAIN = (*OTHERS, OURS)
BASES = ("ft", "neggrad-plus", "l1-sparse", "not")
NEAR = 1.5  # a temperature within this factor of the paper's is near it
BUDGET = 1.05  # a cost that is larger by less than this is the same


class Tested(NamedTuple):
    """A claim in one cell, ready to be computed by `benchmark.metrics.bootstrap.estimate`.

    ``subject`` says what is compared, in words; ``statistic`` is in ``unit``; ``diverged`` counts, for each method that
    is compared, the trials that are left out since it diverged.
    """

    place: str
    subject: str
    statistic: Statistic
    trials: int
    diverged: dict[str, int]
    unit: str = "points"


class Claim(NamedTuple):
    """One of the paper's claims, in a sentence, and ``find``, which yields it in each cell that can test it."""

    key: str
    text: str
    where: str
    find: Callable[[Evidence], Iterator[Tested]]
    needs: str


# --- average gaps compared within a cell ------------------------------------------------------------------------------

Methods = Sequence[str]
Formula = Callable[[Trials, Methods, Methods], Statistic]
Pairs = Iterable[tuple[Methods, Methods, str]]  # some methods, others, and in words what is compared


def _lead(trials: Trials, ours: Methods, others: Methods) -> Statistic:
    """By how much our smallest average gap lies below that of the others, in points."""
    return lambda drawn: trials.gaps(others, drawn).min(axis=0) - trials.gaps(ours, drawn).min(axis=0)


def _lag(trials: Trials, ours: Methods, others: Methods) -> Statistic:
    """By how much our largest average gap lies above that of the others, in points."""
    return lambda drawn: trials.gaps(ours, drawn).max(axis=0) - trials.gaps(others, drawn).max(axis=0)


def _compared(pairs: Callable[[pd.DataFrame], Pairs], evidence: Evidence, formula: Formula = _lead) -> Iterator[Tested]:
    """Compare, in each cell, what ``pairs`` makes of the cell's runs, as far as methods have any."""
    for cell in evidence.cells("random"):
        runs = in_cell(evidence.metrics, cell)
        for ours, others, subject in pairs(runs):
            trials = Trials(runs, cell, [*others, *ours])
            ours, others = ([method for method in methods if method in trials.methods] for methods in (ours, others))
            if ours and others and len(trials):
                statistic = formula(trials, ours, others)
                yield Tested(str(cell), subject or _against(others), statistic, len(trials), trials.diverged)


def _with_term(runs: pd.DataFrame) -> Pairs:
    for base in BASES:
        added = MethodName(base, True, ()).head
        alike, differing = _differing(runs.drop_duplicates("method").set_index("method"), base, added)
        yield [added], [base], f"`{base}` with the term{differing}"
        # Where the term came with other values of the base's own settings, a run with those shows what it does.
        for variant in alike if differing else []:
            yield [added], [variant], f"`{base}` with the term, all else the same"


def _differing(runs: pd.DataFrame, base: str, added: str) -> tuple[list[str], str]:
    """Return which variants of the base have its settings as the run with the term does, and where the base has not."""
    if not {base, added} <= set(runs.index):
        return [], ""
    settings = runs.loc[base, _settings(runs)].dropna().index.tolist()
    own, target = runs.loc[base], runs.loc[added, settings]
    words = [
        f"`{name.removeprefix('setting_')}` {_short(target[name])} for {_short(own[name])}"
        for name in settings
        if own[name] != target[name]
    ]
    variants = [method for method in runs.index if MethodName.parse(method).head == base and method != base]
    alike = [method for method in variants if (runs.loc[method, settings] == target).all()]
    return alike, f" and {', '.join(words)}" if words else ""


def _budget(runs: pd.DataFrame) -> Pairs:
    """Compare each main method with ours at the most epochs that cost no more."""
    costs = runs.groupby("method")["pflops_executed"].mean()
    names = map(MethodName.parse, costs.index)
    ours = costs[[name.head == OURS and dict(name.settings).keys() <= {"epochs"} for name in names]]
    for other in [method for method in OTHERS if method in costs]:
        affordable = ours[ours <= BUDGET * costs[other]]
        if len(affordable):
            share = 100 * affordable.max() / costs[other]
            longest = str(affordable.idxmax())
            yield [longest], [other], f"`{longest}` at {share:.0f} % of the cost of `{other}`"


def _ablation(setting: str, favoured: Callable[[Any], bool], runs: pd.DataFrame) -> Pairs:
    """Compare our runs that differ in nothing but one setting: the favoured values with the others."""
    column = f"setting_{setting}"
    ours = runs[[MethodName.parse(method).head == OURS for method in runs["method"]]].drop_duplicates("method")
    if column not in ours or ours.empty:
        return
    for _, alike in ours.groupby([name for name in _settings(ours) if name != column], dropna=False, sort=False):
        methods = dict(zip(alike[column], alike["method"], strict=True))
        chosen = [method for value, method in methods.items() if favoured(value)]
        others = [method for method in methods.values() if method not in chosen]
        values = ", ".join(_short(value) for value in sorted(methods))
        # What all of the runs' names give the same value, such as fewer epochs.
        common = set.intersection(*(set(MethodName.parse(method).settings) for method in methods.values()))
        shared = "".join(f", `{key}` {value}" for key, value in sorted(common))
        yield chosen, others, f"`{setting}` among {values}{shared}"


def _settings(runs: pd.DataFrame) -> list[str]:
    return [name for name in runs if name.startswith("setting_") and name != "setting_evaluate_every"]


def _against(methods: Methods) -> str:
    return f"against {', '.join(f'`{method}`' for method in methods)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- other formulas ---------------------------------------------------------------------------------------------------


def _easy(evidence: Evidence) -> Iterator[Tested]:
    for cell in evidence.cells("class"):
        floor = float(noise_floor(in_cell(evidence.metrics, cell))["noise_floor"].iloc[0])
        for method in MAIN:
            trials = Trials(evidence.metrics, cell, [method])
            if trials.methods and len(trials) and math.isfinite(floor):
                statistic = partial(_below, floor, trials, method)
                yield Tested(str(cell), f"`{method}`", statistic, len(trials), trials.diverged)


def _below(floor: float, trials: Trials, method: str, drawn: Indices) -> Floats:
    return floor - trials.gap(method, drawn)


def _stages(evidence: Evidence) -> Iterator[Tested]:
    history = evidence.history
    if "stage" not in history:
        return
    for place, rows in history[history["scenario"].str.startswith("sequential")].groupby(CELL, sort=False):
        cell = Cell(*place)
        ends = [_end(evidence, cell, rows, stage) for stage in range(1, Scenario(cell.scenario).stages + 1)]
        stages = [Trials(end, cell, MAIN) for end in ends]
        others = [method for method in OTHERS if all(method in trials.methods for trials in stages)]
        shared = set.intersection(*(set(trials.numbers) for trials in stages))
        if all(OURS in trials.methods for trials in stages) and others and shared:
            stages = [Trials(end[end["trial"].isin(shared)], cell, MAIN) for end in ends]
            statistic = partial(_smallest, [_lead(trials, [OURS], others) for trials in stages])
            diverged = Trials(evidence.metrics, cell, MAIN).diverged
            yield Tested(str(cell), _against(others), statistic, len(shared), diverged)


def _end(evidence: Evidence, cell: Cell, rows: pd.DataFrame, stage: int) -> pd.DataFrame:
    """Return the metrics at the end of a stage beside those of the Retrain that never saw what is gone by then."""
    ends = rows[rows["stage"] == stage].groupby(["method", "trial"], sort=False).tail(1)
    gone = f"random-{stage * Scenario(cell.scenario).percent}"
    known = in_cell(evidence.metrics, Cell(cell.dataset, cell.arch, gone))
    known = known[known["method"] == RETRAIN].assign(scenario=cell.scenario)
    return pd.concat([known, ends])[[*CELL, "method", "trial", *METRICS]].dropna(subset=METRICS)


def _smallest(statistics: list[Statistic], drawn: Indices) -> Floats:
    return np.asarray(np.min([statistic(drawn) for statistic in statistics], axis=0))


def _directions(evidence: Evidence) -> Iterator[Tested]:
    if evidence.predictions.empty:
        return
    forget, pair = evidence.predictions[evidence.predictions["membership"] == "forget"], ["ft", OURS]
    for cell in [*evidence.cells("class"), *evidence.cells("random")]:
        known = Trials(evidence.metrics, cell, pair)
        rows = in_cell(forget, cell)
        rows = rows[rows["method"].isin([*pair, RETRAIN]) & rows["trial"].isin(known.numbers)]
        index, columns = ["method", "trial"], ["label", "prediction"]
        wide = rows.pivot_table(index=index, columns=columns, values="percent", fill_value=0.0)
        methods = {str(method): shares.droplevel("method") for method, shares in wide.groupby(level="method")}
        trials = sorted(set.intersection(*(set(shares.index) for shares in methods.values()))) if methods else []
        if trials and methods.keys() == {*pair, RETRAIN}:
            aligned = {method: shares.loc[trials].to_numpy() for method, shares in methods.items()}
            yield Tested(str(cell), "against `ft`", partial(_closer, aligned), len(trials), known.diverged)


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
            yield Tested(str(Cell(*place)), subject, partial(_mean, apart), len(means), diverged, "% of images")


def _mean(values: Floats, drawn: Indices) -> Floats:
    return np.asarray(values[drawn].mean(axis=1))


_best = partial(_compared, lambda runs: [([OURS], OTHERS, "")])
_worst = partial(_compared, lambda runs: [(["ft"], MAIN[1:], "")], formula=_lag)
_term, _costing = partial(_compared, _with_term), partial(_compared, _budget)
_tau = partial(_compared, partial(_ablation, "tau", lambda tau: 1 / NEAR <= tau / 0.1 <= NEAR))
_views = partial(_compared, partial(_ablation, "cl_transform", lambda letters: letters == "CHN"))
_batch = partial(_compared, partial(_ablation, "batch_size", lambda size: size == 256))

CLAIMS = (
    Claim("best", "CoUn has the lowest average gap", "Tables 2, 3", _best, "CoUn and another main method"),
    Claim("term", "adding CL lowers the average gap", "Tables 9, 10", _term, "a method with and without CL"),
    Claim("ft-worst", "FT has the largest average gap", "Tables 2, 3", _worst, "FT and another main method"),
    Claim("easy", "class-wise, every gap is within the noise", "Table 8", _easy, "a class-wise cell, two trials"),
    Claim("tau", "a temperature near 0.1 is best", "Figure 8", _tau, "CoUn near and far from 0.1"),
    Claim("views", "CHN is the best second view", "Figure 9", _views, "CoUn with CHN and another second view"),
    Claim("batch", "batch size 256 is best", "Figure 10", _batch, "CoUn at batch size 256 and another"),
    Claim("stages", "CoUn leads at every stage", "Figure 6", _stages, "a sequential scenario with CoUn and another"),
    Claim("budget", "CoUn leads at equal computation", "Figure 5", _costing, "CoUn at no more than another's cost"),
    Claim("directions", "predictions of forget samples go where Retrain's go", "Table 5", _directions, "FT and CoUn"),
    Claim("lemma", "views of forget images lie farther apart", "Lemma 1", _lemma, "a table of kind theory with CoUn"),
)
