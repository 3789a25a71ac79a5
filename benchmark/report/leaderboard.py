"""The leaderboard: one folder per method, with what was claimed for it, our re-run, and whether the two agree.

``paper_tables/leaderboard/<method>/entry.yaml`` is written by hand. ``rows.csv`` and ``settings.csv`` beside it hold
the results of studies, and the board is made from the rows of all methods.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_text
from benchmark.metrics.bootstrap import holm
from benchmark.metrics.evidence import Trials, cells_in, in_cell
from benchmark.metrics.gaps import summarise
from benchmark.metrics.reported import reported_means
from benchmark.metrics.samples import METRICS
from benchmark.metrics.verdicts import SIGNIFICANT
from benchmark.names import CELL_KEYS, ORIGINAL, RETRAIN, Cell, MethodName
from benchmark.report import markdown
from benchmark.report.source import METHOD_COLLAPSED
from benchmark.report.style import cell_label
from benchmark.report.summary import average_gap
from benchmark.report.tabular import (
    DASH,
    METHOD,
    THIN,
    Block,
    Column,
    Entry,
    Table,
    interval,
    method_row,
    number,
    sentences,
)
from benchmark.report.templates import template
from benchmark.results import frames
from benchmark.settings import Strict
from benchmark.study.reading import parse, validated
from benchmark.study.study import Study

BASELINE = "ft"  # every paper compares with it
BOARD = paths.LEADERBOARD / "README.md"
ENTRY, ROWS, SETTINGS = "entry.yaml", "rows.csv", "settings.csv"
TEXTS = dict.fromkeys(("study", "commit", "fingerprint"), str)  # which may be digits, or look like 1e10
RUN_COLUMNS = ("trial", "status", "collapsed", *METRICS, "pflops_executed", "device", "commit", "fingerprint")
NUMBERS = ("avg_gap", "low", "high", "above_ft", "above_ft_low", "above_ft_high", "p")
COLUMNS = ["study", *CELL_KEYS, "method", "trials", "diverged", "collapsed", *NUMBERS, "claimed", "verdict", "source"]
AGREES, DISAGREES, UNDECIDED, UNCLAIMED = "agrees", "disagrees", "undecided", "no claim"


def _cell_name(text: str) -> str:
    """Return the name of a cell; raise `ValueError`, which is reported with its file and key, if it is none."""
    try:
        return str(Cell.parse(text))
    except BadInput as error:
        raise ValueError(str(error)) from None


class ClaimedGap(Strict):
    """What a publication prints for a method and for FT in the same cell: average gaps to Retrain, in points."""

    cell: Annotated[str, AfterValidator(_cell_name)]
    avg_gap: float
    ft: float
    source: str


class EntryForm(Strict):
    """The form of ``entry.yaml``."""

    authors: str
    reference: str
    claims: list[ClaimedGap] = []


def entries() -> dict[str, EntryForm]:
    """Return the entries of the board's methods; raise `BadInput` for an invalid one."""
    files = sorted(paths.LEADERBOARD.glob(f"*/{ENTRY}"))
    for file in files:
        if MethodName.parse(file.parent.name, str(file)).base in (ORIGINAL, RETRAIN):
            raise BadInput(f"{file}: {file.parent.name!r} is not an entry: accepted is a method that unlearns")
    return {file.parent.name: validated(EntryForm, parse(file), str(file)) for file in files}


def refresh(study: Study) -> list[Path]:
    """Write the rows and settings of every method of the board from a study's gathered results; return the files.

    Raises `StaleOutput` if the study's runs are not all gathered, and `BadInput` if it has none of the methods.
    """
    metrics = frames.gathered(study).metrics
    frames.require_all_runs(study, metrics)
    methods = list(entries())
    if not set(methods) & set(metrics["method"]):
        raise BadInput(f"study {study.name!r} has no run of a method in {paths.LEADERBOARD}")
    files = []
    for method in [RETRAIN, *methods]:
        runs, folder = metrics[metrics["method"] == method], paths.LEADERBOARD / method
        columns, settings = ["study", *CELL_KEYS, *RUN_COLUMNS], _settings(study, method, runs)
        for path, rows in ((folder / ROWS, runs.reindex(columns=columns)), (folder / SETTINGS, settings)):
            if len(rows) or path.is_file():  # what a study has no more must not stay beside its new Retrain
                files.append(_replace(path, study.name, rows))
    return [*files, write_board()]


def _replace(path: Path, study: str, rows: pd.DataFrame) -> Path:
    if path.is_file():
        present = _read(path)
        if len(other_studies := present[present["study"] != study]):
            rows = pd.concat([other_studies, rows])
    write_text(path, rows.sort_values(["study", *CELL_KEYS], kind="stable").to_csv(index=False, lineterminator="\n"))
    return path


