"""The table of RA, UA, TA, MIA and their gaps to Retrain, the average gap and the cost (Tables 2, 3 and 7 to 10)."""

from __future__ import annotations

from functools import partial as bind
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.gaps import METRICS, bold_best
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import cell_label, method_label
from benchmark.report.summary import COLLAPSED, COSTS, UNITS, cost_unit, gather
from benchmark.report.tabular import DASH, METHOD, Column, Entry, Row, Table, method_row, number

AVERAGE = "Avg. Gap ↓"


def build(source: Source) -> Table:
    """Return the table: a block a cell, Retrain first, then the methods as listed.

    Numbers are means over trials ± their standard deviation, with the gap to Retrain in parentheses. The best average
    gap is bold, ties as printed too; Retrain and Original do not compete. Cost stands in the largest unit that leaves
    no method below 0.05. A row with a diverged trial says so in place of numbers; a collapsed one has a dagger.
    """
    data = gather(source, [RETRAIN, *source.methods])
    unit, decimals = cost_unit(data[list(COSTS)].to_numpy(dtype=float))
    columns = [METHOD, *(Column(metric.upper(), centred=True) for metric in METRICS), Column(AVERAGE)]
    columns += [Column(name, f"Cost ({unit})") for name in ("paper", "executed")]
    blocks = source.blocks(data, bind(_rows, unit=unit, decimals=decimals), _floor)
    return source.table(columns, blocks, _notes(source, data, unit), data)


def _rows(data: pd.DataFrame, unit: str, decimals: int) -> list[Row]:
    competes = [method != RETRAIN and not facts.is_control(method) for method in data["method"]]
    best = bold_best(data["avg_gap"].where(competes), 2)
    rows = []
    for row, bold in zip(data.to_dict("records"), best, strict=True):
        average = Entry(number(row["avg_gap"]), bold=bool(bold))
        costs = [number(row[cost] * UNITS[unit], decimals) for cost in COSTS]
        cells: Row = [*(_with_gap(row, metric) for metric in METRICS), average, *costs]
        rows.append(method_row(row["method"], cells, row["diverged"], mark="†" * bool(row["collapsed"])))
    return rows


def _with_gap(row: dict[str, Any], metric: str) -> str:
    """Return ``mean±sd (gap)``; no ± for a single trial, no gap where Retrain is missing."""
    mean, sd, gap = (number(row[f"{metric}_{what}"]) for what in ("mean", "sd", "gap"))
    return mean if mean == DASH else mean + f"±{sd}" * (sd != DASH) + f" ({gap})" * (gap != DASH)


def _floor(data: pd.DataFrame) -> str:
    floor = data["noise_floor"].iloc[0]
    return f"noise floor {number(floor)}" if np.isfinite(floor) else ""


def _notes(source: Source, data: pd.DataFrame, unit: str) -> list[str]:
    study, trials, metrics = source.study, source.trials, source.results.metrics
    spread = f"Mean ± standard deviation over {trials} trials" if trials > 1 else "One trial"
    best = (data["report_epoch"] == "best").any()
    diverged = [
        f"{method_label(row.method)} in {row.diverged} of {row.trials}"
        + (f" ({cell_label(Cell(row.dataset, row.arch, row.scenario))})" if len(source.cells) > 1 else "")
        for row in data[data["diverged"] > 0].itertuples()
    ]
    floor = ""
    if data["noise_floor"].notna().any():
        floor = "The noise floor is the average gap of a trial of Retrain to its other trials"
        floor += f": {number(data['noise_floor'].iloc[0])}" if len(source.cells) == 1 else ""
    return [
        f"{spread}; in parentheses the gap to Retrain, in points",
        "Reported: " + ("best epoch (oracle epoch: chosen with Retrain and the test set)" if best else "last epoch"),
        floor,
        facts.tuned(study),
        f"Cost in {unit}, by the paper's counting and as executed",
        f"Computed in {facts.values(metrics, 'precision')}" if "precision" in metrics else "",
        facts.apart(study, metrics),
        facts.control(source.controls),
        f"Diverged: {', '.join(diverged)} trials" if diverged else "",
        COLLAPSED if data["collapsed"].any() else "",
        facts.incomplete(data, trials),
    ]
