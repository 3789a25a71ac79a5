"""The paper's claims with their verdicts: as a table of a study, and as text for ``python -m benchmark claims``.

Both read gathered results alone: ``results/<study>-*.parquet`` and the ``.csv`` of the study's tables of kind
``theory``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.metrics.bootstrap import LEVEL
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, UNTESTED, verdicts
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.latex import DASH, Block, Table, escape, number
from benchmark.report.style import readable, short_label
from benchmark.results import frames
from benchmark.study.study import Study

GATHERED = ("metrics", "history", "predictions")
DECIDED = (REPRODUCED, NOT_REPRODUCED)
VERDICTS = (*DECIDED, UNDECIDED, UNTESTED)
INTERVAL = rf"{100 * LEVEL:.0f}\,\% interval"


def evidence(study: Study) -> Evidence:
    """Return a study's gathered results.

    Raises
    ------
    StaleOutput
        If they have not been gathered, or are damaged.
    """
    read = {what: frames.gathered_frame(study, what) for what in GATHERED}
    theory = [
        pd.read_csv(path)
        for name, table in study.tables.items()
        if table.kind == "theory" and (path := paths.table(study.name, name, ".csv")).is_file()
    ]
    return Evidence(**read, theory=pd.concat(theory) if theory else pd.DataFrame())


def text(study: Study) -> str:
    """Return every claim with its verdict, in plain text, and what may limit them."""
    found = evidence(study)
    table = _told(found)
    lines = [f"study {study.name}: {len(table)} tests of {table['claim'].nunique()} claims"]
    for name, rows in table.groupby("claim", sort=False):
        lines += ["", f"{name}: {rows['text'].iloc[0]} ({rows['where'].iloc[0]})"]
        lines += [f"  {_line(row)}" for row in rows.itertuples()]
    counts = table["verdict"].value_counts()
    lines += ["", ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)]
    sentences = ["In brackets: 95 % interval; * also after Holm's correction", *_limits(study, found)]
    return "\n".join([*lines, *(f"{sentence}." for sentence in sentences)])


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a claim, a row a place where it was tested.

    Parameters
    ----------
    study, name : the table.
    partial : draw it from gathered results of another configuration too, instead of failing.

    Raises
    ------
    StaleOutput
        If results have not been gathered, are damaged, or are not all of the study's configuration, unless ``partial``.
    """
    found, data, cells = _tested(study, partial)
    blocks = [
        Block(_printed(rows, cells), escape(f"{rows['text'].iloc[0]} ({rows['where'].iloc[0]})"))
        for _, rows in data.groupby("claim", sort=False)
    ]
    counts = data["verdict"].value_counts()
    sentences = [
        facts.shared(cells),
        "The formula is positive where the claim holds; in points of average gap unless told otherwise",
        rf"In brackets: {INTERVAL} from drawing trials anew, Retrain's with them",
        "Reproduced where it lies above 0, not reproduced where it lies below",
        rf"$^*$\,{_corrected(data)}",
        ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts),
        *map(escape, _limits(study, found)),
    ]
    return Table(blocks, facts.caption(study, name, sentences), data, left=2, last_left=True, wrap=1)


def build_counts(study: Study, name: str, partial: bool = False) -> Table:
    """Return `build`'s table in short: a row a claim and cell, with the number of tests that have each verdict.

    Parameters, errors: see `build`.
    """
    found, told, cells = _tested(study, partial)
    rows = []
    for _, tests in told.groupby(["claim", "place"], sort=False, dropna=False):
        counts = tests["verdict"].value_counts()
        kept = tests[[is_kept(test) for test in tests.itertuples()]]["verdict"].value_counts()
        row = dict(tests[["claim", "text", "where", "place"]].iloc[0])
        row |= {_column(verdict): counts.get(verdict, 0) for verdict in VERDICTS}
        rows.append(row | {f"{_column(verdict)}_after_holm": kept.get(verdict, 0) for verdict in DECIDED})
    data = pd.DataFrame(rows)
    sentences = [
        facts.shared(cells),
        "How many tests of a claim came out how: reproduced where its formula's "
        rf"{INTERVAL} lies above 0, not reproduced where it lies below, else undecided",
        f"In parentheses: {_corrected(told)}",
        *map(escape, _limits(study, found)),
    ]
    return Table([Block(_counted(data, cells))], facts.caption(study, name, sentences), data, left=2, wrap=0)


