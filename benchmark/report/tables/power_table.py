"""How many trials a difference of a given size needs, given the measured spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import MOST_TRIALS, sd_upper, trials_needed
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import method_label
from benchmark.report.summary import COUNTS, gaps_of_two
from benchmark.report.tabular import DASH, METHOD, THIN, Column, Row, Table, method_row, number

SIZES = (0.25, 0.5, 1.0, 2.0)  # differences in points of average gap


def build(source: Source) -> Table:
    """Return the table: one block per cell, one row per method compared with the first one listed."""
    data = pd.DataFrame([_measured(source, cell, method) for cell in source.cells for method in source.methods[1:]])
    columns = [METHOD, Column("Difference"), Column("Sd")]
    columns += [Column(f"{size:g}", "Trials for a difference of (points)") for size in SIZES]
    notes = [
        f"Trials needed to detect such a difference in average gap to {method_label(source.methods[0])} with "
        f"80{THIN}% power (two-sided paired t test at the 5{THIN}% level)",
        f"Sd: standard deviation of one trial's difference, from resampling {source.trials} trials",
        f"Ranges: with the deviation as measured, and with the upper end of its one-sided 80{THIN}% interval",
        facts.tuned(source.study, source.cells, source.methods),
        *facts.made(source.study, source.results.metrics),
        facts.left_out(data),
        facts.incomplete(data, source.trials),
    ]
    blocks = source.blocks(data, lambda rows: [_row(row) for row in rows.to_dict("records")])
    return source.table(columns, blocks, notes, data)


def _measured(source: Source, cell: Cell, method: str) -> dict[str, object]:
    gaps = gaps_of_two(source, cell, source.methods[0], method, fewest=2)
    row = {**vars(cell), "method": method, **{key: gaps[key] for key in COUNTS}}
    row["difference"] = gaps["value"]
    measured = not np.isnan(gaps["sd"])
    upper = sd_upper(gaps["sd"], int(gaps["trials"] - gaps["diverged"])) if measured else np.nan
    for end, sd in (("", gaps["sd"]), ("_upper", upper)):
        row[f"sd{end}"] = sd
        row |= {f"for_{size:g}{end}": trials_needed(size, sd) if measured else np.nan for size in SIZES}
    return row


def _row(row: dict[str, Any]) -> Row:
    sd = DASH if np.isnan(row["sd"]) else f"{number(row['sd'])}–{number(row['sd_upper'])}"
    counts = [_trials(row[f"for_{size:g}"], row[f"for_{size:g}_upper"]) for size in SIZES]
    return method_row(row["method"], [number(row["difference"]), sd, *counts], collapsed=row["collapsed"])


def _trials(fewest: float, most: float) -> str:
    if np.isnan(fewest):
        return DASH
    if most >= MOST_TRIALS:
        return f"≥ {fewest:.0f}"
    return f"{fewest:.0f}" if fewest == most else f"{fewest:.0f}–{most:.0f}"
