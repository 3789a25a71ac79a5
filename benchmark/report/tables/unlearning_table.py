"""RA, UA, TA, MIA and their gaps to Retrain, the average gap and the cost (Tables 2, 3 and 7 to 10)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from benchmark.metrics.evidence import cell_by_row, in_cell, leaders
from benchmark.metrics.samples import METRICS
from benchmark.names import RETRAIN, Cell, MethodName, competes
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import cell_label, method_label
from benchmark.report.summary import COSTS, UNITS, cost_unit, method_numbers
from benchmark.report.tabular import METHOD, Column, Entry, Row, Table, mean_text, method_row, number

AVERAGE = "Avg. Gap ↓"
CL_MARKS = "✗✓"  # without and with the contrastive term


def build(source: Source) -> Table:
    """Return the table: one block per cell, Retrain first, then the methods as listed.

    Numbers are means over trials ± their standard deviation, with the gap to Retrain in parentheses. The best average
    gap and all that cannot be told from it are bold; Retrain, Original and what diverged or collapsed do not compete.
    Costs are in the largest unit that leaves no method below 0.05. A row with a diverged trial says so instead of
    numbers. Where every method is listed with and without the contrastive term, as in Tables 9 and 10, the two stand
    one below the other and a column says which has it.
    """
    pairs = _pairs([method for method in source.methods if competes(method)])
    data = method_numbers(source, [RETRAIN, *(source.controls + pairs if pairs else source.methods)])
    leading = {cell: _leaders(source, in_cell(data, cell), cell) for cell in source.cells}
    data["leads"] = [name in leading[cell] for cell, name in zip(cell_by_row(data), data["run_method"], strict=True)]
    unit, decimals = cost_unit(data.loc[data["diverged"] == 0, list(COSTS)].to_numpy(dtype=float))
    columns = [METHOD, *[Column("CL", text=True)] * bool(pairs)]
    columns += [Column(metric.upper(), centred=True) for metric in METRICS]
    columns += [Column(AVERAGE), Column("paper", unit), Column("executed", unit, optional=True)]
    blocks = source.blocks(data, partial(_rows, unit=unit, decimals=decimals, paired=bool(pairs)), facts.floor)
    notes = [
        "CL: with (✓) or without (✗) the contrastive term; CoUn is FT with it" if pairs else "",
        *_notes(source, data, unit),
    ]
    return source.table(columns, blocks, notes, data)


def _pairs(methods: list[str]) -> list[str]:
    """Return the methods pair by pair, without and with the contrastive term; none if one lacks its counterpart."""
    named = {MethodName.parse(method): method for method in methods}
    bases = dict.fromkeys(replace(name, contrastive=False) for name in named)
    pairs = [replace(name, contrastive=term) for name in bases for term in (False, True)]
    return [named[name] for name in pairs] if named.keys() == set(pairs) else []


def _leaders(source: Source, data: pd.DataFrame, cell: Cell) -> set[str]:
    """Return the cell's methods, as runs name them, whose average gap is the smallest or not to be told from it."""
    candidates = data["method"].map(competes)
    names = data.loc[candidates & data["avg_gap"].notna() & (data["collapsed"] == 0), "run_method"]
    return leaders(source.results.metrics, cell, names)


def _rows(data: pd.DataFrame, unit: str, decimals: int, paired: bool) -> list[Row]:
    rows: list[Row] = []
    for row in data.to_dict("records"):
        average = Entry(number(row["avg_gap"]), bold=row["leads"])
        costs = [number(row[cost] * UNITS[unit], decimals) for cost in COSTS]
        metrics = [mean_text(*(row[f"{metric}_{part}"] for part in ("mean", "sd", "gap"))) for metric in METRICS]
        label, *entries = method_row(row["method"], [*metrics, average, *costs], row["diverged"], row["collapsed"])
        if paired:
            mark = CL_MARKS[MethodName.parse(row["method"]).contrastive] if competes(row["method"]) else ""
            label, entries = str(label).replace(" + CL", ""), [mark, *entries]
        rows.append([label, *entries])
    return rows


def _notes(source: Source, data: pd.DataFrame, unit: str) -> list[str]:
    study, trials, metrics = source.study, source.trials, source.results.metrics
    spread = f"Mean ± standard deviation over {trials} trials" if trials > 1 else "One trial"
    best = (data["report_epoch"] == "best").any()
    missing = facts.incomplete(data, trials)
    diverged = [
        f"{method_label(row.method)} in {row.diverged} of {row.trials}"
        + (f" ({cell_label(Cell(row.dataset, row.arch, row.scenario))})" if len(source.cells) > 1 else "")
        for row in data[data["diverged"] > 0].itertuples()
    ]
    return [
        f"{spread}; in parentheses the gap to Retrain, in points",
        "Best epoch (an oracle: chosen with Retrain and the test data)" if best else "Last epoch",
        facts.meaning_of_floor(data, source.cells, "the average gap of one trial of Retrain to the others"),
        facts.tuned(study, source.cells, source.methods),
        facts.leading("average gap", data, trials),
        f"Cost in {unit}, by the paper's counting and as executed",
        *facts.made(study, metrics),
        facts.control(source.controls),
        f"Diverged: {', '.join(diverged)} trials" if diverged else "",
        missing,
        "Each gap is over the trials that a method shares with Retrain" if missing else "",
    ]
