"""The paper's claims with their verdicts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark import paths
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.reported import reported_means
from benchmark.metrics.verdicts import EXPLORATORY, NOT_REPRODUCED, PRIMARY, REPRODUCED, UNDECIDED, UNTESTED, verdicts
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import readable, short_label
from benchmark.report.tables import theory_table
from benchmark.report.tabular import DASH, THIN, Block, Column, Entry, Row, Table, formula, interval, number
from benchmark.results import frames
from benchmark.results.frames import Results
from benchmark.results.measured import COLLAPSE_TEXT
from benchmark.study.plan import REPORTED_FILE

DECIDED = (REPRODUCED, NOT_REPRODUCED)
VERDICTS = (*DECIDED, UNDECIDED, UNTESTED)


def tested(results: Results) -> pd.DataFrame:
    """Return the claims with their verdicts; methods and settings are labelled as in every table."""
    study = results.study
    tables = [Source.of(study, name, results) for name, table in study.tables.items() if table.kind == "theory"]
    theory = pd.concat([theory_table.numbers(source) for source in tables]) if tables else pd.DataFrame()
    evidence = (results.metrics, results.history, results.predictions, theory, results.distances, results.embeddings)
    printed = reported_means() if (paths.REPORTED / REPORTED_FILE).is_file() else pd.DataFrame()
    table = verdicts(Evidence(*evidence, printed, margin=results.study.margin))
    texts = ("subject", "remark", "also")
    return table.assign(**{column: table[column].map(readable, na_action="ignore") for column in texts})


def build(source: Source) -> Table:
    """Return the table: one block per claim, one row per test."""
    data = tested(source.results)
    cells = cells_of(data)
    blocks = [
        Block([_row(row, cells) for row in rows.itertuples()], title(rows.iloc[0]))
        for _, rows in data.groupby("claim", sort=False)
    ]
    columns = [Column("Where", heads=True), Column("What", heads=True, wrapped=True)]
    columns += map(Column, ("Value", facts.INTERVAL, "The paper", "Trials", f"{formula('p')} (Holm)"))
    columns.append(Column("Verdict", text=True))
    notes = [
        facts.shared(cells),
        "The value is positive if the claim holds; in points of average gap unless another unit is named",
        f"In brackets: {facts.INTERVAL} from resampling the trials, Retrain's included",
        "The paper: the same formula on its printed means for that dataset and scenario, and a network of full width",
        "Reproduced: the interval is above 0; not reproduced: below 0",
        f"*{THIN}{corrected(data)}",
        _counts(data),
        *limits(source.results, data),
    ]
    return source.table(columns, blocks, notes, data)


def is_kept(row: Any) -> bool:
    """Return whether a test is decided even after Holm's correction: tables mark it with a star."""
    return row.verdict in DECIDED and bool(row.after_holm == row.verdict)


def title(row: pd.Series[Any]) -> str:
    """Return a claim and where the paper makes it."""
    return f"{row['text']} ({row['where']})"


def cells_of(data: pd.DataFrame) -> list[Cell]:
    """Return the cells in which claims were tested."""
    return [Cell.parse(name) for name in data["place"].dropna().unique()]


# --- rows -----------------------------------------------------------------------------------------------------------


def _row(row: Any, cells: list[Cell]) -> Row:
    if row.verdict == UNTESTED:
        return [DASH, row.remark, *[DASH] * 5, row.verdict]
    numbers = [number(row.value), interval(row.low, row.high), number(row.paper)]
    numbers += [f"{int(row.trials)}", number(row.p_holm, 3)]
    verdict = Entry(row.verdict, bold=row.verdict != UNDECIDED, after="*" * is_kept(row))
    return [short_label(Cell.parse(row.place), cells), _subject(row), *numbers, verdict]


def _subject(row: Any) -> str:
    unit = "" if row.unit == "points" else f", {row.unit}"
    return f"{row.subject}{unit} ({row.remark})" if row.remark else f"{row.subject}{unit}"


# --- the caption ------------------------------------------------------------------------------------------------------


def counted(data: pd.DataFrame) -> dict[str, int]:
    """Return the number of tests with each verdict that any has."""
    counts = data["verdict"].value_counts()
    return {verdict: int(counts[verdict]) for verdict in VERDICTS if verdict in counts}


def _counts(data: pd.DataFrame) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in counted(data).items())
    opposed = data[data["paper"] < 0]["verdict"].value_counts().reindex(DECIDED, fill_value=0)
    against = [f"{count} of those {verdict}" for verdict, count in opposed.items() if count]
    return counts + f"; the paper's own means contradict {' and '.join(against)}" * bool(against)


def corrected(data: pd.DataFrame) -> str:
    """Say how many tests verdicts are corrected for, and which claims are primary."""
    counts = data.loc[data["p"].notna(), "family"].value_counts()
    primary = " and ".join(f"‘{text}’" for text in data.loc[data["family"] == PRIMARY, "text"].unique())
    families = f"{counts.get(PRIMARY, 0)} primary and {counts.get(EXPLORATORY, 0)} exploratory tests"
    method = f"Holm's correction, done separately for {families}"
    return f"also after {method}; primary are the claims of the paper's abstract, {primary}"


def limits(results: Results, data: pd.DataFrame) -> list[str]:
    """Say what limits the verdicts, in sentences without full stops, some of them empty."""
    study = results.study
    fixed = {"original": "Original", "split": "the forget split"}
    shared = " and ".join(name for key, name in fixed.items() if key not in study.resample)
    missing = frames.lacking(study, results.metrics)
    collapsed = data["remark"].str.contains("collapsed", na=False).any()
    return [
        "A gap is an absolute value, so noise makes small gaps too large, the more so the more a method varies",
        f"All trials share {shared}, so the intervals do not cover how another draw would change the result"
        if shared
        else "",
        f"{facts.tuned(study)}, once: the intervals do not cover another choice" if study.includes_tuned else "",
        *facts.made(study, results.metrics),
        "Left out at equal computation: what ‘adding CL lowers the average gap’ compares, and the method nearest by "
        "the mean where ‘CoUn has the lowest average gap’ compares CoUn with the best of all"
        if ((data["claim"] == "budget") & (data["verdict"] != UNTESTED)).any()
        else "",
        "The noise floor, for means over as many trials, is treated as exactly known",
        f"Collapsed: {COLLAPSE_TEXT}" if collapsed else "",
        f"As gathered: {missing}" if missing else "",
    ]
