"""How many trials a difference of a given size needs, from the spread that was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import trials_needed
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import method_label
from benchmark.report.tables.paired import compared
from benchmark.report.tabular import DASH, METHOD, THIN, Column, Row, Table, method_row, number

SIZES = (0.25, 0.5, 1.0, 2.0)  # differences in points of average gap
MOST = 1000


def build(source: Source) -> Table:
    """Return the table: a block a cell, a row a method that is compared with the first one listed."""
    rows = [_measured(source, cell, method) for cell in source.cells for method in source.methods[1:]]
    data = pd.DataFrame(rows)
    columns = [METHOD, Column("Difference"), Column("Sd")]
    columns += [Column(f"{size:g}", "Trials for a difference of (points)") for size in SIZES]
    notes = [
        f"Trials that show a difference in average gap to {method_label(source.methods[0])} of so many points with "
        f"80{THIN}% power: two-sided t test of paired differences at the 5{THIN}% level",
        f"Sd: spread of a single trial's difference, as drawing {source.trials} trials anew shows it",
        facts.tuned(source.study),
        facts.left_out(data),
    ]
    return source.table(columns, source.blocks(data, _rows), notes, data)


def _measured(source: Source, cell: Cell, method: str) -> dict[str, object]:
    first, second = (source.run_method(cell, name) for name in (source.methods[0], method))
    both, lost = compared(source.results.metrics, cell, first, second, fewest=2)
    row: dict[str, object] = {**vars(cell), "method": method, "trials": 0, "diverged": lost}
    if both is None:
        return row | {"difference": np.nan, "sd": np.nan}
    trials, difference = both
    row |= {"trials": len(trials), "difference": difference.value, "sd": difference.sd}
    return row | {f"for_{size:g}": trials_needed(size, difference.sd, most=MOST) for size in SIZES}


def _rows(data: pd.DataFrame) -> list[Row]:
    rows = []
    for row in data.to_dict("records"):
        needed = [row.get(f"for_{size:g}", np.nan) for size in SIZES]
        texts = [DASH if np.isnan(n) else f"{int(n)}" if n < MOST else f"≥ {MOST}" for n in needed]
        rows.append(method_row(str(row["method"]), [number(row["difference"]), number(row["sd"]), *texts]))
    return rows
