"""How many trials a difference of a given size needs, from the spread that was measured."""

from __future__ import annotations

from functools import partial as bind

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, estimate, trials_needed
from benchmark.metrics.evidence import Floats, Trials, in_cell
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.style import method_label
from benchmark.report.tables.source import Source
from benchmark.report.tabular import DASH, THIN, Column, Row, Table, number

SIZES = (0.25, 0.5, 1.0, 2.0)  # differences in points of average gap
MOST = 1000


def build(source: Source) -> Table:
    """Return the table: a block a cell, a row a method that is compared with the first one listed."""
    data = pd.DataFrame(row for cell in source.cells for row in _measured(source, cell))
    blocks = [source.block(cell, _rows(in_cell(data, cell))) for cell in source.cells]
    group = "Trials for a difference of (points)"
    columns = [Column("Method", heads=True), Column("Difference"), Column("Sd")]
    columns += [Column(f"{size:g}", group) for size in SIZES]
    notes = [
        f"Trials that show a difference in average gap to {method_label(source.methods[0])} of so many points with "
        f"80{THIN}% power: two-sided t test of paired differences at the 5{THIN}% level",
        f"Sd: spread of a single trial's difference, as drawing {source.trials} trials anew shows it",
        facts.tuned(source.study),
        facts.left_out(data),
    ]
    return source.table(columns, blocks, notes, data)


def _measured(source: Source, cell: Cell) -> list[dict[str, object]]:
    rows = []
    metrics = source.results.metrics
    names = [source.study.run_name(cell, method, 0).method for method in source.methods]
    for method, run_name in zip(source.methods[1:], names[1:], strict=True):
        row: dict[str, object] = {"trials": 0, "diverged": 0, "difference": np.nan, "sd": np.nan}
        trials = Trials(metrics, cell, (names[0], run_name)) if len(metrics) else None
        if trials and len(trials) > 1 and {names[0], run_name, RETRAIN} <= set(trials.values):
            result = estimate(bind(_difference, trials, names[0], run_name), len(trials))
            row |= {"trials": len(trials), "difference": result.value, "sd": result.sd}
            row |= {f"for_{size:g}": trials_needed(size, result.sd, most=MOST) for size in SIZES}
        row["diverged"] = trials.lost if trials is not None else 0
        rows.append({**vars(cell), "method": method, **row})
    return rows


def _difference(trials: Trials, first: str, second: str, drawn: Indices) -> Floats:
    return trials.gap(second, drawn) - trials.gap(first, drawn)


def _rows(data: pd.DataFrame) -> list[Row]:
    """Return one block's rows."""
    rows: list[Row] = []
    for row in data.to_dict("records"):
        needed = [row.get(f"for_{size:g}", np.nan) for size in SIZES]
        texts = [DASH if np.isnan(n) else f"{int(n)}" if n < MOST else f"≥ {MOST}" for n in needed]
        rows.append([method_label(str(row["method"])), number(row["difference"]), number(row["sd"]), *texts])
    return rows