def _tested(study: Study, partial: bool) -> tuple[Evidence, pd.DataFrame, list[Cell]]:
    """Return the gathered results, the claims with their verdicts, and the cells that they are about."""
    found = evidence(study)
    if not partial:
        frames.require(study, found.metrics)
    data = _told(found)
    return found, data, [Cell.parse(place) for place in data["place"].dropna().unique()]


def _told(found: Evidence) -> pd.DataFrame:
    """Return the claims with their verdicts, methods and settings by the names that every table has."""
    table = verdicts(found)
    return table.assign(**{column: table[column].map(readable, na_action="ignore") for column in ("subject", "remark")})


def _corrected(told: pd.DataFrame) -> str:
    return f"also after Holm's correction over {int(told['p'].notna().sum())} tests"


def _limits(study: Study, found: Evidence) -> list[str]:
    fixed = [what for what in ("original", "split") if what not in study.resample]
    limits = []
    if fixed:
        what = " and ".join({"original": "Original", "split": "the forget split"}[one] for one in fixed)
        limits.append(f"All trials share {what}: the intervals do not cover what another draw of it would change")
    if study.includes_tuned:
        limits.append(f"{facts.tuned(study)}, once for all: no interval covers another choice")
    if split := facts.apart(study, found.metrics):
        limits.append(split)
    limits.append("The noise floor is taken as known")
    if other := frames.lacking(study, found.metrics):
        limits.append(f"As gathered: {other}")
    return limits


def _line(row: Any) -> str:
    if row.verdict == UNTESTED:
        return f"{row.verdict}: {row.remark}"
    star = "*" if is_kept(row) else ""
    interval = f"[{row.low:.2f}, {row.high:.2f}]" if np.isfinite(row.low) else "(no interval)"
    verdict = f"{row.verdict}{star}".ljust(len(NOT_REPRODUCED) + 1)
    return f"{verdict}  {row.value:7.2f} {interval:<18}  {row.place}  {_subject(row)}"


def is_kept(row: Any) -> bool:
    """Whether a test is decided, and still is after Holm's correction: tables put a star there."""
    return row.verdict in DECIDED and bool(row.after_holm == row.verdict)


def _subject(row: Any) -> str:
    return f"{row.subject} ({row.remark})" if row.remark else str(row.subject)


def _printed(rows: pd.DataFrame, cells: list[Cell]) -> pd.DataFrame:
    """Return one claim's cells as LaTeX text."""
    lines = []
    for row in rows.itertuples():
        if row.verdict == UNTESTED:
            lines.append([DASH, escape(row.remark), DASH, DASH, DASH, DASH, escape(row.verdict)])
            continue
        interval = f"[{number(row.low)}, {number(row.high)}]" if np.isfinite(row.low) else DASH
        star = r"$^*$" if is_kept(row) else ""
        strong = rf"\textbf{{{escape(row.verdict)}}}" if row.verdict != UNDECIDED else escape(row.verdict)
        unit = "" if row.unit == "points" else rf", {escape(row.unit)}"
        place = escape(short_label(Cell.parse(row.place), cells))
        numbers = [number(row.value), interval, f"{int(row.trials)}", number(row.p_holm, 3)]
        lines.append([place, escape(_subject(row)) + unit, *numbers, strong + star])
    columns = ["Where", "What", "Formula", INTERVAL, "Trials", "$p$ (Holm)", "Verdict"]
    return pd.DataFrame(lines, columns=columns)


def _counted(data: pd.DataFrame, cells: list[Cell]) -> pd.DataFrame:
    """Return the numbers of verdicts as LaTeX text; a claim's name stands in the first of its rows."""
    lines = []
    for row, first in zip(data.to_dict("records"), ~data["claim"].duplicated(), strict=True):
        place = DASH if pd.isna(row["place"]) else escape(short_label(Cell.parse(row["place"]), cells))
        line = [escape(f"{row['text']} ({row['where']})") if first else "", place]
        for verdict in map(_column, DECIDED):
            kept = row[f"{verdict}_after_holm"]
            line.append(rf"\textbf{{{row[verdict]}}}" + (f" ({kept})" if kept else "") if row[verdict] else "")
        lines.append([*line, *(str(row[_column(verdict)] or "") for verdict in (UNDECIDED, UNTESTED))])
    return pd.DataFrame(lines, columns=["Claim", "Where", *(verdict.capitalize() for verdict in VERDICTS)])


def _column(verdict: str) -> str:
    return verdict.replace(" ", "_")
