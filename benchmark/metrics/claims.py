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
from benchmark.names import CL, RETRAIN, Cell, MethodName, Scenario

MAIN = ("ft", "neggrad-plus", "l1-sparse", "salun", "not", "coun")
BASES = ("ft", "neggrad-plus", "l1-sparse", "not")
OURS = "coun"
NEAR = 1.5  # a temperature within this factor of the paper's is near it
BUDGET = 1.05  # a cost that is larger by less than this is the same


@dataclass(frozen=True)
class Tested:
    """A claim in one place, ready to be computed.

    Attributes
    ----------
    place : the cell that it is about.
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
    """One of the paper's claims.

    Attributes
    ----------
    key, text : its short name, and the claim in a sentence.
    where : the place in the paper.
    find : yields the claim in each place where the evidence can test it.
    needs : what evidence it needs, for where there is none.
    """

    key: str
    text: str
    where: str
    find: Callable[[Evidence], Iterator[Tested]]
    needs: str


def _cells(evidence: Evidence, kind: str) -> list[Cell]:
    return [cell for cell in evidence.cells if Scenario(cell.scenario).kind == kind]


def _tested(trials: Trials, cell: Cell, subject: str, statistic: Statistic) -> Tested:
    return Tested(str(cell), subject, statistic, len(trials), diverged=trials.diverged)


def _lead(trials: Trials, ours: str, others: Sequence[str], drawn: Indices) -> Floats:
    """How far our gap lies below the smallest of the others."""
    return trials.smallest(others, drawn) - trials.gap(ours, drawn)


def _best(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "random"):
        trials = Trials(evidence.metrics, cell, MAIN)
        others = [method for method in trials.methods if method != OURS]
        if OURS in trials.methods and others and len(trials):
            yield _tested(trials, cell, _against(others), partial(_lead, trials, OURS, others))


def _contrastive(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "random"):
        for base in BASES:
            added = OURS if base == "ft" else base + CL
            shared, differing = _differing(in_cell(evidence.metrics, cell), base, added)
            pairs = {base: f"`{base}` with the term" + differing}
            # Where the term came with other values of the base's own settings, a run with those shows what it does.
            pairs |= dict.fromkeys(shared if differing else [], f"`{base}` with the term, all else the same")
            for without, text in pairs.items():
                trials = Trials(evidence.metrics, cell, (without, added))
                if len(trials.methods) == 2 and len(trials):
                    yield _tested(trials, cell, text, partial(_lead, trials, added, [without]))


def _differing(here: pd.DataFrame, base: str, added: str) -> tuple[list[str], str]:
    """Return the base's variants that have all its settings as the run with the term does, and, in words, in which of
    them the base itself differs.
    """
    runs = here.drop_duplicates("method").set_index("method")
    if not {base, added} <= set(runs.index):
        return [], ""
    settings = [name for name in runs if name.startswith("setting_") and name != "setting_evaluate_every"]
    settings = runs.loc[base, settings].dropna().index.tolist()
    target = runs.loc[added, settings]
    different = [name for name in settings if runs.loc[base, name] != target[name]]
    told = [f"`{n.removeprefix('setting_')}` {_short(target[n])} for {_short(runs.loc[base, n])}" for n in different]
    variants = [method for method in runs.index if MethodName.parse(method).head == base and method != base]
    same = [method for method in variants if (runs.loc[method, settings] == target).all()]
    return same, f" and {', '.join(told)}" if told else ""


def _worst(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "random"):
        trials = Trials(evidence.metrics, cell, MAIN)
        others = [method for method in trials.methods if method != "ft"]
        if "ft" in trials.methods and others and len(trials):
            yield _tested(trials, cell, _against(others), partial(_exceeds, trials, others))


def _exceeds(trials: Trials, others: Sequence[str], drawn: Indices) -> Floats:
    return trials.gap("ft", drawn) - trials.largest(others, drawn)


def _easy(evidence: Evidence) -> Iterator[Tested]:
    for cell in _cells(evidence, "class"):
        runs = in_cell(evidence.metrics, cell)
        floor = float(noise_floor(runs)["noise_floor"].iloc[0])
        for method in MAIN:
            trials = Trials(evidence.metrics, cell, (method,))
            if trials.methods and len(trials) and math.isfinite(floor):
                yield _tested(trials, cell, f"`{method}`", partial(_within, trials, method, floor))


def _within(trials: Trials, method: str, floor: float, drawn: Indices) -> Floats:
    return floor - trials.gap(method, drawn)


def _ablations(evidence: Evidence, setting: str) -> Iterator[tuple[Cell, dict[Any, str]]]:
    """Yield, per cell, our runs that differ in nothing but one setting: its values and what those runs are called."""
    column = f"setting_{setting}"
    runs = evidence.metrics
    if column not in runs:
        return
    others = [name for name in runs if name.startswith("setting_") and name not in (column, "setting_evaluate_every")]
    for cell in _cells(evidence, "random"):
        ours = in_cell(runs, cell).drop_duplicates("method")
        ours = ours[[MethodName.parse(method).head == OURS for method in ours["method"]]]
        for _, alike in ours.groupby(others, dropna=False, sort=False):
            if alike[column].nunique() > 1:
                yield cell, dict(zip(alike[column], alike["method"], strict=True))


def _temperature(evidence: Evidence) -> Iterator[Tested]:
    for cell, methods in _ablations(evidence, "tau"):
        near = [method for tau, method in methods.items() if 1 / NEAR <= tau / 0.1 <= NEAR]
        yield from _group(evidence, cell, "`tau`", methods, near)


def _transform(evidence: Evidence) -> Iterator[Tested]:
    for cell, methods in _ablations(evidence, "cl_transform"):
        yield from _group(evidence, cell, "`cl_transform`", methods, [methods["CHN"]] if "CHN" in methods else [])


def _batch(evidence: Evidence) -> Iterator[Tested]:
    for cell, methods in _ablations(evidence, "batch_size"):
        yield from _group(evidence, cell, "`batch_size`", methods, [methods[256]] if 256 in methods else [])


def _group(evidence: Evidence, cell: Cell, what: str, values: dict[Any, str], chosen: list[str]) -> Iterator[Tested]:
    others = [method for method in values.values() if method not in chosen]
    trials = Trials(evidence.metrics, cell, [*chosen, *others])
    chosen, others = ([method for method in methods if method in trials.methods] for methods in (chosen, others))
    if chosen and others and len(trials):
        text = f"{what} among {', '.join(_short(value) for value in sorted(values))}{_in_common(values.values())}"
        yield _tested(trials, cell, text, partial(_ahead, trials, chosen, others))


def _in_common(methods: Iterable[str]) -> str:
    """Tell the settings that all of the runs' names give the same value, such as fewer epochs."""
    common = set.intersection(*(set(MethodName.parse(method).settings) for method in methods))
    return "".join(f", `{key}` {value}" for key, value in sorted(common))