def _read(path: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(path, dtype=TEXTS)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not a table of rows ({error}): delete it, and refresh the board") from None
    if "study" not in rows:
        raise BadInput(f"{path}: column 'study' is missing: delete it, and refresh the board")
    return rows


def _settings(study: Study, method: str, metrics: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (study.name, *vars(cell).values(), key, value)
        for cell in cells_in(metrics)
        for key, value in study.settings_of(cell, method).items()
    ]
    return pd.DataFrame(rows, columns=["study", *CELL_KEYS, "setting", "value"])


def write_board() -> Path:
    """Write the board from the rows of all methods, and return its file; raise `StaleOutput` if there are none."""
    table = board()
    render = template("table.md", markdown.text).render
    text = render(table=table, command="python -m benchmark leaderboard", data=paths.LEADERBOARD / "board.csv")
    write_text(paths.LEADERBOARD / "board.csv", table.data.to_csv(index=False, lineterminator="\n"))
    write_text(BOARD, text)
    return BOARD


def board() -> Table:
    """Return the board: one block per study and cell, methods in order of average gap, last those that diverged."""
    data = _numbers()
    blocks = [
        Block(
            [_row(rank, row) for rank, row in enumerate(rows.to_dict("records"), 1)],
            f"{cell_label(Cell(*parts))}, study {study}",
        )
        for (study, *parts), rows in data.groupby(["study", *CELL_KEYS], sort=False)
    ]
    numbers = ("Avg. Gap ↓", "95 % interval", "Minus FT's: here", "95 % interval", "Minus FT's: claimed")
    columns = [Column("Rank"), METHOD, *map(Column, numbers)]
    columns += [Column(name, text=True) for name in ("Claim", "Printed in")]
    notes = [
        "Average gap to Retrain, in points. Minus FT's: below 0 a method is nearer to Retrain than FT",
        "Claims are of the same dataset and scenario, and of the network at full size; the CoUn paper’s are the gaps "
        "of the means that it prints. A claim agrees if our interval lies wholly on its side of 0, disagrees if it "
        "lies wholly on the other side, and is otherwise undecided",
        f"*{THIN}also after Holm's correction for all {data['p_holm'].notna().sum()} claims",
    ]
    notes += [METHOD_COLLAPSED] * any(data["collapsed"])
    return Table(columns, blocks, "Methods by their average gap.", sentences(notes), data)


def _numbers() -> pd.DataFrame:
    """Return what ``board.csv`` holds, `COLUMNS` and ``p_holm``: the rows of the board, in its order."""
    forms = entries()
    files = [paths.LEADERBOARD / method / ROWS for method in [RETRAIN, *forms]]
    rows = {file.parent.name: _read(file) for file in files if file.is_file()}
    if RETRAIN not in rows:
        raise StaleOutput(f"{paths.LEADERBOARD} has no rows: 'python -m benchmark leaderboard STUDY' writes them")
    runs = pd.concat(frame.assign(method=method) for method, frame in rows.items())
    printed, data = reported_means(), []
    for (study, *parts), cell_runs in runs.groupby(["study", *CELL_KEYS], sort=False):
        cell = Cell(*parts)
        compared = [
            _compared(cell_runs, cell, method, *_claim(cell, method, form, printed)) for method, form in forms.items()
        ]
        ranked = sorted((row for row in compared if np.isfinite(row["avg_gap"])), key=lambda row: row["avg_gap"])
        ranked += [row for row in compared if row["diverged"]]
        data += [{"study": study, **vars(cell), **row} for row in ranked]
    table = pd.DataFrame(data, columns=COLUMNS)
    return table.assign(p_holm=holm(table["p"].where(table["verdict"] != UNCLAIMED)))


def _compared(runs: pd.DataFrame, cell: Cell, method: str, claimed: float, source: str) -> dict[str, Any]:
    """Return a method's numbers in a cell, beside what was claimed for it; none if it diverged in some trial."""
    trials, shared = (Trials(runs, cell, dict.fromkeys(methods)) for methods in ([method], [method, BASELINE]))
    counts = {"diverged": trials.diverged.get(method, 0), "collapsed": trials.collapsed.get(method, 0)}
    whole = len(trials) if method in trials.values else 0
    row = {"method": method, "trials": whole + counts["diverged"], **counts}
    row |= {**dict.fromkeys(NUMBERS, np.nan), "claimed": claimed}
    if method in trials.values and not row["diverged"]:
        row["avg_gap"], row["low"], row["high"] = average_gap(trials, method)
    if method != BASELINE and {method, BASELINE} <= shared.values.keys() - shared.diverged.keys():
        difference = shared.farther(method, BASELINE)
        row |= {"above_ft": difference.value, "above_ft_low": difference.low, "above_ft_high": difference.high}
        row["p"] = difference.p
    return row | {"verdict": _verdict(row), "source": source}


def _verdict(row: dict[str, Any]) -> str:
    if not np.isfinite(row["claimed"]) or not row["claimed"]:
        return UNCLAIMED
    low, high = sorted(np.sign(row["claimed"]) * np.array([row["above_ft_low"], row["above_ft_high"]]))
    return AGREES if low > 0 else DISAGREES if high < 0 else UNDECIDED


def _claim(cell: Cell, method: str, form: EntryForm, printed: pd.DataFrame) -> tuple[float, str]:
    """Return how far above FT's an entry, or else the paper, puts a method's average gap, in points, and where."""
    for claim in form.claims:
        if Cell.parse(claim.cell).at_full_size == cell.at_full_size:
            return claim.avg_gap - claim.ft, claim.source
    means = in_cell(printed, cell.at_full_size)
    tables = means.set_index("method")["table"]
    if method in tables and method != BASELINE:
        gaps = summarise(means).set_index("method")["avg_gap"]  # some printed gaps are slips
        return gaps[method] - gaps[BASELINE], f"CoUn, Table {tables[method]}"
    return np.nan, ""


def _row(rank: int, row: dict[str, Any]) -> list[str | Entry]:
    numbers = [number(row["avg_gap"]), interval(row["low"], row["high"]), number(row["above_ft"])]
    numbers += [interval(row["above_ft_low"], row["above_ft_high"]), number(row["claimed"])]
    star = "*" * (row["verdict"] in (AGREES, DISAGREES) and row["p_holm"] < SIGNIFICANT)
    entries = [*numbers, Entry(row["verdict"], bold=row["verdict"] == DISAGREES, after=star), row["source"]]
    place = DASH if row["diverged"] else f"{rank}"
    return [place, *method_row(row["method"], entries, row["diverged"], row["collapsed"])]
