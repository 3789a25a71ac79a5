"""The page's table of results: one row per cell and method, beside the paper's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.metrics.arithmetic import corrected_summary
from benchmark.metrics.evidence import in_cell
from benchmark.names import CELL_KEYS, ORIGINAL, RETRAIN, Cell
from benchmark.report.style import cell_parts, in_order, method_colour, method_label, scenario_label
from benchmark.report.summary import UNITS, cost_unit, floors_of, summaries
from benchmark.results import measured
from benchmark.results.frames import Results
from benchmark.study.plan import REPORTED_FILE

# Points from which a gap has the next deeper shade.
SHADES = [0.5, 1.0, 2.0, 5.0, 10.0]


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return the template's values: rows, choices of the filters, shades, and whether the paper has numbers.

    A row holds the numbers of `benchmark.report.summary.summaries`; ``floor``, its cell's noise floor; ``paper``, the
    paper's numbers if any; ``anchor`` of its provenance; names and labels.
    """
    reported = _reported()
    rows: list[dict[str, Any]] = []
    for cell in cells:
        runs = with_reference(results.metrics, cell)
        numbers, floor = summaries(runs), floors_of(runs).get(cell, np.nan)
        for method in in_order(runs["method"].unique()):
            source_cell = cell.references[-1] if method == RETRAIN else cell
            names: dict[str, Any] = {"cell": vars(cell), "labels": dict(zip(CELL_KEYS, cell_parts(cell), strict=True))}
            names |= {"method": method, "label": method_label(method), "anchor": anchor(source_cell, method)}
            names["colour"] = method_colour(method)
            names["note"] = "" if source_cell == cell else f"of {scenario_label(source_cell.scenario)}"
            names["kind"] = "reference" if method in (ORIGINAL, RETRAIN) else ""
            names["paper"] = paper = reported.get((cell, method), {})
            names["paper_gap"] = paper.get("avg_gap", np.nan)
            rows.append(numbers[cell, method] | names | {"floor": floor})
    unit, decimals = cost_unit(np.array([row["pflops"] for row in rows], dtype=float))
    choices = {part: {row["cell"][part]: row["labels"][part] for row in rows} for part in CELL_KEYS}
    choices["method"] = {method: method_label(method) for method in in_order({row["method"] for row in rows})}
    return {
        "rows": rows,
        "choices": choices,
        # The column of methods heads the rows, even with only one method.
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
    """Return the rows of a cell's runs and of its reference Retrain, which may be of another cell."""
    runs, reference = in_cell(frame, cell), cell.references[-1]
    if reference == cell:
        return runs
    reference_runs = in_cell(frame, reference)
    return pd.concat([runs, reference_runs[reference_runs["method"] == RETRAIN].assign(scenario=cell.scenario)])


def _reported() -> dict[tuple[Cell, str], dict[str, Any]]:
    if not (paths.REPORTED / REPORTED_FILE).is_file():
        return {}  # a user's project need not hold the paper's numbers
    rows = corrected_summary().to_dict("records")
    return {(Cell(*(row[part] for part in CELL_KEYS)), row["method"]): row for row in rows}


def anchor(cell: Cell, method: str) -> str:
    """Return the HTML identifier of a row's provenance."""
    name = f"{cell}/{method}".replace("/", "-")
    return "made-" + "".join(char if char.isalnum() or char == "-" else f"_{ord(char):x}_" for char in name)
