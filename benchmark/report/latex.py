"""From data frames of ready-made cells to a ``table`` environment that a paper can ``\\input``.

What it needs in the preamble: ``\\usepackage{booktabs,graphicx}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.errors import BadInput

DASH = "---"
ROWS_PER_PAGE = 54
# Stands in the cells that a neighbour to the left spans; taken out of the finished text.
SPANNED = "\\spanned"
# A wrapped column: its width, about how many letters fit in a line of it, and what its cells begin with: words spread
# to both edges of so narrow a column would have holes between them. \\ shall end the row all the same.
WIDTH, LETTERS, RAGGED = "35mm", 25, r"\raggedright\let\\\tabularnewline "

# Commands of math mode. Letters that have none, such as omicron, look like Latin ones.
GREEK = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ϵ": "epsilon", "ε": "varepsilon", "ζ": "zeta"},
    **{"η": "eta", "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu"},
    **{"ξ": "xi", "π": "pi", "ρ": "rho", "ϱ": "varrho", "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon"},
    **{"ϕ": "phi", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega"},
    **{"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon"},
    **{"Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"},
}
LATIN = dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True))

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
    "|": r"\textbar{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "‘": "`",
    "’": "'",
    **{
        sign: rf"$\{name}$"
        for sign, name in {**GREEK, "\N{MICRO SIGN}": "mu", "→": "to", "≈": "approx", "∞": "infty"}.items()
    },
    **LATIN,
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
    last_left : whether the last column is text too, aligned left.
    wrap : which column, from 0, holds text that is broken into lines where paper is narrow; None if none does.
    """

    blocks: list[Block]
    caption: str
    data: pd.DataFrame
    left: int = 1
    last_left: bool = False
    wrap: int | None = None

    @property
    def alignment(self) -> str:
        """A letter a column: ``l`` or ``r``."""
        width = len(self.blocks[0].rows.columns)
        letters = ("l" * self.left).ljust(width - self.last_left, "r") + "l" * self.last_left
        return "".join("l" if place == self.wrap else letter for place, letter in enumerate(letters))


def escape(text: str) -> str:
    """Return plain text as LaTeX: specials escaped, Greek letters and a few signs in math mode, a tie before a %."""
    return "".join(SPECIAL.get(character, character) for character in text).replace(r" \%", r"~\%")


def spanning(text: str, columns: int) -> list[str]:
    """Return the cells of ``text`` centred over so many columns."""
    return [rf"\multicolumn{{{columns}}}{{c}}{{{text}}}", *[SPANNED] * (columns - 1)]


def aligned(values: Iterable[float], before: str = "", after: str = "", decimals: int = 2) -> list[str]:
    """Return numbers between two signs, all of one width, so that what stands left of them aligns in a column.

    A missing number becomes blank space of that width; where all are missing, nothing.
    """
    texts = ["" if np.isnan(value) else number(value, decimals) for value in values]
    width = max((len(text) for text in texts), default=0)
    if not width:
        return texts
    blank = [rf"\phantom{{{'0' * (width - len(text))}}}" if len(text) < width else "" for text in texts]
    whole = rf"\phantom{{{before}{max(texts, key=len)}{after}}}"
    return [f"{gap}{before}{text}{after}" if text else whole for gap, text in zip(blank, texts, strict=True)]


def number(value: float, decimals: int = 2) -> str:
    """Return a number with fixed decimals, never as minus zero; a dash for NaN."""
    if np.isnan(value):
        return DASH
    text = f"{value:.{decimals}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "$-$")


def remake(study: str, name: str) -> str:
    """Return the command that makes a table again."""
    return f"snakemake --cores all {name} --config study={study}"


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
    parts = [f"% Study {study}; remade by: {remake(study, name)}; data: {name}.csv"]
    pages = _pages(table.blocks, table.wrap)
    for page, blocks in enumerate(pages):
        label = f"tab:{study}-{name}"
        title = rf"\caption{{{table.caption}}}\label{{{label}}}" if page == 0 else rf"Table~\ref{{{label}}}, continued."
        parts += [r"\begin{table}[tbp]", r"\centering", r"\setlength{\belowcaptionskip}{4pt}", title, ""]
        parts += [r"\footnotesize", r"\setlength{\tabcolsep}{4pt}"]
        parts += [
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            _tabular(blocks, table.alignment, table.wrap) + "%",
            "}",
            r"\end{table}",
        ]
    return "\n".join(parts) + "\n"


def _pages(blocks: list[Block], wrap: int | None) -> list[list[Block]]:
    """Deal the blocks out to pages; one that is longer than a page by itself is cut."""
    pages: list[list[Block]] = [[]]
    room = ROWS_PER_PAGE
    for whole in blocks:
        # Which page each row would be on, if the block began on one.
        page = (np.cumsum(_lines(whole, wrap)) - 1) // ROWS_PER_PAGE
        for number in dict.fromkeys(page):
            block = Block(whole.rows[page == number], whole.heading)
            lines = sum(_lines(block, wrap)) + 1
            if lines > room and pages[-1]:
                pages.append([])
                room = ROWS_PER_PAGE
            pages[-1].append(block)
            room -= lines
    return pages


def _lines(block: Block, wrap: int | None) -> list[int]:
    """Return how many lines each row takes: commands are counted with the letters, so rather too many than too few."""
    if wrap is None:
        return [1] * len(block.rows)
    return [max(1, -(-len(cell) // LETTERS)) for cell in block.rows.iloc[:, wrap]]


def _tabular(blocks: list[Block], alignment: str, wrap: int | None) -> str:
    """Let pandas write the rows, then add what it cannot: headings, rules between blocks, cells that span others."""
    rows = pd.concat([block.rows for block in blocks], ignore_index=True)
    columns = list(alignment)
    if wrap is not None:
        columns[wrap] = f"p{{{WIDTH}}}"
        rows.isetitem(wrap, [RAGGED + cell if _is_text(cell) else cell for cell in rows.iloc[:, wrap]])
    styler = rows.style.hide(axis="index")
    text = styler.to_latex(hrules=True, column_format="".join(columns), multicol_align="c")
    text = re.sub(rf"( & {re.escape(SPANNED)})+", "", text)
    head, body = text.strip().split("\\midrule\n")
    lines = body.split("\n")
    out, start = [], 0
    for block in blocks:
        if block.heading:
            out.append(rf"\multicolumn{{{len(alignment)}}}{{l}}{{\emph{{{block.heading}}}}} \\")
        out += [*lines[start : start + len(block.rows)], r"\midrule"]
        start += len(block.rows)
    return "\n".join([_ruled(head, rows.columns), r"\midrule", *out[:-1], *lines[-2:]])


def _is_text(cell: str) -> bool:
    return bool(cell) and cell != SPANNED and not cell.startswith(r"\multicolumn")


def _ruled(head: str, columns: pd.Index) -> str:
    """Put a rule under each name that heads a group of columns."""
    if columns.nlevels == 1:
        return head.rstrip("\n")
    groups = list(columns.get_level_values(0))
    rules = ""
    for group in dict.fromkeys(filter(None, groups)):
        first = groups.index(group) + 1
        rules += rf"\cmidrule(lr){{{first}-{first + groups.count(group) - 1}}}"
    lines = head.rstrip("\n").split("\n")
    return "\n".join([*lines[:-1], rules, lines[-1]])
