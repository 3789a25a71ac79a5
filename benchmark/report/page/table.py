"""The page's table of results: a row a method and cell, with the paper's numbers beside ours where it has them."""

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
from benchmark.report.style import architecture_label, dataset_label, in_order, method_label, scenario_label
from benchmark.report.tables.unlearning import UNITS, cost_unit, floors_of, summaries
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
    rows, floors = [], {}
    for cell in cells:
        runs, borrowed = _with_reference(results.metrics, cell)
        numbers, floors[cell] = summaries(runs), floors_of(runs).get(cell, np.nan)
        own = list(in_cell(results.metrics, cell)["method"].unique())
        for method in in_order(own + [RETRAIN] * borrowed):
            rows.append((cell, method, numbers[cell, method]))
    costs = np.array([row["pflops"] for _, _, row in rows], dtype=float)
    unit, decimals = cost_unit(costs)
    have = any((cell, method) in reported for cell, method, _ in rows)
    scale = UNITS[unit], decimals
    return {
        "columns": _columns(unit, have),
        "rows": [_row(cell, method, row, floors[cell], scale, reported, have) for cell, method, row in rows],
        "choices": _choices(rows),
        # Of methods there may be one alone, but its column is what heads a row.
        "constant": [what for what, labels in _choices(rows).items() if len(labels) == 1 and what != "method"],
        "shades": SHADES,
        "paper": have,
        "oracle": (results.metrics["report_epoch"] == "best").any(),
        "collapsed": any(row["collapsed"] for _, _, row in rows),
        "collapse": measured.COLLAPSE,
        "trials": results.study.trials,
    }


def _with_reference(metrics: pd.DataFrame, cell: Cell) -> tuple[pd.DataFrame, bool]:
    """Return a cell's runs with the Retrain that it is compared with, and whether that is another cell's."""
    runs, other = in_cell(metrics, cell), reference_cell(cell)
    if other == cell:
        return runs, False
    borrowed = in_cell(metrics, other)
    borrowed = borrowed[borrowed["method"] == RETRAIN].assign(scenario=cell.scenario)
    return pd.concat([runs, borrowed], ignore_index=True), len(borrowed) > 0


def _reported() -> dict[tuple[Cell, str], dict[str, Any]]:
    if not (paths.REPORTED / REPORTED_FILE).is_file():
        return {}  # a project of somebody's own need not hold the paper's numbers
    rows = reported_summary().to_dict("records")
    # A row that the paper prints twice is taken from the first table that has it.
    return {(Cell(*(row[part] for part in CELL)), row["method"]): row for row in reversed(rows)}


def _columns(unit: str, paper: bool) -> list[dict[str, str]]:
    columns = [
        ("method", "Method", "text"),
        ("dataset", "Dataset", "text"),
        ("arch", "Architecture", "text"),
        ("scenario", "Forgotten", "text"),
        ("avg_gap", "Avg. gap", "number"),
    ]
    columns += [("paper", "Avg. gap, paper", "number")] if paper else []
    for metric in METRICS:
        columns += [(metric, metric.upper(), "number"), (f"{metric}_gap", f"{metric.upper()} gap", "number")]
    columns += [("pflops", unit, "number"), ("executed", f"{unit} executed", "number")]
    columns += [("seconds", "Seconds", "number"), ("trials", "Trials", "number")]
    return [dict(zip(("key", "label", "type"), column, strict=True)) for column in columns]


def _choices(rows: list[tuple[Cell, str, dict[str, Any]]]) -> dict[str, dict[str, str]]:
    """Return the filters' choices: name to label, in order of appearance, methods in their own."""
    methods = in_order(list(dict.fromkeys(method for _, method, _ in rows)))
    return {
        "dataset": {cell.dataset: dataset_label(cell.dataset) for cell, _, _ in rows},
        "arch": {cell.arch: architecture_label(cell.arch) for cell, _, _ in rows},
        "scenario": {cell.scenario: scenario_label(cell.scenario) for cell, _, _ in rows},
        "method": {method: method_label(method) for method in methods},
    }


def anchor(cell: Cell, method: str) -> str:
    """Return the identifier of the place that says how a row was made."""
    return "made-" + "".join(
        sign if sign.isalnum() else "-" if sign in "/-" else f"_{ord(sign):x}_" for sign in f"{cell}/{method}"
    )


def _row(
    cell: Cell,
    method: str,
    row: dict[str, Any],
    floor: float,
    scale: tuple[float, int],
    reported: dict[tuple[Cell, str], dict[str, Any]],
    paper: bool,
) -> dict[str, Any]:
    theirs = reported.get((cell, method), {})
    factor, decimals = scale
    diverged = f"{row['diverged']} of {row['trials']} diverged" if row["diverged"] else ""
    cells = {
        "dataset": Shown(dataset_label(cell.dataset), cell.dataset),
        "arch": Shown(architecture_label(cell.arch), cell.arch),
        "scenario": Shown(scenario_label(cell.scenario), cell.scenario),
        "avg_gap": _average(method, row["avg_gap"], floor, diverged),
    }
    if paper:
        cells["paper"] = _gap(theirs.get("avg_gap", np.nan))
    for metric in METRICS:
        mean, deviation = row[f"{metric}_mean"], row[f"{metric}_sd"]
        printed = _number(theirs.get(f"{metric}_mean", np.nan), 2)
        spread = f"±{deviation:.2f}" if np.isfinite(deviation) else ""
        cells[metric] = Shown(_number(mean, 2), mean, note=spread, paper=printed if theirs else "")
        own = method == RETRAIN
        cells[f"{metric}_gap"] = Shown("", 0.0) if own else _gap(row[f"{metric}_gap"], theirs.get(f"{metric}_gap"))
    for key, cost in (("pflops", "pflops"), ("executed", "pflops_executed")):
        cells[key] = Shown(_number(row[cost] * factor, decimals), row[cost])
    cells["seconds"] = Shown(_number(row["seconds"], 1), row["seconds"])
    cells["trials"] = Shown(str(row["trials"]), row["trials"])
    borrowed = method == RETRAIN and reference_cell(cell) != cell
    return {
        "anchor": anchor(reference_cell(cell) if borrowed else cell, method),
        "place": cell,
        "method": method,
        "label": method_label(method),
        "note": f"of {scenario_label(reference_cell(cell).scenario)}" if borrowed else "",
        "collapsed": bool(row["collapsed"]),
        "kind": "reference" if method in (ORIGINAL, RETRAIN) else "",
        "cells": cells,
    }


def _average(method: str, gap: float, floor: float, diverged: str) -> Shown:
    """Return the average gap; in Retrain's row the gap that its own trials have among themselves."""
    if method == RETRAIN:
        return Shown(f"{floor:.2f}" if np.isfinite(floor) else "", 0.0, note="floor" if np.isfinite(floor) else "")
    if diverged:
        return Shown(diverged, np.nan)
    return _gap(gap)


def _gap(points: float, theirs: float | None = None) -> Shown:
    level = sum(points >= start for start in SHADES)
    printed = _number(theirs, 2) if theirs is not None else ""
    return Shown(_number(points, 2), points, f"shade-{level}" if np.isfinite(points) else "", paper=printed)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if np.isfinite(value) else "–"
