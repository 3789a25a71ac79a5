"""The table of RA, UA, TA, MIA and their gaps to Retrain, the average gap and the cost (Tables 2, 3 and 7 to 10)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial as bind
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import estimate, mean_interval
from benchmark.metrics.evidence import Trials
from benchmark.metrics.gaps import CELL, METRICS, bold_best, noise_floor, summarise
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.style import cell_label, method_label
from benchmark.report.tables.source import Source
from benchmark.report.tabular import DASH, THIN, Column, Entry, Row, Table, number
from benchmark.results.measured import COLLAPSE
from benchmark.study.study import Study

DECIMALS = 2
COUNTS = ("trials", "diverged", "collapsed")
COSTS = ("pflops", "pflops_executed")
UNITS = {"PFLOPs": 1.0, "TFLOPs": 1e3, "GFLOPs": 1e6, "MFLOPs": 1e9}
AVERAGE = "Avg. Gap ↓"
GAPS = [*(f"{metric}_gap" for metric in METRICS), "avg_gap"]


def build(source: Source) -> Table:
    """Return the table: a block a cell, Retrain first, then the methods as listed.

    Numbers are means over trials ± their standard deviation, with the gap to Retrain in parentheses. The best average
    gap is bold, ties as printed too; Retrain and Original do not compete. Cost stands in the largest unit that leaves
    no method below 0.05. A row with a diverged trial says so in place of numbers; a collapsed one has a dagger.
    """
    data = numbers(source)
    unit, decimals = cost_unit(data[list(COSTS)].to_numpy(dtype=float))
    columns = [
        Column("Method", heads=True),
        *(Column(metric.upper(), centred=True) for metric in METRICS),
        Column(AVERAGE),
        *(Column(name, f"Cost ({unit})") for name in ("paper", "executed")),
    ]
    blocks = []
    for place, rows in data.groupby(CELL, sort=False):
        floor = rows["noise_floor"].iloc[0]
        note = f"noise floor {number(floor, DECIMALS)}" if np.isfinite(floor) else ""
        blocks.append(source.block(Cell(*place), _rows(rows, unit, decimals), note))
    return source.table(columns, blocks, _notes(source, data, unit), data)


def numbers(source: Source) -> pd.DataFrame:
    """Return what `gather` does, for the table's cells and methods, and Retrain before these."""
    methods = dict.fromkeys([RETRAIN, *source.methods])
    return gather(source.study, source.cells, methods, source.results.metrics)


