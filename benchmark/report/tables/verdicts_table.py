"""The paper's claims in short: how many tests of each came out how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import short_label
from benchmark.report.tables import claims_table
from benchmark.report.tables.claims_table import DECIDED, INTERVAL, VERDICTS
from benchmark.report.tabular import DASH, Block, Column, Entry, Table


def build(source: Source) -> Table:
    """Return the table: a row a claim and cell, with the number of tests that have each verdict."""
    tests = claims_table.tested(source.results)
    data, cells = _counted(tests), claims_table.cells_of(tests)
    again = data["claim"].duplicated()  # a claim's name stands in the first of its rows
    rows = [
        ["" if known else claims_table.title(row), *_counts(row, cells)]
        for known, (_, row) in zip(again, data.iterrows(), strict=True)
    ]
    columns = [Column("Claim", heads=True, wrapped=True), Column("Where", heads=True)]
    columns += [Column(verdict.capitalize()) for verdict in VERDICTS]
    notes = [
        facts.shared(cells),
        f"How many tests of a claim came out how: reproduced where its formula's {INTERVAL} lies above 0, not "
        "reproduced where it lies below, else undecided",
        f"In parentheses: {claims_table.corrected(tests)}",
        *claims_table.limits(source.results),
    ]
    return source.table(columns, [Block(rows)], notes, data)


def _counted(tests: pd.DataFrame) -> pd.DataFrame:
    """Return a row a claim and place: how many tests have each verdict."""
    rows = []
    for _, mine in tests.groupby(["claim", "place"], sort=False, dropna=False):
        counts = mine["verdict"].value_counts()
        kept = mine[[claims_table.is_kept(test) for test in mine.itertuples()]]["verdict"].value_counts()
        row = dict(mine[["claim", "text", "where", "place"]].iloc[0])
        row |= {_column(verdict): counts.get(verdict, 0) for verdict in VERDICTS}
        rows.append(row | {f"{_column(verdict)}_after_holm": kept.get(verdict, 0) for verdict in DECIDED})
    return pd.DataFrame(rows)


def _counts(row: pd.Series[Any], cells: list[Cell]) -> Iterable[str | Entry]:
    """Return where a claim was tested and its counts; zeros are left out."""
    yield DASH if pd.isna(row["place"]) else short_label(Cell.parse(row["place"]), cells)
    for verdict in VERDICTS:
        count, kept = row[_column(verdict)], row.get(f"{_column(verdict)}_after_holm", 0)
        yield Entry(f"{count}" * bool(count), bold=bool(count) and verdict in DECIDED, after=f" ({kept})" * bool(kept))


def _column(verdict: str) -> str:
    return verdict.replace(" ", "_")
