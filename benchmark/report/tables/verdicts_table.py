"""The paper's claims in short: how many tests of each have which verdict."""

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
    """Return the table: one row per claim and cell, with the number of tests with each verdict; zeros are left out."""
    tests = claims_table.tested(source.results)
    cells = claims_table.cells_of(tests)
    records: list[dict[str, Any]] = []
    rows: list[Row] = []
    for _, group in tests.groupby(["claim", "place"], sort=False, dropna=False):
        first = group[["claim", "text", "where", "place"]].iloc[0]
        verdicts, kept_tests = group["verdict"], [claims_table.is_kept(test) for test in group.itertuples()]
        counts = verdicts.value_counts().reindex(VERDICTS, fill_value=0)
        kept_counts = verdicts[kept_tests].value_counts().reindex(DECIDED, fill_value=0)
        # Only the first of a claim's rows names it.
        named = not records or records[-1]["claim"] != first["claim"]
        row: list[str | Entry] = [claims_table.title(first) if named else ""]
        row.append(DASH if pd.isna(first["place"]) else short_label(Cell.parse(first["place"]), cells))
        for verdict, count in counts.items():
            kept = kept_counts.get(verdict, 0)
            row.append(Entry(f"{count}" if count else "", count and verdict in DECIDED, f" ({kept})" if kept else ""))
        rows.append(row)
        numbers = {**counts, **kept_counts.add_suffix("_after_holm")}
        records.append({**first, **{name.replace(" ", "_"): number for name, number in numbers.items()}})
    columns = [Column("Claim", heads=True, wrapped=True), Column("Where", heads=True)]
    columns += [Column(verdict.capitalize()) for verdict in VERDICTS]
    notes = [
        facts.shared(cells),
        f"Number of tests with each verdict. Reproduced: the {facts.INTERVAL} of the value is above 0; not reproduced: "
        "below 0; else undecided",
        f"In parentheses: {claims_table.corrected(tests)}",
        *claims_table.limits(source.results, tests),
    ]
    return source.table(columns, [Block(rows)], notes, pd.DataFrame(records))
