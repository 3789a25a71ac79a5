"""The table of RA, UA, TA, MIA and their gaps to Retrain, the average gap and the cost (Tables 2, 3 and 7 to 10)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial as bind
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import estimate, mean_interval
from benchmark.metrics.evidence import Trials
from benchmark.metrics.gaps import CELL, METRICS, bold_best, noise_floor, summarise
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.latex import DASH, Block, Table, aligned, escape, number, spanning
from benchmark.report.style import cell_label, method_label
from benchmark.results import measured
from benchmark.study.study import Study

DECIMALS = 2
COUNTS = ("trials", "diverged", "collapsed")
COSTS = ("pflops", "pflops_executed")
UNITS = {"PFLOPs": 1.0, "TFLOPs": 1e3, "GFLOPs": 1e6, "MFLOPs": 1e9}
AVERAGE = r"Avg.\ Gap $\downarrow$"
GAPS = [*(f"{metric}_gap" for metric in METRICS), "avg_gap"]


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, Retrain first, then the methods as listed.

    Numbers are means over trials ± their standard deviation, with the gap to Retrain in parentheses. The best average
    gap is bold, ties as printed too; Retrain and Original do not compete. Cost stands in the largest unit that leaves
    no method below 0.1. A row with a diverged trial says so in place of numbers; a collapsed one has a dagger.

    Parameters
    ----------
    study, name : the table.
    partial : show a dash for what is missing, and no gaps where Retrain is.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    metrics = measured.metrics(study, study.runs_of(name), cells, partial)
    data = gather(study, cells, dict.fromkeys([RETRAIN, *output.methods]), metrics)
    unit, decimals = cost_unit(data[list(COSTS)].to_numpy(dtype=float))
    printed = _printed(data, unit, decimals)
    blocks = []
    for place, rows in data.groupby(CELL, sort=False):
        cell = Cell(*place)
        title, floor = facts.heading(cells, cell), rows["noise_floor"].iloc[0]
        if title and np.isfinite(floor):
            title += rf" \textup{{(noise floor {number(floor, DECIMALS)})}}"
        blocks.append(Block(printed.loc[rows.index], title))
    return Table(blocks, facts.caption(study, name, _facts(study, name, metrics, data, unit)), data)


def gather(study: Study, cells: Iterable[Cell], methods: Iterable[str], metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers at full precision, one row a cell and method, missing ones with NaN and 0 trials.

    Columns: ``dataset, arch, scenario, method, run_method`` (what its runs are called), ``trials, diverged,
    collapsed`` (counts), ``epoch, report_epoch``; per metric ``_mean, _sd, _low, _high, _gap``, and ``avg_gap`` with
    ``_low, _high``, in per cent and points: the ends of 95 % intervals, Student's of a mean and that of
    `benchmark.metrics.bootstrap` of the average gap; ``noise_floor``, the cell's, in points; ``pflops, pflops_executed,
    seconds``.

    Parameters
    ----------
    cells, methods : what is shown, in its order; methods by the names that the study lists.
    metrics : one row a run, from `benchmark.results.measured.metrics`.
    """
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "low", "high", "gap")]
    numbers = ["epoch", *columns, "avg_gap", "avg_gap_low", "avg_gap_high", *COSTS, "seconds"]
    found = {} if metrics.empty else summaries(metrics)
    floors = {} if metrics.empty else floors_of(metrics)
    rows = []
    methods = list(methods)
    for cell in cells:
        for method in methods:
            run_method = study.run_name(cell, method, 0).method
            row = found.get((cell, run_method), dict.fromkeys(numbers, np.nan) | dict.fromkeys(COUNTS, 0))
            place = dict(zip(CELL, (cell.dataset, cell.arch, cell.scenario), strict=True))
            rows.append({**place, "method": method, "run_method": run_method, "report_epoch": "", **row})
            rows[-1]["noise_floor"] = floors.get(cell, np.nan)
    order = [*CELL, "method", "run_method", *COUNTS, "report_epoch", *numbers, "noise_floor"]
    return pd.DataFrame(rows, columns=order)


def summaries(metrics: pd.DataFrame) -> dict[tuple[Cell, str], dict[str, Any]]:
    """Return `summarise`'s row of each cell and method; a cell without Retrain still has its means.

    Parameters
    ----------
    metrics : one row a run, from `benchmark.results.measured.metrics` or with as much as `summarise` needs,
        ``collapsed`` and ``report_epoch``.
    """
    found: dict[tuple[Cell, str], dict[str, Any]] = {}
    for place, runs in metrics.groupby(CELL, sort=False):
        cell = Cell(*place)
        methods = list(runs["method"].unique())
        known = RETRAIN in methods
        summary = summarise(runs, RETRAIN if known else methods[0])
        if not known:
            summary[GAPS] = np.nan
        summary = intervals(summary, runs, cell)
        for row in summary.to_dict("records"):
            mine = runs[runs["method"] == row["method"]]
            more = {"collapsed": int(mine["collapsed"].sum()), "report_epoch": mine["report_epoch"].iloc[0]}
            method = str(row.pop("method"))
            found[cell, method] = {key: value for key, value in row.items() if key not in CELL} | more
    return found


