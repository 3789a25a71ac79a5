"""From data frames of ready-made cells to a ``table`` environment that a paper can ``\\input``.

What it needs in the preamble: ``\\usepackage{booktabs,graphicx}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmark.errors import BadInput

DASH = "---"
ROWS_PER_PAGE = 54
# Stands in the cells that a neighbour to the left spans; taken out of the finished text.
SPANNED = "\\spanned"

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "‘": "`",
    "’": "'",
    **{letter: rf"$\{name}$" for letter, name in zip("αβγλτω", "alpha beta gamma lambda tau omega".split(), strict=True)},
}


@dataclass(frozen=True)
class Block:
    """Rows that are compared with one another, under one heading.

    Attributes
    ----------
    rows : one column a column of the table, headed by LaTeX text (two levels where columns are grouped); LaTeX cells.
    heading : LaTeX text above the rows; empty where the caption says it all.
    """

    rows: pd.DataFrame
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """A table, ready to be written.

    Attributes
    ----------
    blocks : all with the same columns.
    caption : LaTeX text.
    data : what the ``.csv`` holds, at full precision.
    left : how many columns, from the first, are aligned left.
    last : rows after the blocks that belong to all of them, such as ranges.
    """

    blocks: list[Block]
    caption: str
    data: pd.DataFrame
    left: int = 1
    last: pd.DataFrame | None = field(default=None)


def escape(text: str) -> str:
    """Return plain text as LaTeX: specials escaped, Greek letters and a few signs in math mode."""
    return "".join(SPECIAL.get(character, character) for character in text)


def spanning(text: str, columns: int) -> list[str]:
    """Return the cells of ``text`` centred over so many columns."""
    return [rf"\multicolumn{{{columns}}}{{c}}{{{text}}}", *[SPANNED] * (columns - 1)]


def padded(texts: list[str]) -> list[str]:
    r"""Pad numbers with ``\phantom`` digits on the left to one width, so that what stands left of them aligns."""
    width = max((len(text) for text in texts), default=0)
    return [(rf"\phantom{{{'0' * (width - len(text))}}}" if len(text) < width else "") + text for text in texts]


def number(value: float, decimals: int = 2) -> str:
    """Return a number with fixed decimals, never as minus zero; a dash for NaN."""
    if np.isnan(value):
        return DASH
    text = f"{value:.{decimals}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "$-$")


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.tex`` file: a comment that says how to remake it, then one or more ``table`` environments.

    A table too long for a page continues in further environments; what is too wide is shrunk to the line.

    Raises
    ------
    BadInput
        If there is no row.
    """
    if not sum(len(block.rows) for block in table.blocks):
        raise BadInput(f"table {name!r} of study {study!r} has no rows to show")
    pages = _pages(table.blocks)
    parts = [f"% Study {study}; remade by: snakemake --cores all {name} --config study={study}; data: {name}.csv"]
    for page, blocks in enumerate(pages):
        caption = rf"{table.caption} \label{{tab:{study}-{name}}}" if page == 0 else "(continued)"
        last = table.last if page == len(pages) - 1 else None
        tabular = _tabular(blocks, last, table.left)
        parts += [
            r"\begin{table}[tbp]",
            r"\ContinuedFloat" if False else r"\centering",
            rf"\caption{{{caption}}}" if page == 0 else rf"\caption*{{{caption}}}",
        ]
        parts += [r"\footnotesize", r"\setlength{\tabcolsep}{4pt}", _shrunk(tabular), r"\end{table}"]
    return "\n".join(parts) + "\n"
