"""The paper's comparison at several scales: which conclusions hold at all of them, and which at one alone?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from benchmark.names import RETRAIN
from benchmark.report.facts import INTERVAL, NO_COLLAPSED
from benchmark.report.scales import GAP, KEPT, OF_RETRAIN, PRIMARY, TAU, Scale, numbers, scales
from benchmark.report.source import Source
from benchmark.report.style import method_label, scenario_label
from benchmark.report.tabular import DAGGER, DASH, Block, Column, Entry, Row, Table, number

MARKS = {REPRODUCED: "✓", NOT_REPRODUCED: "✗", UNDECIDED: "?"}
OTHERWISE = "‡"  # after a mark
DataRows = Mapping[tuple[str, str, str], Any]  # by scale, ``what`` and ``subject``: see `Number`


def build(source: Source) -> Table:
    """Return the table: one block per scenario, each scale's average gaps and what is kept in neighbouring columns.

    Retrain comes above the methods; below them come each ranking's agreement with the paper's, if that is shown, and
    the primary claims with the scales that reproduce them.
    """
    shown = scales(source)
    data = numbers(source, shown)
    columns = [Column("", heads=True)]
    columns += [Column(name, scale.name) for scale in shown for name in _columns(scale)]
    columns.append(Column("Reproduced at", wrapped=True))
    blocks = [
        Block(_rows(source, shown, data[data["scenario"] == scenario]), scenario_label(scenario))
        for scenario in dict.fromkeys(cell.scenario for cell in source.cells)
    ]
    return source.table(columns, blocks, _notes(shown, data), data)


def _columns(scale: Scale) -> list[str]:
    return ["Avg. gap", "Kept"] if scale.cells else ["not run yet"]


def _rows(source: Source, shown: list[Scale], data: pd.DataFrame) -> list[Row]:
    data_rows: DataRows = {(row.scale, row.what, row.subject): row for row in data.itertuples()}

    def line(label: str, *pairs: tuple[str, str], last: str = "") -> Row:
        """Return a row with the entries of the pairs (``what``, ``subject``) at every scale."""
        return [label, *(entry for scale in shown for entry in _entries(scale, pairs, data_rows)), last]

    rows = [line(f"{method_label(RETRAIN)}: {metric.upper()} (%)", (metric, RETRAIN)) for metric in OF_RETRAIN]
    rows += [line(method_label(method), (GAP, method), (KEPT, method)) for method in source.methods]
    if any(scale.is_paper for scale in shown):
        rows.append(line("τ with the paper’s ranking", (TAU, GAP), (TAU, KEPT)))
    for key, claim in PRIMARY.items():
        tests = data[data["what"] == key]
        for index, subject in enumerate(tests["subject"].unique()):
            text = "…" if index else claim.text  # in full in its first row alone
            text += f": {method_label(subject)}" if subject else ""
            reproduced = tests[(tests["subject"] == subject) & (tests["verdict"] == REPRODUCED)]
            rows.append(line(text, (key, subject), last=", ".join(reproduced["scale"]) or "none"))
    return rows


def _entries(scale: Scale, pairs: Sequence[tuple[str, str]], data_rows: DataRows) -> list[str | Entry]:
    """Return the entries of a scale's columns: a dash for a missing number, empty where none belongs."""
    columns = len(_columns(scale))
    shown_pairs = pairs[: 0 if scale.is_paper and pairs[0][0] == TAU else columns]
    entries = [_entry(data_rows.get((scale.name, *pair))) for pair in shown_pairs]
    return entries + [""] * (columns - len(shown_pairs))


def _entry(row: Any) -> str | Entry:
    if row is None:
        return DASH
    rank = "" if np.isnan(row.rank) else f" ({row.rank:.0f})"
    after = MARKS.get(row.verdict, DAGGER * row.collapsed) + OTHERWISE * bool(row.also)
    return Entry(number(row.value) + rank, bold=row.leads, after=after)


def _notes(shown: list[Scale], data: pd.DataFrame) -> list[str]:
    collapsed = bool(data["collapsed"].fillna(False).any())
    paper = any(scale.is_paper for scale in shown)
    return [
        "; ".join(scale.text for scale in shown),
        "Avg. gap: to Retrain, in points, with its rank in parentheses"
        + "; the paper’s are the gaps of its printed means" * paper,
        "Kept: by how many points accuracy on forget data exceeds that on test data more than Retrain’s does, ranked "
        "by its distance from 0; less than 0 is overdone" + "; the paper’s from its printed means" * paper,
        f"Bold: first, or not to be told from it ({INTERVAL} of the difference)"
        + "; of the paper the first" * paper
        + NO_COLLAPSED * collapsed,
        "τ: Kendall’s rank correlation with the paper’s, by average gap and by what is kept" * paper,
        f"Claims, the primary ones: positive where they hold, in points; ✓ reproduced ({INTERVAL} above 0), ✗ not "
        "reproduced (below 0), ? undecided, without correction for many tests"
        + "; the paper’s by the sign of its printed means"
        * paper,
        f"{OTHERWISE}: with the term, other settings differ too, such as epochs for equal computation; see the .csv"
        * bool((data["also"].fillna("") != "").any()),
    ]