def intervals(summary: pd.DataFrame, runs: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return one cell's summary with the ends of 95 % intervals: see `gather`."""
    out = summary.copy()
    mine = dict(iter(runs.groupby("method")))
    for metric in METRICS:
        ends = [mean_interval(mine[method][metric]) for method in out["method"]]
        out[[f"{metric}_low", f"{metric}_high"]] = ends
    ends = []
    for row in out.itertuples():
        trials = Trials(runs, cell, [str(row.method)])
        if row.method == RETRAIN or not np.isfinite(row.avg_gap) or not len(trials):
            ends.append((np.nan, np.nan))
            continue
        found = estimate(bind(trials.gap, str(row.method)), len(trials))
        ends.append((max(0.0, found.low) if np.isfinite(found.low) else np.nan, found.high))
    out[["avg_gap_low", "avg_gap_high"]] = ends
    return out


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


def _printed(rows: pd.DataFrame, unit: str, decimals: int) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    names = [
        ("", "Method"),
        *(("", rf"\multicolumn{{1}}{{c}}{{{metric.upper()}}}") for metric in METRICS),
        ("", AVERAGE),
    ]
    names += [(f"Cost ({unit})", "paper"), (f"Cost ({unit})", "executed")]
    columns: list[list[str]] = [[_label(row) for row in rows.itertuples()]]
    columns += [_means(rows, metric) for metric in METRICS]
    columns.append(_averages(rows))
    columns += [[number(value * UNITS[unit], decimals) for value in rows[cost]] for cost in COSTS]
    cells = [list(row) for row in zip(*columns, strict=True)]
    for row, diverged in zip(cells, rows["diverged"] > 0, strict=True):
        if diverged:
            row[1:] = spanning("diverged", len(row) - 1)
    return pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(names))


def _label(row: Any) -> str:
    return escape(method_label(row.method)) + (r"$^\dagger$" if row.collapsed else "")


def _means(rows: pd.DataFrame, metric: str) -> list[str]:
    """Return ``mean±sd (gap)``; no ± for a single trial, no gap where Retrain is missing."""
    means = [number(value) for value in rows[f"{metric}_mean"]]
    deviations = aligned(rows[f"{metric}_sd"], r"$\pm$")
    gaps = aligned(rows[f"{metric}_gap"], "(", ")")
    return [
        mean if mean == DASH else f"{mean}{deviation}{' ' if gap else ''}{gap}"
        for mean, deviation, gap in zip(means, deviations, gaps, strict=True)
    ]


def _averages(rows: pd.DataFrame) -> list[str]:
    """Return average gaps, the best of each cell in bold."""
    competes = [method != RETRAIN and not facts.is_control(method) for method in rows["method"]]
    gaps = rows.assign(avg_gap=rows["avg_gap"].where(competes)).groupby(CELL, sort=False)["avg_gap"]
    best = gaps.transform(lambda values: bold_best(values, DECIMALS))
    texts = [number(value) for value in rows["avg_gap"]]
    return [rf"\textbf{{{text}}}" if bold else text for text, bold in zip(texts, best, strict=True)]


# --- the caption's facts --------------------------------------------------------------------------------------------


def _facts(study: Study, name: str, metrics: pd.DataFrame, data: pd.DataFrame, unit: str) -> list[str]:
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    trials = output.trials or study.trials
    best = (data["report_epoch"] == "best").any()
    floor = ""
    if data["noise_floor"].notna().any():
        floor = "The noise floor is the average gap of a trial of Retrain to its other trials"
        floor += f": {number(data['noise_floor'].iloc[0], DECIMALS)}" if len(cells) == 1 else ""
    controls = [method for method in output.methods if facts.is_control(method)]
    return [
        facts.subject(cells),
        (rf"Mean $\pm$ standard deviation over {trials} trials" if trials > 1 else "One trial")
        + "; in parentheses the gap to Retrain, in points",
        "Reported: " + ("best epoch (oracle epoch: chosen with Retrain and the test set)" if best else "last epoch"),
        floor,
        facts.tuned(study),
        rf"Cost in {unit}, by the paper's counting and as executed",
        *([facts.precision(metrics), facts.apart(study, metrics)] if len(metrics) else []),
        f"{facts.listed(controls)} is the model before unlearning: a control" if controls else "",
        *_marks(data, trials),
    ]


def _marks(data: pd.DataFrame, trials: int) -> list[str]:
    """Explain daggers, diverged trials and trials that are not there."""
    several = len(data[CELL].drop_duplicates()) > 1
    counts = [
        f"{escape(method_label(row.method))} in {row.diverged} of {row.trials}"
        + (f" ({escape(cell_label(Cell(row.dataset, row.arch, row.scenario)))})" if several else "")
        for row in data[data["diverged"] > 0].itertuples()
    ]
    short = data[(data["trials"] < trials) & ~data["method"].map(facts.is_control)]
    return [
        f"Diverged: {', '.join(counts)} trials" if counts else "",
        rf"$^\dagger$\,collapsed: retain accuracy more than {measured.COLLAPSE:.0f} points below Original's"
        if data["collapsed"].any()
        else "",
        facts.incomplete(short),
    ]
