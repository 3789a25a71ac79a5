"""The paper's claims with their verdicts: as a table of a study, and as text for ``python -m benchmark claims``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import LEVEL
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, UNTESTED, verdicts
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.style import readable, short_label
from benchmark.report.tables import theorem
from benchmark.report.tables.source import Source
from benchmark.report.tabular import DASH, THIN, Block, Column, Entry, Row, Table, formula, interval, number
from benchmark.results import frames
from benchmark.results.frames import Results
from benchmark.study.study import Study

DECIDED = (REPRODUCED, NOT_REPRODUCED)
VERDICTS = (*DECIDED, UNDECIDED, UNTESTED)
INTERVAL = f"{100 * LEVEL:.0f}{THIN}% interval"


def evidence(results: Results) -> Evidence:
    """Return what the claims are computed from: gathered results, and what the study's tables of theory show."""
    study = results.study
    tables = [Source.of(study, name, results) for name, table in study.tables.items() if table.kind == "theory"]
    theory = pd.concat([theorem.measured(source) for source in tables]) if tables else pd.DataFrame()
    return Evidence(results.metrics, results.history, results.predictions, theory)


def tested(results: Results) -> pd.DataFrame:
    """Return the claims with their verdicts, methods and settings by the names that every table has."""
    table = verdicts(evidence(results))
    return table.assign(**{column: table[column].map(readable, na_action="ignore") for column in ("subject", "remark")})


def text(study: Study) -> str:
    """Return every claim with its verdict, in plain text, and what may limit them."""
    results = frames.gathered(study)
    data = tested(results)
    lines = [f"study {study.name}: {len(data)} tests of {data['claim'].nunique()} claims"]
    for name, rows in data.groupby("claim", sort=False):
        lines += ["", f"{name}: {_claim(rows.iloc[0])}", *(f"  {_line(row)}" for row in rows.itertuples())]
    notes = [_counts(data), "In brackets: 95 % interval; * also after Holm's correction", *_limits(results)]
    return "\n".join([*lines, "", notes[0], *(f"{note}." for note in notes[1:])])


def build(source: Source) -> Table:
    """Return the table: a block a claim, a row a place where it was tested."""
    data = tested(source.results)
    cells = _cells(data)
    blocks = [
        Block([_row(row, cells) for row in rows.itertuples()], _claim(rows.iloc[0]))
        for _, rows in data.groupby("claim", sort=False)
    ]
    columns = [Column("Where", heads=True), Column("What", heads=True, wrapped=True)]
    names = ("Formula", INTERVAL, "Trials", f"{formula('p')} (Holm)")
    columns += [*map(Column, names), Column("Verdict", text=True)]
    notes = [
        facts.shared(cells),
        "The formula is positive where the claim holds; in points of average gap unless told otherwise",
        f"In brackets: {INTERVAL} from drawing trials anew, Retrain's with them",
        "Reproduced where it lies above 0, not reproduced where it lies below",
        f"*{THIN}{_corrected(data)}",
        _counts(data),
        *_limits(source.results),
    ]
    return source.table(columns, blocks, notes, data)


def build_counts(source: Source) -> Table:
    """Return `build`'s table in short: a row a claim and cell, with the number of tests that have each verdict."""
    tests = tested(source.results)
    data = _counted(tests)
    cells = _cells(tests)
    names = data["claim"].duplicated()  # a claim's name stands in the first of its rows
    rows = [
        ["" if again else _claim(row), *_count_row(row, cells)]
        for again, (_, row) in zip(names, data.iterrows(), strict=True)
    ]
    columns = [Column("Claim", heads=True, wrapped=True), Column("Where", heads=True)]
    columns += [Column(verdict.capitalize()) for verdict in VERDICTS]
    notes = [
        facts.shared(cells),
        f"How many tests of a claim came out how: reproduced where its formula's {INTERVAL} lies above 0, not "
        "reproduced where it lies below, else undecided",
        f"In parentheses: {_corrected(tests)}",
        *_limits(source.results),
    ]
    return source.table(columns, [Block(rows)], notes, data)


