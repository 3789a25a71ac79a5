"""Measurements of the theory: a table of Lemma 1's ordering and Theorem 1's quantities."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.theory import GROUPS, lemma1, r_curve, theorem1
from benchmark.names import CELL_KEYS, Scenario
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tabular import DASH, METHOD, THIN, Column, Row, Table, formula, method_row, number

EPS = (0.2, 0.4, 0.6)
R_EPS, RETAIN, FORGET = formula("R[ε]"), formula("D_r"), formula("D_u")
COLUMNS = [
    METHOD,
    Column("Data", heads=True),
    *(Column(f"{eps}", f"{R_EPS} (%)") for eps in EPS),
    *(Column(name, "Lemma 1") for name in ("area", "≤", "<")),
    *(Column(formula(name), "Theorem 1") for name in ("max μ_lμ_k", "Δ_μ")),
    *(Column(name, "Theorem 1") for name in ("margin", "at best", "bound")),
    *(Column(name, "Err (%)") for name in ("head", "centre")),
]
NUMBERS = [*(f"r_{eps}" for eps in EPS), "area"]
NUMBERS += ["largest_product", "delta_mu", "margin", "best_margin", "err_head", "err_centre"]


def build(source: Source) -> Table:
    """Return the table: one block per cell, two rows per method, one for retain and one for forget data.

    Numbers are means over trials; the ordering is counted in trials. A method with a diverged trial says so.
    """
    data = numbers(source)
    blocks = source.blocks(data, lambda rows: [row for method in source.methods for row in _rows(rows, method)])
    return source.table(COLUMNS, blocks, _notes(source, data), data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what the ``.csv`` holds, one row per trial and group, at full precision.

    Columns ``dataset, arch, scenario, method, trial, collapsed, group``; ``samples``; ``diverged``, where the rest is
    NaN; ``r_<eps>``, shares; ``area, above, below, chance, holds, strict`` of `benchmark.metrics.theory.Ordering`; the
    attributes of `benchmark.metrics.theory.Theorem` and ``vacuous``, NaN where a group has a single class;
    ``err_head`` and ``err_centre``, the shares that the head and the nearest class centre get wrong.
    """
    return pd.DataFrame(
        {**vars(cell), "method": method, "trial": trial, "collapsed": trial in source.collapsed(cell, method), **row}
        for cell, method in product(source.cells, source.methods)
        for trial, views in source.by_trial(source.results.views, cell, method).items()
        for row in _of_run(views)
    )


def _of_run(views: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a run's two rows."""
    groups = {group: views[views["membership"] == group] for group in GROUPS}
    if views["max_distance"].isna().any():
        return [{"group": group, "samples": len(part), "diverged": True} for group, part in groups.items()]
    order = lemma1(*(part["max_distance"].to_numpy(float) for part in groups.values()))
    ordering = asdict(order) | {"holds": order.holds, "strict": order.strict}
    rows = []
    for group, part in groups.items():
        curve = r_curve(part["max_distance"].to_numpy(float), EPS)
        theorem = theorem1(part)
        bound = asdict(theorem) | {"vacuous": theorem.vacuous} if theorem else {}
        errors = {
            "err_head": float((part["prediction"] != part["label"]).mean()),
            "err_centre": float((part["nearest"] != part["label"]).mean()) if theorem else np.nan,
        }
        shares = {f"r_{eps}": value for eps, value in zip(EPS, curve, strict=True)}
        rows.append({"group": group, "samples": len(part), "diverged": False, **shares, **ordering, **bound, **errors})
    return rows


def _rows(data: pd.DataFrame, method: str) -> list[Row]:
    """Return a method's two rows in a cell; the first has the ordering."""
    rows: list[Row] = []
    for group, name in zip(GROUPS, (RETAIN, FORGET), strict=True):
        trials = data[(data["method"] == method) & (data["group"] == group)] if len(data) else data
        first, diverged = group == GROUPS[0], len(trials) > 0 and trials["diverged"].any()
        numbers = [DASH] * (len(COLUMNS) - 2) if trials.empty or diverged else _numbers(trials, first)
        collapsed = len(trials) > 0 and trials["collapsed"].any()
        label, *cells = method_row(method, numbers, diverged, collapsed)
        rows.append([label if first else "", name, *cells])
    return rows


def _numbers(trials: pd.DataFrame, with_ordering: bool) -> list[str]:
    means = trials.reindex(columns=NUMBERS).astype(float).mean()
    ordering = [number(means["area"], 3), *(f"{int(trials[key].sum())}/{len(trials)}" for key in ("holds", "strict"))]
    return [
        *(number(100 * means[f"r_{eps}"], 1) for eps in EPS),
        *(ordering if with_ordering else ["", "", ""]),
        *(number(means[key]) for key in ("largest_product", "delta_mu", "margin", "best_margin")),
        _bound(trials),
        *(number(100 * means[key], 1) for key in ("err_head", "err_centre")),
    ]


def _bound(trials: pd.DataFrame) -> str:
    """Return the bound in per cent, or how many trials it is vacuous in."""
    if "vacuous" not in trials or trials["vacuous"].isna().all():
        return DASH
    vacuous = int(trials["vacuous"].sum())
    if not vacuous:
        return number(100 * float(trials["bound"].mean()), 1)
    return "vacuous" + (f" {vacuous}/{len(trials)}" if vacuous < len(trials) else "")


def _notes(source: Source, data: pd.DataFrame) -> list[str]:
    study, trials, cells = source.study, source.trials, source.cells
    counts = data.groupby([*CELL_KEYS, "method"])["trial"].nunique() if len(data) else pd.Series(dtype=int)
    fewest = [min(counts.get((*vars(cell).values(), method), 0) for cell in cells) for method in source.methods]
    return [
        f"{'Means' if trials > 1 else 'Numbers'} {facts.over(trials)}, of at most {study.map_samples} training samples "
        f"and all pairs among {2 * study.view_pairs} views of each and the image itself, retained ({RETAIN}) or "
        f"forgotten ({FORGET})",
        f"{R_EPS}: share of samples with two views farther apart than ε, features scaled to length 1",
        f"Lemma 1: area between the curves of {FORGET} and {RETAIN}; trials in which {formula('R')} is nowhere "
        f"higher on {RETAIN} (≤), and in which it is also somewhere higher on {FORGET} (<), beyond chance at 5{THIN}%",
        "Theorem 1 bounds the error (here of the nearest class centre, in %) only where its margin is positive; at "
        f"best: the margin with perfect augmentation, {formula('σ=1')}, {formula('δ=0')}",
        "A single forgotten class has no other centre to compare with (dashes), and differs from the retained "
        "classes in more than being forgotten"
        if any(Scenario(cell.scenario).class_name for cell in cells)
        else "",
        facts.control(source.controls),
        facts.incomplete(pd.DataFrame({"method": source.methods, "trials": fewest}), trials),
    ]