def _ahead(trials: Trials, chosen: list[str], others: list[str], drawn: Indices) -> Floats:
    return trials.smallest(others, drawn) - trials.smallest(chosen, drawn)


def _stages(evidence: Evidence) -> Iterator[Tested]:
    history = evidence.history
    if "stage" not in history:
        return
    found = history[history["scenario"].str.startswith("sequential")]
    for place, rows in found.groupby(CELL, sort=False):
        cell, scenario = Cell(*place), Scenario(str(place[2]))
        stages = [_stage(evidence, cell, scenario, rows, stage) for stage in range(1, scenario.stages + 1)]
        present = set.intersection(*(set(trials.methods) for trials in stages))
        others = [method for method in MAIN if method in present and method != OURS]
        shared = set.intersection(*(set(trials.numbers) for trials in stages))
        if OURS in present and others and shared:
            stages = [trials.restricted(shared) for trials in stages]
            diverged = Trials(evidence.metrics, cell, MAIN).diverged
            statistic = partial(_every, stages, others)
            yield Tested(str(cell), _against(others), statistic, len(shared), diverged=diverged)


def _stage(evidence: Evidence, cell: Cell, scenario: Scenario, rows: pd.DataFrame, stage: int) -> Trials:
    """The metrics at the end of a stage beside those of the Retrain that never saw what is gone by then."""
    ends = rows[rows["stage"] == stage].groupby(["method", "trial"], sort=False).tail(1)
    reference = Cell(cell.dataset, cell.arch, f"random-{stage * scenario.percent}")
    known = in_cell(evidence.metrics, reference)
    known = known[known["method"] == RETRAIN]
    columns = [*CELL, "method", "trial", *METRICS]
    together = pd.concat([known[columns], ends.assign(scenario=reference.scenario)[columns]])
    return Trials(together.dropna(subset=METRICS), reference, MAIN)


def _every(stages: list[Trials], others: list[str], drawn: Indices) -> Floats:
    return np.asarray(np.min([_lead(trials, OURS, others, drawn) for trials in stages], axis=0))


