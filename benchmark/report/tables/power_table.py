"""How many trials a difference of a given size needs, given the measured spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import MOST_TRIALS, trials_needed
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
        "The deviation of few trials is itself uncertain, and so is a number of trials that follows from it",
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
    row |= {"difference": gaps["value"], "sd": gaps["sd"]}
    measured = not np.isnan(gaps["value"])
    return row | {f"for_{size:g}": trials_needed(size, gaps["sd"]) if measured else np.nan for size in SIZES}


def _row(row: dict[str, Any]) -> Row:
    counts = [_trials(row[f"for_{size:g}"]) for size in SIZES]
    return method_row(
        row["method"], [number(row["difference"]), number(row["sd"]), *counts], collapsed=row["collapsed"]
    )


def _trials(needed: float) -> str:
    if np.isnan(needed):
        return DASH
    return f"{needed:.0f}" if needed < MOST_TRIALS else f"≥ {MOST_TRIALS}"