def gather(study: Study, cells: Iterable[Cell], methods: Iterable[str], metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers at full precision, one row a cell and method, missing ones with NaN and 0 trials.

    Columns: ``dataset, arch, scenario, method, run_method`` (what its runs are called), ``trials, diverged,
    collapsed`` (counts), ``report_epoch, epoch``; per metric ``_mean, _sd, _low, _high, _gap``, and ``avg_gap`` with
    ``_low, _high``, in per cent and points: the ends of 95 % intervals, Student's of a mean and that of
    `benchmark.metrics.bootstrap` of the average gap; ``pflops, pflops_executed, seconds``; ``noise_floor``, the cell's,
    in points.

    Parameters
    ----------
    cells, methods : what is shown, in its order; methods by the names that the study lists.
    metrics : one row a run, from `benchmark.results.measured.metrics`.
    """
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "low", "high", "gap")]
    numbers = ["epoch", *columns, "avg_gap", "avg_gap_low", "avg_gap_high", *COSTS, "seconds"]
    nothing = dict.fromkeys(numbers, np.nan) | dict.fromkeys(COUNTS, 0) | {"report_epoch": ""}
    known, floors = ({}, {}) if metrics.empty else (summaries(metrics), floors_of(metrics))
    rows = []
    for cell, method in product(cells, methods):
        run_method = study.run_name(cell, method, 0).method
        names = {**vars(cell), "method": method, "run_method": run_method}
        rows.append({**names, **known.get((cell, run_method), nothing), "noise_floor": floors.get(cell, np.nan)})
    order = [*CELL, "method", "run_method", *COUNTS, "report_epoch", *numbers, "noise_floor"]
    return pd.DataFrame(rows, columns=order)


def summaries(metrics: pd.DataFrame) -> dict[tuple[Cell, str], dict[str, Any]]:
    """Return `summarise`'s row of each cell and method; a cell without Retrain still has its means.

    Parameters
    ----------
    metrics : one row a run, from `benchmark.results.measured.metrics` or with as much as `summarise` needs,
        ``collapsed`` and ``report_epoch``.
    """
    known: dict[tuple[Cell, str], dict[str, Any]] = {}
    # The last digit of a mean depends on the order of the rows, and gathered files have another one.
    for place, runs in metrics.sort_values([*CELL, "method", "trial"]).groupby(CELL, sort=False):
        cell, methods = Cell(*place), list(runs["method"].unique())
        summary = summarise(runs, RETRAIN if RETRAIN in methods else methods[0])
        if RETRAIN not in methods:
            summary[GAPS] = np.nan
        for row in summary.drop(columns=CELL).to_dict("records"):
            method = str(row.pop("method"))
            mine = runs[runs["method"] == method]
            row |= {"collapsed": int(mine["collapsed"].sum()), "report_epoch": mine["report_epoch"].iloc[0]}
            for metric in METRICS:
                row[f"{metric}_low"], row[f"{metric}_high"] = mean_interval(mine[metric])
            row["avg_gap_low"], row["avg_gap_high"] = _gap_interval(runs, cell, method, row["avg_gap"])
            known[cell, method] = row
    return known


def _gap_interval(runs: pd.DataFrame, cell: Cell, method: str, gap: float) -> tuple[float, float]:
    """Return the ends of the average gap's 95 % interval, NaN where it has none."""
    trials = Trials(runs, cell, [method])
    if method == RETRAIN or not np.isfinite(gap) or not len(trials):
        return np.nan, np.nan
    ends = estimate(bind(trials.gap, method), len(trials))
    return max(0.0, ends.low) if np.isfinite(ends.low) else np.nan, ends.high


def floors_of(metrics: pd.DataFrame) -> dict[Cell, float]:
    """Return the noise floor of each cell that has Retrain, in points."""
    floors = noise_floor(metrics)
    cells = [Cell(*place) for place in floors[CELL].itertuples(index=False)]
    return dict(zip(cells, floors["noise_floor"], strict=True))


# --- cells ----------------------------------------------------------------------------------------------------------


def cost_unit(pflops: np.ndarray[Any, Any]) -> tuple[str, int]:
    """Return the largest unit in which no cost is below 0.05, and the decimals that leave three significant digits.

    Parameters
    ----------
    pflops : costs in PFLOPs, of any shape; NaN and 0 are ignored.
    """
    positive = pflops[np.isfinite(pflops) & (pflops > 0)]
    if not len(positive):
        return "PFLOPs", DECIMALS
    smallest = float(positive.min())
    unit = next((unit for unit, factor in UNITS.items() if smallest * factor >= 0.05), "MFLOPs")
    return unit, int(np.clip(2 - np.floor(np.log10(smallest * UNITS[unit])), 0, DECIMALS))


def _rows(rows: pd.DataFrame, unit: str, decimals: int) -> list[Row]:
    """Return one block's rows."""
    competes = [method != RETRAIN and not facts.is_control(method) for method in rows["method"]]
    best = bold_best(rows["avg_gap"].where(competes), DECIMALS)
    out: list[Row] = []
    for row, bold in zip(rows.to_dict("records"), best, strict=True):
        label = method_label(row["method"]) + "†" * bool(row["collapsed"])
        if row["diverged"]:
            out.append([label, Entry("diverged", spans=True)])
            continue
        average = Entry(number(row["avg_gap"], DECIMALS), bold=bool(bold))
        costs = [number(row[cost] * UNITS[unit], decimals) for cost in COSTS]
        out.append([label, *(_with_gap(row, metric) for metric in METRICS), average, *costs])
    return out


def _with_gap(row: dict[str, Any], metric: str) -> str:
    """Return ``mean±sd (gap)``; no ± for a single trial, no gap where Retrain is missing."""
    mean, sd, gap = (number(row[f"{metric}_{what}"], DECIMALS) for what in ("mean", "sd", "gap"))
    return mean if mean == DASH else mean + f"±{sd}" * (sd != DASH) + f" ({gap})" * (gap != DASH)


# --- the caption ------------------------------------------------------------------------------------------------------


def _notes(source: Source, data: pd.DataFrame, unit: str) -> list[str]:
    study, trials, metrics = source.study, source.trials, source.results.metrics
    spread = f"Mean ± standard deviation over {trials} trials" if trials > 1 else "One trial"
    best = (data["report_epoch"] == "best").any()
    floor = ""
    if data["noise_floor"].notna().any():
        floor = "The noise floor is the average gap of a trial of Retrain to its other trials"
        floor += f": {number(data['noise_floor'].iloc[0], DECIMALS)}" if len(source.cells) == 1 else ""
    return [
        f"{spread}; in parentheses the gap to Retrain, in points",
        "Reported: " + ("best epoch (oracle epoch: chosen with Retrain and the test set)" if best else "last epoch"),
        floor,
        facts.tuned(study),
        f"Cost in {unit}, by the paper's counting and as executed",
        f"Computed in {facts.values(metrics, 'precision')}" if "precision" in metrics else "",
        facts.apart(study, metrics),
        facts.control(source.controls),
        *_marks(data, len(source.cells) > 1),
        facts.incomplete(data, trials),
    ]


def _marks(data: pd.DataFrame, several: bool) -> list[str]:
    """Explain daggers and diverged trials."""
    counts = [
        f"{method_label(row.method)} in {row.diverged} of {row.trials}"
        + (f" ({cell_label(Cell(row.dataset, row.arch, row.scenario))})" if several else "")
        for row in data[data["diverged"] > 0].itertuples()
    ]
    collapsed = f"†{THIN}collapsed: retain accuracy more than {COLLAPSE:.0f} points below Original's"
    return [f"Diverged: {', '.join(counts)} trials" if counts else "", collapsed if data["collapsed"].any() else ""]
