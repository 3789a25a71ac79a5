"""The theory, measured: a table of Lemma 1's ordering and of what Theorem 1 says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import StaleOutput
from benchmark.metrics.gaps import CELL
from benchmark.metrics.theory import GROUPS, lemma1, r_curve, theorem1
from benchmark.names import Cell, Scenario
from benchmark.report import facts
from benchmark.report.latex import DASH, Block, Table, escape, number, spanning
from benchmark.report.style import method_label
from benchmark.results import records as results
from benchmark.study.outputs import VIEWS
from benchmark.study.study import Study

EPS = (0.2, 0.4, 0.6)
DATA = {"retain": r"$D_r$", "forget": r"$D_u$"}
NUMBERS = [*(f"r_{eps}" for eps in EPS), "area"]
NUMBERS += ["largest_product", "delta_mu", "margin", "best_margin", "err_head", "err_centre"]


def trials_of(study: Study, name: str, cell: Cell, method: str, partial: bool) -> dict[int, pd.DataFrame]:
    """Return the views frames of a method in a cell, by trial; of a run that several trials share, one.

    Raises
    ------
    StaleOutput
        If one is missing, unless ``partial``.
    """
    names = [study.run_name(cell, method, trial) for trial in range(study.output(name).trials or study.trials)]
    found = {}
    for run in map(study.run, dict.fromkeys(names)):
        try:
            found[run.name.trial] = results.derived(study.derive(VIEWS, run, cell.scenario))
        except StaleOutput:
            if not partial:
                raise
    return found


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, two rows a method, one for retain and one for forget data.

    Numbers are means over trials; the ordering is counted in trials. A method with a diverged trial says so. The
    ``.csv`` has a row a trial and group, see `measured`.

    Parameters
    ----------
    study, name : the table.
    partial : show dashes for what is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a file of views is missing, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    data = measured(study, name, partial)
    blocks = [Block(_printed(data, cell, output.methods), facts.heading(cells, cell)) for cell in cells]
    return Table(blocks, facts.caption(study, name, _facts(study, name, cells, data)), data, left=2)


def measured(study: Study, name: str, partial: bool = False) -> pd.DataFrame:
    """Return what the table shows, a row a trial and group at full precision.

    Columns ``dataset, arch, scenario, method, trial, group``; ``samples``; ``diverged``, where the rest is NaN;
    ``r_<eps>``, shares; ``area, above, below, chance, holds, strict`` of `benchmark.metrics.theory.Ordering`; the
    attributes of `benchmark.metrics.theory.Theorem` and ``vacuous``, NaN where a group has a single class;
    ``err_head`` and ``err_centre``, the shares that the head and the nearest class centre get wrong.
    """
    rows: list[dict[str, Any]] = []
    for cell in map(Cell.parse, study.output(name).cells):
        for method in study.output(name).methods:
            place = {"dataset": cell.dataset, "arch": cell.arch, "scenario": cell.scenario, "method": method}
            for trial, views in trials_of(study, name, cell, method, partial).items():
                rows += [place | {"trial": trial} | row for row in _of_run(views)]
    return pd.DataFrame(rows)


def _of_run(views: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a run's two rows."""
    groups = {group: views[views["membership"] == group] for group in GROUPS}
    if views["max_distance"].isna().any():
        return [{"group": group, "samples": len(mine), "diverged": True} for group, mine in groups.items()]
    order = lemma1(*(mine["max_distance"].to_numpy(float) for mine in groups.values()))
    ordering = asdict(order) | {"holds": order.holds, "strict": order.strict}
    rows = []
    for group, mine in groups.items():
        curve = r_curve(mine["max_distance"].to_numpy(float), EPS)
        theorem = theorem1(mine)
        said = asdict(theorem) | {"vacuous": theorem.vacuous} if theorem else {}
        wrong = {
            "err_head": float((mine["prediction"] != mine["label"]).mean()),
            "err_centre": float((mine["nearest"] != mine["label"]).mean()) if theorem else np.nan,
        }
        shares = {f"r_{eps}": value for eps, value in zip(EPS, curve, strict=True)}
        rows.append({"group": group, "samples": len(mine), "diverged": False, **shares, **ordering, **said, **wrong})
    return rows


