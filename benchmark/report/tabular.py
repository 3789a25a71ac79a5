"""A table in plain text: builders return it, and LaTeX, Markdown and HTML are rendered from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmark.report.style import method_label

if TYPE_CHECKING:
    import pandas as pd

DASH, THIN = "—", "\N{NARROW NO-BREAK SPACE}"
DAGGER = "†"  # after the label of a method that collapsed in some trial
EXACT = 9  # decimals that no error of addition reaches
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"  # the digits and the minus of a power
# Private characters around a formula.
OPEN, CLOSE = "\ue000", "\ue001"


class Entry(NamedTuple):
    """An entry that is more than a text."""

    text: str
    bold: bool = False
    after: str = ""  # a mark such as *, or a remark, which is never bold
    spans: bool = False  # the last of its row, centred over the rest of it


Row = Sequence[str | Entry]


@dataclass(frozen=True)
class Column:
    """A column: its name, the name that it shares with its neighbours, and its format."""

    name: str
    group: str = ""
    heads: bool = False  # its entries name their row
    text: bool = False  # it holds words, not numbers
    wrapped: bool = False  # words that break into lines where paper is narrow
    centred: bool = False  # its name is centred over numbers, which are aligned right
    optional: bool = False  # left out on paper if the table would be too wide

    @property
    def names(self) -> list[str]:
        """The shared name, if any, and its own."""
        return [name for name in (self.group, self.name) if name]

    @property
    def is_text(self) -> bool:
        """Whether it is aligned left."""
        return self.heads or self.text or self.wrapped


METHOD = Column("Method", heads=True)


@dataclass(frozen=True)
class Block:
    """Rows that are compared with one another."""

    rows: Sequence[Row]
    heading: str = ""
    note: str = ""  # in parentheses after the heading

    @property
    def title(self) -> str:
        """The heading with the note."""
        return f"{self.heading} ({self.note})" if self.note else self.heading


@dataclass(frozen=True)
class Table:
    """A table, ready to be rendered: a short caption, and sentences that paper has below the table.

    ``data`` is what the ``.csv`` holds, at full precision.
    """

    columns: Sequence[Column]
    blocks: Sequence[Block]
    caption: str
    notes: str
    data: pd.DataFrame

    @property
    def text(self) -> str:
        """The caption and the notes in one paragraph."""
        return f"{self.caption} {self.notes}".strip()

    def rows(self, block: Block) -> list[list[Entry]]:
        """Return a block's rows, with one entry per column: empty where a neighbour to the left spans."""
        entries = [[entry if isinstance(entry, Entry) else Entry(entry) for entry in row] for row in block.rows]
        return [row + [Entry("")] * (len(self.columns) - len(row)) for row in entries]


def marked_label(method: str, collapsed: Any) -> str:
    """Return a method's label, with a mark if it ``collapsed``: whether it did, or in how many trials, or which."""
    return method_label(method) + DAGGER * bool(collapsed)


def method_row(method: str, entries: Sequence[str | Entry], diverged: Any = False, collapsed: Any = False) -> Row:
    """Return a method's row: its label, with a mark if it collapsed, and its entries, or that training diverged.

    ``diverged`` and ``collapsed`` say whether it did, or in how many trials.
    """
    return [marked_label(method, collapsed), *([Entry("diverged", spans=True)] if diverged else entries)]


def formula(text: str) -> str:
    """Return a formula for plain text: Unicode letters and digits, ``_`` before a subscript of one letter."""
    return f"{OPEN}{text}{CLOSE}"


def typeset(plain: str, words: Callable[[str], str], math: Callable[[str], str]) -> str:
    """Return plain text with its words and formulas set by one function each, and typographic quotation marks."""
    parts = re.split(f"{OPEN}(.*?){CLOSE}", plain.replace("'", "’").replace("`", "‘"))
    return "".join((math if index % 2 else words)(part) for index, part in enumerate(parts))


def number(value: float, decimals: int = 2, signed: bool = False) -> str:
    """Return a number with fixed decimals, and a plus sign if ``signed``; zero has no sign, NaN is a dash.

    Errors of addition are removed first, so that a number half-way between two is the same in all tables.
    """
    if np.isnan(value):
        return DASH
    text = f"{round(value, EXACT):{'+' * signed}.{decimals}f}"
    text = text.lstrip("+-") if float(text) == 0 else text
    return text.replace("-", "−")


def mean_text(mean: float, sd: float, gap: float = np.nan, decimals: int = 2) -> str:
    """Return ``mean±sd (gap)``; no ± for a single trial, no gap where Retrain is missing."""
    text = number(mean, decimals)
    for value, sign in ((sd, "±{}"), (gap, " ({})")):
        text += sign.format(number(value, decimals)) if np.isfinite([mean, value]).all() else ""
    return text


def interval(low: float, high: float) -> str:
    """Return an interval's ends in brackets, or a dash if it has none."""
    return f"[{number(low)}, {number(high)}]" if np.isfinite(low) else DASH


def sentences(parts: Iterable[str]) -> str:
    """Join sentences into one text, each with its full stop; empty ones are left out."""
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts if part)


def remake(study: str, name: str, partial: bool = False) -> str:
    """Return the command that remakes a table or figure, or the ``partial`` files of a table."""
    if partial:
        return f"python -m benchmark table {study} {name} --partial"
    return f"snakemake --cores all {name} --config study={study}"
