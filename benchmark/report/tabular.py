"""A table in plain text: what builders give, and LaTeX, Markdown and HTML are rendered from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

DASH, THIN = "—", "\N{NARROW NO-BREAK SPACE}"
# Private characters around a formula.
OPEN, CLOSE = "\ue000", "\ue001"


class Entry(NamedTuple):
    """A cell that is more than a text.

    Attributes
    ----------
    text : plain text.
    bold : whether it is set in bold.
    after : plain text behind it, never bold: a mark such as ``*``, or a remark.
    spans : whether it stands centred over the rest of its row.
    """

    text: str
    bold: bool = False
    after: str = ""
    spans: bool = False


Row = Sequence[str | Entry]


@dataclass(frozen=True)
class Column:
    """A column: its name, a name over several columns, and how it is set.

    Attributes
    ----------
    name, group : plain text; neighbours with the same ``group`` stand under it.
    heads : whether its cells name their row; aligned left.
    text : whether it holds words; aligned left. Else numbers, aligned right.
    wrapped : whether its words are broken into lines where paper is narrow.
    centred : whether the name stands in the middle of a column of numbers.
    """

    name: str
    group: str = ""
    heads: bool = False
    text: bool = False
    wrapped: bool = False
    centred: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it is aligned left."""
        return self.heads or self.text or self.wrapped


@dataclass(frozen=True)
class Block:
    """Rows that are compared with one another.

    Attributes
    ----------
    rows : a cell a column; one that spans the rest of its row is the last.
    heading : plain text above the rows; empty where the caption says it all.
    note : a remark in parentheses behind the heading.
    """

    rows: Sequence[Row]
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table, ready to be rendered.

    Attributes
    ----------
    columns : those of every block.
    blocks : its rows.
    caption : plain text.
    data : what the ``.csv`` holds, at full precision.
    """

    columns: Sequence[Column]
    blocks: Sequence[Block]
    caption: str
    data: pd.DataFrame

    def rows(self, block: Block) -> list[list[Entry]]:
        """Return a block's rows, each with an entry a column: empty ones where a neighbour to the left spans."""
        whole = [[one if isinstance(one, Entry) else Entry(one) for one in row] for row in block.rows]
        return [row + [Entry("")] * (len(self.columns) - len(row)) for row in whole]


def formula(text: str) -> str:
    """Return a formula to stand in plain text: Unicode letters and digits, ``_`` before a subscript of one letter."""
    return f"{OPEN}{text}{CLOSE}"


def pieces(text: str) -> list[tuple[str, bool]]:
    """Return plain text in pieces, each with whether it is a formula; quotation marks as a printer sets them."""
    parts = re.split(f"{OPEN}(.*?){CLOSE}", text.replace("'", "’").replace("`", "‘"))
    return [(part, place % 2 == 1) for place, part in enumerate(parts) if part]


def number(value: float, decimals: int = 2) -> str:
    """Return a number with fixed decimals, never as minus zero; a dash for NaN."""
    if np.isnan(value):
        return DASH
    text = f"{value:.{decimals}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """Return an interval's ends in brackets; a dash where it has none."""
    return f"[{number(low)}, {number(high)}]" if np.isfinite(low) else DASH


def sentences(parts: Iterable[str]) -> str:
    """Return sentences as one text, each with its full stop; empty ones are left out."""
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts if part)


def remake(study: str, name: str) -> str:
    """Return the command that makes a table again."""
    return f"snakemake --cores all {name} --config study={study}"
