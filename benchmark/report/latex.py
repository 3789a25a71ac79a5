"""A table as a ``table`` environment that a paper can ``\\input``, with ``\\usepackage{booktabs,graphicx}``."""

from __future__ import annotations

import re
from itertools import accumulate, groupby

from benchmark.errors import BadInput
from benchmark.report.tabular import THIN, Block, Column, Entry, Table, remake, typeset
from benchmark.report.templates import template

ROWS_PER_PAGE = 54
# About how many letters fit in a line of a wrapped column, and what its cells begin with: words spread to both edges of
# so narrow a column would have holes between them. \\ shall end the row all the same.
LETTERS, RAGGED = 25, r"\raggedright\let\\\tabularnewline "

# A number, its standard deviation and its gap, each in a column of its own within the table's column.
NUMBER = re.compile(r"(?P<value>[+−]?[\d.]+)(±(?P<deviation>[\d.]+))?( \((?P<gap>[\d.]+)\))?")

# Commands of math mode. Letters that have none, such as omicron, look like Latin ones.
NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu mu nu xi pi rho varrho "
    "sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδϵεζηθϑικλμµνξπρϱσςτυϕφχψωΓΔΘΛΞΠΣΥΦΨΩ", NAMES.split(), strict=True))
SIGNS = {"→": "to", "≈": "approx", "∞": "infty", "±": "pm", "×": "times", "≤": "le", "≥": "ge"}
SIGNS |= {"↓": "downarrow", "↑": "uparrow"}
SPECIAL = {
    **{"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "|": r"\textbar{}"},
    **{sign: rf"\{sign}" for sign in "{}%&#$_"},
    **{sign: f"${sign}$" for sign in "<>"},
    **{sign: rf"$\{name}$" for sign, name in (GREEK | SIGNS).items()},
    **{"−": "$-$", "*": "$^*$", "†": r"$^\dagger$", "‘": "`", "’": "'", "—": "---", "–": "--", THIN: r"\,"},
    **dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True)),
}
LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
MATH = {**{letter: rf"\{name}" for letter, name in GREEK.items()}, "·": r"\!\cdot\!"}


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.tex`` file: a comment that says how to remake it, then one or more ``table`` environments.

    A table too long for a page continues in further environments; what is too wide is shrunk to the line. Raises
    `BadInput` if there is no row.
    """
    if not any(block.rows for block in table.blocks):
        raise BadInput(f"table {name!r} of study {study!r} has no rows to show")
    names = {"study": study, "name": name, "command": remake(study, name)}
    groups = [(group, len(list(members))) for group, members in groupby(column.group for column in table.columns)]
    return template("table.tex", text).render(table=table, pages=_pages(table), groups=groups, **names)


def text(plain: str) -> str:
    """Return plain text as LaTeX: specials escaped, Greek letters, signs and formulas in math mode."""
    return typeset(plain, _escaped, lambda formula: f"${math(formula)}$")


def math(formula: str) -> str:
    """Return a formula as LaTeX writes it between dollar signs, for GitHub too."""
    powers = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda power: f"^{{{power[0].translate(LOWERED)}}}", formula)
    return "".join(MATH.get(sign, sign) for sign in powers.replace("max ", r"\max"))


def _escaped(plain: str) -> str:
    escaped = "".join(SPECIAL.get(sign, sign) for sign in plain)
    # A tie between a number and its per cent sign; and no sentence ends behind these.
    return re.sub(r"\b(Avg|diff)\. ", r"\1.\\ ", re.sub(r"(?<=\d) \\%", r"~\\%", escaped))


# --- rows -----------------------------------------------------------------------------------------------------------

Line = tuple[str, int]  # a row, and how many lines it takes


def _lines(table: Table) -> list[list[Line]]:
    """Return the rows of each block."""
    rows = [table.rows(block) for block in table.blocks]
    every = [row for block in rows for row in block]
    columns = [_column(column, [row[place] for row in every]) for place, column in enumerate(table.columns)]
    lines = map(_line, every, zip(*columns, strict=True))
    return [[next(lines) for _ in block] for block in rows]


def _line(row: list[Entry], cells: tuple[str, ...]) -> Line:
    wide = next((place for place, entry in enumerate(row) if entry.spans), len(cells))
    spanning = [rf"\multicolumn{{{len(row) - wide}}}{{c}}{{{text(one.text)}}}" for one in row[wide : wide + 1]]
    # Commands are counted with the letters, so there are rather too many lines than too few.
    lines = [-(-len(cell.removeprefix(RAGGED)) // LETTERS) for cell in cells if cell.startswith(RAGGED)]
    return " & ".join([*cells[:wide], *spanning]) + r" \\", max(lines, default=1)


def _column(column: Column, entries: list[Entry]) -> list[str]:
    """Return a column's cells; what numbers have in common stands below one another."""
    numbers = [NUMBER.fullmatch(entry.text) for entry in entries]
    deviations = _aligned([(one and one["deviation"]) or "" for one in numbers], r"$\pm$")
    gaps = _aligned([(one and one["gap"]) or "" for one in numbers], "(", ")")
    cells = []
    for entry, one, deviation, gap in zip(entries, numbers, deviations, gaps, strict=True):
        cell = text(one["value"]).replace("+", "$+$") if one else text(entry.text)
        cell = rf"\textbf{{{cell}}}" if entry.bold else cell
        # Beside a number a mark takes no room.
        cell += rf"\rlap{{{text(entry.after)}}}" if entry.after == "*" and not column.is_text else text(entry.after)
        cell += (deviation + " " * bool(gap) + gap) * bool(one)
        cells.append(RAGGED + cell if column.wrapped and cell else cell)
    return cells


def _aligned(numbers: list[str], before: str, after: str = "") -> list[str]:
    """Return numbers between two signs, all of one width; a missing one becomes blank space, if any is there."""
    widest = max(numbers, key=len, default="")
    if not widest:
        return numbers
    blank = [len(widest) - len(one) for one in numbers]
    whole = rf"\phantom{{{before}{widest}{after}}}"
    return [
        (rf"\phantom{{{'0' * room}}}" if room else "") + before + one + after if one else whole
        for one, room in zip(numbers, blank, strict=True)
    ]


# --- pages ----------------------------------------------------------------------------------------------------------


def _pages(table: Table) -> list[list[tuple[Block, list[Line]]]]:
    """Deal the blocks out to pages, each with its rows there; one that is longer than a page by itself is cut."""
    pages: list[list[tuple[Block, list[Line]]]] = [[]]
    room = ROWS_PER_PAGE
    for block, rows in zip(table.blocks, _lines(table), strict=True):
        ends = zip(accumulate(lines for _, lines in rows), rows, strict=True)
        for _, part in groupby(ends, key=lambda pair: (pair[0] - 1) // ROWS_PER_PAGE):  # if it began on a page
            mine = [row for _, row in part]
            needed = sum(lines for _, lines in mine) + 1
            if needed > room and pages[-1]:
                pages.append([])
                room = ROWS_PER_PAGE
            pages[-1].append((block, mine))
            room -= needed
    return pages
