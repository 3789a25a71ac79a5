"""The paper's claims in short: how many tests of each came out how."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import short_label
from benchmark.report.tables import claims_table
from benchmark.report.tables.claims_table import DECIDED, VERDICTS
from benchmark.report.tabular import DASH, Block, Column, Entry, Row, Table


def build(source: Source) -> Table:
    """Return the table: a row a claim and cell, with the number of tests that have each verdict; zeros are left out."""
    tests = claims_table.tested(source.results)
    cells = claims_table.cells_of(tests)
    counted: list[dict[str, Any]] = []
    rows: list[Row] = []
    for _, mine in tests.groupby(["claim", "place"], sort=False, dropna=False):
        first = mine[["claim", "text", "where", "place"]].iloc[0]
        counts = mine["verdict"].value_counts().reindex(VERDICTS, fill_value=0)
        kept = mine["verdict"][[claims_table.is_kept(test) for test in mine.itertuples()]].value_counts()
        kept = kept.reindex(DECIDED, fill_value=0)
        # A claim's name stands in the first of its rows.
        named = not counted or counted[-1]["claim"] != first["claim"]
        row: list[str | Entry] = [claims_table.title(first) if named else ""]
        row.append(DASH if pd.isna(first["place"]) else short_label(Cell.parse(first["place"]), cells))
        for verdict, count in counts.items():
            still = kept.get(verdict, 0)
            row.append(Entry(f"{count}" if count else "", count and verdict in DECIDED, f" ({still})" if still else ""))
        rows.append(row)
        numbers = {**counts, **kept.add_suffix("_after_holm")}
        counted.append({**first, **{name.replace(" ", "_"): number for name, number in numbers.items()}})
    columns = [Column("Claim", heads=True, wrapped=True), Column("Where", heads=True)]
    columns += [Column(verdict.capitalize()) for verdict in VERDICTS]
    notes = [
        facts.shared(cells),
        f"Number of tests with each verdict. Reproduced: the {facts.INTERVAL} of the value is above 0; not reproduced: "
        "below 0; else undecided",
        f"In parentheses: {claims_table.corrected(tests)}",
        *claims_table.limits(source.results, tests),
    ]
    return source.table(columns, [Block(rows)], notes, pd.DataFrame(counted))
