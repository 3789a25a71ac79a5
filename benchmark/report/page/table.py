"""The page's table of results: a row a cell and method, beside the paper's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.metrics.arithmetic import corrected_summary
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report.page.curves import reference_cell
from benchmark.report.style import cell_parts, in_order, method_colour, method_label, scenario_label
from benchmark.report.summary import UNITS, cost_unit, floors_of, summaries
from benchmark.results import measured
from benchmark.results.frames import Results

# Points from which on a gap has the next deeper shade.
SHADES = [0.5, 1.0, 2.0, 5.0, 10.0]

REPORTED_FILE = "unlearning.csv"


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return what the template prints: rows, choices of the filters, shades, and whether the paper is there.

    A row has the numbers of `benchmark.report.summary.summaries`; ``floor``, its cell's noise floor; ``paper``, the
    paper's numbers or nothing; ``anchor``, to where it says how it was made; names and labels.
    """
    reported = _reported()
    rows: list[dict[str, Any]] = []
    for cell in cells:
        runs = with_reference(results.metrics, cell)
        numbers, floor = summaries(runs), floors_of(runs).get(cell, np.nan)
        for method in in_order(runs["method"].unique()):
            home = reference_cell(cell) if method == RETRAIN else cell
            names: dict[str, Any] = {"place": vars(cell), "labels": dict(zip(CELL, cell_parts(cell), strict=True))}
            names |= {"method": method, "label": method_label(method), "anchor": anchor(home, method)}
            names["colour"] = method_colour(method)
            names["note"] = "" if home == cell else f"of {scenario_label(home.scenario)}"
            names["kind"] = "reference" if method in (ORIGINAL, RETRAIN) else ""
            names["paper"] = paper = reported.get((cell, method), {})
            names["paper_gap"] = paper.get("avg_gap", np.nan)
            rows.append(numbers[cell, method] | names | {"floor": floor})
    unit, decimals = cost_unit(np.array([row["pflops"] for row in rows], dtype=float))
    choices = {part: {row["place"][part]: row["labels"][part] for row in rows} for part in CELL}
    choices["method"] = {method: method_label(method) for method in in_order({row["method"] for row in rows})}
    return {
        "rows": rows,
        "choices": choices,
        # Of methods there may be one alone, but its column is what heads a row.
        "constant": [column for column, labels in choices.items() if len(labels) == 1 and column != "method"],
        "shades": SHADES,
        "unit": unit,
        "factor": UNITS[unit],
        "decimals": decimals,
        "paper": any(row["paper"] for row in rows),
        "oracle": (results.metrics["report_epoch"] == "best").any(),
        "collapsed": any(row["collapsed"] for row in rows),
        "collapse": measured.COLLAPSE,
        "trials": results.study.trials,
    }


def with_reference(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell's runs with the Retrain that it is compared with, be it another cell's."""
    runs, other = in_cell(frame, cell), reference_cell(cell)
    if other == cell:
        return runs
    borrowed = in_cell(frame, other)
    return pd.concat([runs, borrowed[borrowed["method"] == RETRAIN].assign(scenario=cell.scenario)])


def _reported() -> dict[tuple[Cell, str], dict[str, Any]]:
    if not (paths.REPORTED / REPORTED_FILE).is_file():
        return {}  # a project of somebody's own need not hold the paper's numbers
    rows = corrected_summary().to_dict("records")
    # A row that the paper prints twice is taken from the first table that has it.
    return {(Cell(*(row[part] for part in CELL)), row["method"]): row for row in reversed(rows)}


def anchor(cell: Cell, method: str) -> str:
    """Return the identifier of the place that says how a row was made."""
    plain = f"{cell}/{method}".replace("/", "-")
    return "made-" + "".join(sign if sign.isalnum() or sign == "-" else f"_{ord(sign):x}_" for sign in plain)
