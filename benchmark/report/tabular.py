"""A table in plain text: what builders return, and LaTeX, Markdown and HTML are rendered from."""

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
DAGGER = "†"  # behind the label of a method that collapsed in some trial
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"  # the digits and the minus of a power
# Private characters around a formula.
OPEN, CLOSE = "\ue000", "\ue001"


class Entry(NamedTuple):
    """A cell that is more than a text."""

    text: str
    bold: bool = False
    after: str = ""  # a mark such as *, or a remark, which is never bold
    spans: bool = False  # centred over the rest of its row, whose last it is


Row = Sequence[str | Entry]


@dataclass(frozen=True)
class Column:
    """A column: its name, the name that it shares with its neighbours, and how it is set."""

    name: str
    group: str = ""
    heads: bool = False  # its cells name their row
    text: bool = False  # it holds words, not numbers
    wrapped: bool = False  # words that are broken into lines where paper is narrow
    centred: bool = False  # the name stands in the middle of numbers, which are aligned right
    optional: bool = False  # left out on paper, where the table would be too wide with it

    @property
    def names(self) -> list[str]:
        """The name that it shares, if any, and its own."""
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
    note: str = ""  # in parentheses behind the heading

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
        """Return a block's rows, each with an entry a column: empty ones where a neighbour to the left spans."""
        whole = [[one if isinstance(one, Entry) else Entry(one) for one in row] for row in block.rows]
        return [row + [Entry("")] * (len(self.columns) - len(row)) for row in whole]


def method_row(method: str, cells: Sequence[str | Entry], diverged: Any = False, collapsed: Any = False) -> Row:
    """Return the row of a method: its label, with a mark where it collapsed, and its cells, or that training diverged.

    Parameters
    ----------
    diverged, collapsed : whether, or in how many trials.
    """
    label = method_label(method) + DAGGER * bool(collapsed)
    return [label, *([Entry("diverged", spans=True)] if diverged else cells)]


def formula(text: str) -> str:
    """Return a formula to stand in plain text: Unicode letters and digits, ``_`` before a subscript of one letter."""
    return f"{OPEN}{text}{CLOSE}"


def typeset(plain: str, words: Callable[[str], str], math: Callable[[str], str]) -> str:
    """Return plain text with its words and its formulas set by one function each, quotation marks as a printer does."""
    parts = re.split(f"{OPEN}(.*?){CLOSE}", plain.replace("'", "’").replace("`", "‘"))
    return "".join((math if place % 2 else words)(part) for place, part in enumerate(parts))


def number(value: float, decimals: int = 2, signed: bool = False) -> str:
    """Return a number with fixed decimals, and with its plus if ``signed``; zero has no sign, NaN is a dash."""
    if np.isnan(value):
        return DASH
    text = f"{value:{'+' * signed}.{decimals}f}"
    text = text.lstrip("+-") if float(text) == 0 else text
    return text.replace("-", "−")


def mean_text(mean: float, sd: float, gap: float = np.nan) -> str:
    """Return ``mean±sd (gap)``; no ± for a single trial, no gap where Retrain is missing."""
    text = number(mean)
    for value, sign in ((sd, "±{}"), (gap, " ({})")):
        text += sign.format(number(value)) if np.isfinite([mean, value]).all() else ""
    return text


def interval(low: float, high: float) -> str:
    """Return an interval's ends in brackets; a dash where it has none."""
    return f"[{number(low)}, {number(high)}]" if np.isfinite(low) else DASH


def sentences(parts: Iterable[str]) -> str:
    """Return sentences as one text, each with its full stop; empty ones are left out."""
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts if part)


def remake(study: str, name: str) -> str:
    """Return the command that makes a table again."""
    return f"snakemake --cores all {name} --config study={study}"
