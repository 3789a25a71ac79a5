"""The page's table of results: a row a cell and method, beside the paper's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.metrics.reported import reported_summary
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report.page.curves import reference_cell
from benchmark.report.style import CELL_LABELS, in_order, method_label, scenario_label
from benchmark.report.summary import COSTS, UNITS, cost_unit, floors_of, summaries
from benchmark.results import measured
from benchmark.results.frames import Results

# Points from which on a gap has the next deeper shade.
SHADES = [0.5, 1.0, 2.0, 5.0, 10.0]

REPORTED_FILE = "unlearning.csv"


@dataclass(frozen=True)
class Shown:
    """A cell of the table: what is printed, what it sorts by, the class of its shade, and the paper's number."""

    text: str
    value: float | str
    shade: str = ""
    note: str = ""
    paper: str = ""


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return what the template prints: columns, rows, choices of the filters, shades, and whether the paper is there.

    Each row has ``anchor``, to where it says how it was made, ``place`` and ``method``, to filter by, and ``cells``.
    """
    reported = _reported()
    rows: list[tuple[Cell, str, dict[str, Any]]] = []
    for cell in cells:
        runs = _with_reference(results.metrics, cell)
        numbers, floor = summaries(runs), floors_of(runs).get(cell, np.nan)
        rows += [(cell, name, numbers[cell, name] | {"floor": floor}) for name in in_order(runs["method"].unique())]
    unit, decimals = cost_unit(np.array([row["pflops"] for _, _, row in rows], dtype=float))
    paper = any((cell, method) in reported for cell, method, _ in rows)
    choices = _choices(rows)
    return {
        "columns": _columns(unit, paper),
        "rows": [_row(cell, m, row, reported.get((cell, m), {}), UNITS[unit], decimals) for cell, m, row in rows],
        "choices": choices,
        # Of methods there may be one alone, but its column is what heads a row.
        "constant": [column for column, labels in choices.items() if len(labels) == 1 and column != "method"],
        "shades": SHADES,
        "paper": paper,
        "oracle": (results.metrics["report_epoch"] == "best").any(),
        "collapsed": any(row["collapsed"] for _, _, row in rows),
        "collapse": measured.COLLAPSE,
        "trials": results.study.trials,
    }


def _with_reference(metrics: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return a cell's runs with the Retrain that it is compared with, be it another cell's."""
    runs, other = in_cell(metrics, cell), reference_cell(cell)
    if other == cell:
        return runs
    borrowed = in_cell(metrics, other)
    return pd.concat([runs, borrowed[borrowed["method"] == RETRAIN].assign(scenario=cell.scenario)])


def _reported() -> dict[tuple[Cell, str], dict[str, Any]]:
    if not (paths.REPORTED / REPORTED_FILE).is_file():
        return {}  # a project of somebody's own need not hold the paper's numbers
    rows = reported_summary().to_dict("records")
    # A row that the paper prints twice is taken from the first table that has it.
    return {(Cell(*(row[part] for part in CELL)), row["method"]): row for row in reversed(rows)}


def _columns(unit: str, paper: bool) -> list[dict[str, str]]:
    names = {"method": "Method", "dataset": "Dataset", "arch": "Architecture", "scenario": "Forgotten"}
    numbers = {"avg_gap": "Avg. gap"} | ({"paper": "Avg. gap, paper"} if paper else {})
    for metric in METRICS:
        numbers |= {metric: metric.upper(), f"{metric}_gap": f"{metric.upper()} gap"}
    numbers |= {"pflops": unit, "pflops_executed": f"{unit} executed", "seconds": "Seconds", "trials": "Trials"}
    kinds = dict.fromkeys(names, "text") | dict.fromkeys(numbers, "number")
    return [{"key": key, "label": label, "type": kinds[key]} for key, label in (names | numbers).items()]


def _choices(rows: list[tuple[Cell, str, dict[str, Any]]]) -> dict[str, dict[str, str]]:
    """Return the filters' choices: name to label, in order of appearance, methods in their own."""
    parts = {
        part: {getattr(cell, part): label(getattr(cell, part)) for cell, _, _ in rows}
        for part, label in CELL_LABELS.items()
    }
    methods = in_order({method for _, method, _ in rows})
    return parts | {"method": {method: method_label(method) for method in methods}}


def anchor(cell: Cell, method: str) -> str:
    """Return the identifier of the place that says how a row was made."""
    plain = f"{cell}/{method}".replace("/", "-")
    return "made-" + "".join(sign if sign.isalnum() or sign == "-" else f"_{ord(sign):x}_" for sign in plain)


def _row(
    cell: Cell, method: str, row: dict[str, Any], paper: dict[str, Any], factor: float, decimals: int
) -> dict[str, Any]:
    shown = {part: Shown(label(getattr(cell, part)), getattr(cell, part)) for part, label in CELL_LABELS.items()}
    shown |= {"avg_gap": _average(method, row), "paper": _gap(paper.get("avg_gap", np.nan))}
    for metric in METRICS:
        mean, deviation, gap = (row[f"{metric}_{what}"] for what in ("mean", "sd", "gap"))
        printed = _number(paper[f"{metric}_mean"]) if paper else ""
        spread = f"±{deviation:.2f}" if np.isfinite(deviation) else ""
        shown[metric] = Shown(_number(mean), mean, note=spread, paper=printed)
        shown[f"{metric}_gap"] = Shown("", 0.0) if method == RETRAIN else _gap(gap, paper.get(f"{metric}_gap"))
    for cost in COSTS:
        shown[cost] = Shown(_number(row[cost] * factor, decimals), row[cost])
    shown["seconds"] = Shown(_number(row["seconds"], 1), row["seconds"])
    shown["trials"] = Shown(str(row["trials"]), row["trials"])
    home = reference_cell(cell) if method == RETRAIN else cell
    return {
        "anchor": anchor(home, method),
        "place": cell,
        "method": method,
        "label": method_label(method),
        "note": "" if home == cell else f"of {scenario_label(home.scenario)}",
        "collapsed": bool(row["collapsed"]),
        "kind": "reference" if method in (ORIGINAL, RETRAIN) else "",
        "cells": shown,
    }


def _average(method: str, row: dict[str, Any]) -> Shown:
    """Return the average gap; in Retrain's row the gap that its own trials have among themselves."""
    if method == RETRAIN:
        known = np.isfinite(row["floor"])
        return Shown(f"{row['floor']:.2f}" if known else "", 0.0, note="floor" if known else "")
    if row["diverged"]:
        return Shown(f"{row['diverged']} of {row['trials']} diverged", np.nan)
    return _gap(row["avg_gap"])


def _gap(points: float, paper: float | None = None) -> Shown:
    level = sum(points >= start for start in SHADES)
    printed = _number(paper) if paper is not None else ""
    return Shown(_number(points), points, f"shade-{level}" if np.isfinite(points) else "", paper=printed)


def _number(value: float, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}" if np.isfinite(value) else "–"
