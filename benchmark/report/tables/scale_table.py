"""The paper's comparison at several scales: which conclusions hold at every one of them, and which at one alone?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from benchmark.names import RETRAIN
from benchmark.report.facts import INTERVAL
from benchmark.report.scales import AUDIT, GAP, OF_RETRAIN, PRIMARY, TAU, Scale, numbers, scales
from benchmark.report.source import Source
from benchmark.report.style import method_label, scenario_label
from benchmark.report.tabular import DAGGER, DASH, Block, Column, Entry, Row, Table, number

MARKS = {REPRODUCED: "✓", NOT_REPRODUCED: "✗", UNDECIDED: "?"}
Known = Mapping[tuple[str, str, str], Any]  # the row of data of a scale, what it is, and its subject


def build(source: Source) -> Table:
    """Return the table: a block a scenario, a scale's average gaps and audits in neighbouring columns.

    Above the methods stands Retrain; below them how either ranking agrees with the paper's, then the primary claims
    with the scales that reproduce them.
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
    return source.table(columns, blocks, _notes(shown), data)


def _columns(scale: Scale) -> list[str]:
    return ["Avg. gap", *["AUC"] * scale.is_audited] if scale.cells else ["not run yet"]


def _rows(source: Source, shown: list[Scale], data: pd.DataFrame) -> list[Row]:
    known: Known = {(row.scale, row.what, row.subject): row for row in data.itertuples()}

    def line(label: str, *pairs: tuple[str, str], last: str = "") -> Row:
        """Return a row with what the pairs name in the columns of every scale."""
        return [label, *(entry for scale in shown for entry in _entries(scale, pairs, known)), last]

    rows = [line(f"{method_label(RETRAIN)}: {metric.upper()} (%)", (metric, RETRAIN)) for metric in OF_RETRAIN]
    rows += [line(method_label(method), (GAP, method), (AUDIT, method)) for method in source.methods]
    rows.append(line("τ with the paper’s ranking", (TAU, GAP), (TAU, AUDIT)))
    for key, claim in PRIMARY.items():
        tests = data[data["what"] == key]
        for place, subject in enumerate(tests["subject"].unique()):
            text = "…" if place else claim.text  # in full in the first of its rows
            text += f": {method_label(subject)}" if subject else ""
            rows.append(line(text, (key, subject), last=_where(tests[tests["subject"] == subject])))
    return rows


def _entries(scale: Scale, pairs: Sequence[tuple[str, str]], known: Known) -> list[str | Entry]:
    """Return what stands in a scale's columns: a dash for what it lacks, nothing where nothing belongs."""
    columns = len(_columns(scale))
    wanted = pairs[: 0 if scale.is_paper and pairs[0][0] == TAU else columns]
    entries = [_entry(known.get((scale.name, *pair))) for pair in wanted]
    return entries + [""] * (columns - len(wanted))


def _entry(row: Any) -> str | Entry:
    if row is None:
        return DASH
    rank = "" if np.isnan(row.rank) else f" ({row.rank:.0f})"
    return Entry(number(row.value) + rank, bold=row.leads, after=MARKS.get(row.verdict, DAGGER * row.collapsed))


def _where(tests: pd.DataFrame) -> str:
    """Return the scales that reproduce a claim, of those that test it."""
    names = list(tests.loc[tests["verdict"] == REPRODUCED, "scale"])
    return "all" if len(names) == len(tests) else ", ".join(names) or "none"


def _notes(shown: list[Scale]) -> list[str]:
    audited = any(scale.is_audited for scale in shown)
    return [
        "; ".join(scale.text for scale in shown),
        "Settings and hyperparameters differ from scale to scale too",
        "Avg. gap: to Retrain, in points, with its rank in parentheses; the paper’s are the gaps of its printed means",
        "AUC: of an attack on each forget sample against Retrain, ranked by its distance from a perfect unlearner’s 0.5"
        if audited
        else "",
        f"Bold: first, or not to be told from it ({INTERVAL} of the difference); of the paper the first",
        "τ: Kendall’s rank correlation with the paper’s average gaps",
        f"Claims, the primary ones: positive where they hold, in points; ✓ reproduced ({INTERVAL} above 0), ✗ not "
        "reproduced (below 0), ? undecided; the paper’s by the sign of its printed means",
        "Reproduced at: of the scales that test the claim",
    ]