def _printed(data: pd.DataFrame, cell: Cell, methods: list[str]) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    columns = [("", "Method"), ("", "Data"), *((r"$R[\varepsilon]$ (\%)", f"{eps}") for eps in EPS)]
    columns += [("Lemma 1", text) for text in ("area", r"$\le$", "$<$")]
    columns += [("Theorem 1", text) for text in (r"$\max\mu_l\mu_k$", r"$\Delta_\mu$", "margin", "at best", "bound")]
    columns += [(r"Err (\%)", "head"), (r"Err (\%)", "centre")]
    found = {} if data.empty else dict(iter(data.groupby([*CELL, "method", "group"])))
    rows = []
    for method in methods:
        for group in GROUPS:
            mine = found.get((cell.dataset, cell.arch, cell.scenario, method, group), data.iloc[:0])
            first = [escape(method_label(method)) if group == GROUPS[0] else "", DATA[group]]
            rows.append(first + _cells(mine, group, len(columns) - 2))
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(columns))


def _cells(mine: pd.DataFrame, group: str, width: int) -> list[str]:
    """Return the cells of one row after its names; the ordering stands in the method's first row."""
    if not len(mine):
        return [DASH] * width
    if mine["diverged"].any():
        return spanning("diverged", width)
    means = mine.reindex(columns=NUMBERS).astype(float).mean()
    lemma = [number(means["area"], 3), *(f"{int(mine[key].sum())}/{len(mine)}" for key in ("holds", "strict"))]
    theorem = [number(means[key]) for key in ("largest_product", "delta_mu", "margin", "best_margin")]
    return [
        *(number(100 * means[f"r_{eps}"], 1) for eps in EPS),
        *(lemma if group == GROUPS[0] else ["", "", ""]),
        *theorem,
        _bound(mine),
        *(number(100 * means[key], 1) for key in ("err_head", "err_centre")),
    ]


def _bound(mine: pd.DataFrame) -> str:
    """Return the bound in per cent, or in how many trials it is vacuous."""
    if "vacuous" not in mine or mine["vacuous"].isna().all():
        return DASH
    empty = int(mine["vacuous"].sum())
    if not empty:
        return number(100 * float(mine["bound"].mean()), 1)
    return "vacuous" + (f" {empty}/{len(mine)}" if empty < len(mine) else "")


def _facts(study: Study, name: str, cells: list[Cell], data: pd.DataFrame) -> list[str]:
    output = study.output(name)
    trials = output.trials or study.trials
    controls = [method for method in output.methods if facts.is_control(method)]
    counts = data.groupby([*CELL, "method"])["trial"].nunique() if len(data) else pd.Series(dtype=int)
    short = [
        method
        for method in output.methods
        if not facts.is_control(method)
        and any(counts.get((cell.dataset, cell.arch, cell.scenario, method), 0) < trials for cell in cells)
    ]
    return [
        facts.subject(cells),
        rf"{'Means' if trials > 1 else 'Numbers'} {facts.over(trials)}, of at most {study.map_samples} training samples"
        rf" and all pairs among {2 * study.view_pairs} views of each and the image itself, retained ($D_r$) or"
        r" forgotten ($D_u$)",
        r"$R[\varepsilon]$: share of samples with two views farther apart than $\varepsilon$, features having length 1",
        r"Lemma 1: area between the curves of $D_u$ and $D_r$; trials in which $R$ is nowhere higher on $D_r$ ($\le$),"
        r" and besides somewhere higher on $D_u$ ($<$), by more than chance at 5\,\%",
        r"Theorem 1: only where its margin is positive it bounds the error, here of the nearest class centre, in \%;"
        r" at best: the margin if augmentation were perfect, $\sigma=1$, $\delta=0$",
        "A forgotten class by itself has no other centre to be compared with (dashes), and differs from the retained"
        " classes in more than being forgotten"
        if any(Scenario(cell.scenario).class_name for cell in cells)
        else "",
        f"{facts.listed(controls)} is the model before unlearning: a control" if controls else "",
        facts.incomplete(pd.DataFrame({"method": short})),
    ]