def _budget(evidence: Evidence) -> Iterator[Tested]:
    """Compare each main method with ours at the most epochs that cost no more."""
    for cell in _cells(evidence, "random"):
        here = in_cell(evidence.metrics, cell)
        costs = here.groupby("method")["pflops_executed"].mean()
        variants = {method: costs[method] for method in costs.index if _only_epochs(method)}
        for other in MAIN:
            if other == OURS or other not in costs:
                continue
            within = {method: cost for method, cost in variants.items() if cost <= BUDGET * costs[other]}
            if not within:
                continue
            ours = max(within, key=lambda method: within[method])
            trials = Trials(evidence.metrics, cell, (other, ours))
            if len(trials.methods) == 2 and len(trials):
                share = 100 * within[ours] / costs[other]
                text = f"`{ours}` at {share:.0f} % of the cost of `{other}`"
                yield _tested(trials, cell, text, partial(_lead, trials, ours, [other]))


def _only_epochs(method: str) -> bool:
    name = MethodName.parse(method)
    return name.head == OURS and set(dict(name.settings)) <= {"epochs"}


def _directions(evidence: Evidence) -> Iterator[Tested]:
    found = evidence.predictions
    if found.empty:
        return
    forget = found[found["membership"] == "forget"]
    for cell in [*_cells(evidence, "class"), *_cells(evidence, "random")]:
        here = in_cell(forget, cell)
        here = here[here["method"].isin(["ft", OURS, RETRAIN])]
        known = Trials(evidence.metrics, cell, ["ft", OURS])
        here = here[here["trial"].isin(known.numbers)]
        wide = here.pivot_table(
            index=["method", "trial"], columns=["label", "prediction"], values="percent", fill_value=0.0
        )
        methods = {str(method): rows.droplevel("method") for method, rows in wide.groupby(level="method")}
        if set(methods) == {"ft", OURS, RETRAIN}:
            trials = sorted(set.intersection(*(set(rows.index) for rows in methods.values())))
            shares = {method: rows.loc[trials].to_numpy() for method, rows in methods.items()}
            if trials:
                yield Tested(str(cell), "against `ft`", partial(_closer, shares), len(trials), diverged=known.diverged)


def _closer(shares: dict[str, Floats], drawn: Indices) -> Floats:
    """How much less our predictions of forget samples differ from Retrain's than those of FT."""
    mean = {method: values[drawn].mean(axis=1) for method, values in shares.items()}
    theirs, ours = (np.abs(mean[method] - mean[RETRAIN]).mean(axis=1) for method in ("ft", OURS))
    return np.asarray(theirs - ours)


def _spread(evidence: Evidence) -> Iterator[Tested]:
    theory = evidence.theory
    if theory.empty:
        return
    columns = [column for column in theory if str(column).startswith("r_")]
    for place, rows in theory[theory["method"] == OURS].groupby(CELL, sort=False):
        means = rows.assign(r=rows[columns].mean(axis=1)).pivot(index="trial", columns="group", values="r").dropna()
        lost = int(rows.loc[rows["diverged"].astype(bool), "trial"].nunique()) if "diverged" in rows else 0
        if len(means):
            difference = (100 * (means["forget"] - means["retain"])).to_numpy(dtype=float)
            text = f"mean over ε = {', '.join(str(column)[2:] for column in columns)}"
            statistic, diverged = partial(_mean, difference), {OURS: lost} if lost else {}
            yield Tested(str(Cell(*place)), text, statistic, len(means), "% of images", diverged)


def _mean(values: Floats, drawn: Indices) -> Floats:
    return np.asarray(values[drawn].mean(axis=1))


def _against(methods: Sequence[str]) -> str:
    return f"against {', '.join(f'`{method}`' for method in methods)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


CLAIMS = (
    Claim("best", "CoUn has the lowest average gap", "Tables 2, 3", _best, "CoUn and another main method"),
    Claim("term", "adding CL lowers the average gap", "Tables 9, 10", _contrastive, "a method with and without CL"),
    Claim("ft-worst", "FT has the largest average gap", "Tables 2, 3", _worst, "FT and another main method"),
    Claim("easy", "class-wise, every gap is within the noise", "Table 8", _easy, "a class-wise cell, two trials"),
    Claim("tau", "a temperature near 0.1 is best", "Figure 8", _temperature, "CoUn near and far from 0.1"),
    Claim("views", "CHN is the best second view", "Figure 9", _transform, "CoUn with CHN and another second view"),
    Claim("batch", "batch size 256 is best", "Figure 10", _batch, "CoUn at batch size 256 and another"),
    Claim("stages", "CoUn leads at every stage", "Figure 6", _stages, "a sequential scenario with CoUn and another"),
    Claim("budget", "CoUn leads at equal computation", "Figure 5", _budget, "CoUn at no more than another's cost"),
    Claim("directions", "predictions of forget samples go where Retrain's go", "Table 5", _directions, "FT and CoUn"),
    Claim("lemma", "views of forget images lie farther apart", "Lemma 1", _spread, "a table of kind theory with CoUn"),
)