def is_kept(row: Any) -> bool:
    """Whether a test is decided, and still is after Holm's correction: tables put a star there."""
    return row.verdict in DECIDED and bool(row.after_holm == row.verdict)


# --- rows -----------------------------------------------------------------------------------------------------------


def _line(row: Any) -> str:
    """Return a test in a line of plain text."""
    if row.verdict == UNTESTED:
        return f"{row.verdict}: {row.remark}"
    ends = f"[{row.low:.2f}, {row.high:.2f}]" if np.isfinite(row.low) else "(no interval)"
    verdict = f"{row.verdict}{'*' * is_kept(row)}".ljust(len(NOT_REPRODUCED) + 1)
    return f"{verdict}  {row.value:7.2f} {ends:<18}  {row.place}  {_subject(row)}"


def _row(row: Any, cells: list[Cell]) -> Row:
    """Return a test as a row of the table."""
    if row.verdict == UNTESTED:
        return [DASH, row.remark, *[DASH] * 4, row.verdict]
    what = _subject(row) + ("" if row.unit == "points" else f", {row.unit}")
    numbers = [number(row.value), interval(row.low, row.high), f"{int(row.trials)}", number(row.p_holm, 3)]
    verdict = Entry(row.verdict, bold=row.verdict != UNDECIDED, after="*" * is_kept(row))
    return [short_label(Cell.parse(row.place), cells), what, *numbers, verdict]


def _counted(tests: pd.DataFrame) -> pd.DataFrame:
    """Return a row a claim and place: how many tests have each verdict."""
    rows = []
    for _, mine in tests.groupby(["claim", "place"], sort=False, dropna=False):
        counts = mine["verdict"].value_counts()
        kept = mine[[is_kept(test) for test in mine.itertuples()]]["verdict"].value_counts()
        row = dict(mine[["claim", "text", "where", "place"]].iloc[0])
        row |= {_column(verdict): counts.get(verdict, 0) for verdict in VERDICTS}
        rows.append(row | {f"{_column(verdict)}_after_holm": kept.get(verdict, 0) for verdict in DECIDED})
    return pd.DataFrame(rows)


def _count_row(row: pd.Series[Any], cells: list[Cell]) -> Iterable[str | Entry]:
    """Return these numbers as cells; zeros are left out."""
    yield DASH if pd.isna(row["place"]) else short_label(Cell.parse(row["place"]), cells)
    for verdict in VERDICTS:
        count, kept = row[_column(verdict)], row.get(f"{_column(verdict)}_after_holm", 0)
        yield Entry(f"{count}" * bool(count), bold=bool(count) and verdict in DECIDED, after=f" ({kept})" * bool(kept))


def _column(verdict: str) -> str:
    return verdict.replace(" ", "_")


def _claim(row: pd.Series[Any]) -> str:
    return f"{row['text']} ({row['where']})"


def _subject(row: Any) -> str:
    return f"{row.subject} ({row.remark})" if row.remark else str(row.subject)


def _cells(data: pd.DataFrame) -> list[Cell]:
    return [Cell.parse(place) for place in data["place"].dropna().unique()]


# --- the caption ------------------------------------------------------------------------------------------------------


def _counts(data: pd.DataFrame) -> str:
    counts = data["verdict"].value_counts()
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)


def _corrected(data: pd.DataFrame) -> str:
    return f"also after Holm's correction over {int(data['p'].notna().sum())} tests"


def _limits(results: Results) -> list[str]:
    study = results.study
    fixed = {"original": "Original", "split": "the forget split"}
    shared = " and ".join(name for what, name in fixed.items() if what not in study.resample)
    lacking = frames.lacking(study, results.metrics)
    limits = [
        f"All trials share {shared}: the intervals do not cover what another draw of it would change" if shared else "",
        f"{facts.tuned(study)}, once for all: no interval covers another choice" if study.includes_tuned else "",
        facts.apart(study, results.metrics),
        "The noise floor is taken as known",
        f"As gathered: {lacking}" if lacking else "",
    ]
    return [limit for limit in limits if limit]
