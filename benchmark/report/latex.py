"""A table as a ``table`` environment that a paper can ``\\input``, with ``\\usepackage{booktabs,tabularx,amssymb}``."""

from __future__ import annotations

import re
from itertools import accumulate, groupby
from math import ceil

from benchmark.errors import BadInput
from benchmark.report.layout import HALF, LINE, NUMBER, Layout, ems, group_heading, halves, heading, layout
from benchmark.report.tabular import RAISED, THIN, Block, Column, Entry, Table, remake, typeset
from benchmark.report.templates import template

ROWS_PER_PAGE = 54
LATIN = "\u024f"  # up to which pdfLaTeX has letters
DENSE = 0.85  # of a line; a table that takes more is given the whole
LOOSE = 1.15  # lines that break between words, to those that would break anywhere

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
    **{"✓": r"$\checkmark$", "✗": r"$\times$"},
    **dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True)),
}
LOWERED = str.maketrans(RAISED, "0123456789-")
MATH = {**{letter: rf"\{name}" for letter, name in GREEK.items()}, "·": r"\!\cdot\!"}


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.tex`` file: a comment that says how to remake it, then one or more ``table`` environments.

    A table too long for a page continues in further environments. One that is wider than half a page of two columns
    stands across both. Raises `BadInput` if there is no row.
    """
    if not any(block.rows for block in table.blocks):
        raise BadInput(f"table {name!r} of study {study!r} has no rows to show")
    fit = layout(table)
    columns = [table.columns[place] for place in fit.places]
    widest = max(ems(block.title) * fit.points for block in table.blocks)
    left_out = [": ".join(column.names) for place, column in enumerate(table.columns) if place not in fit.places]
    heads, groups = _heads(table, fit)
    rendered = template("table.tex", text).render(
        table=table,
        fit=fit,
        columns=columns,
        kinds=[_kind(place in fit.broken, column) for place, column in zip(fit.places, columns, strict=True)],
        heads=heads,
        groups=groups,
        notes=f"{table.notes} Only in the .csv: {', '.join(left_out)}." if left_out else table.notes,
        pages=_pages(table, fit),
        environment="table" if max(fit.width, widest) <= HALF else "table*",
        spread="" if fit.broken else _spread(fit, widest),
        long=widest > LINE,
        study=study,
        name=name,
        command=remake(study, name),
    )
    other = "".join(sorted({sign for sign in rendered if sign.isalpha() and sign > LATIN}))
    return f"% Needs LuaLaTeX or XeLaTeX, and a font that has: {other}\n{rendered}" if other else rendered


def _heads(table: Table, fit: Layout) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the heading of each column, and of each group with how many columns it has.

    Where each group has one column, the columns' headings begin with theirs and there are no others.
    """
    heads = [heading(table, place) for place in fit.places]
    members = [list(places) for _, places in groupby(fit.places, key=lambda place: table.columns[place].group)]
    groups = [(group_heading(table, places), len(places)) for places in members]
    if all(span == 1 for lines, span in groups if lines != [""]):
        above = [halves(table.columns[place].group) if table.columns[place].group else [] for place in fit.places]
        return [_stacked([*first, *lines]) for first, lines in zip(above, heads, strict=True)], []
    return [_stacked(lines) for lines in heads], [(_stacked(lines), span) for lines, span in groups]


def _spread(fit: Layout, widest: float) -> str:
    """Return the width over which columns are spread: where they stand close, or a block's heading is wider."""
    return r"\linewidth" if max(fit.width, widest) > DENSE * LINE else f"{widest:.0f}pt" if widest > fit.width else ""


def _kind(breaks: bool, column: Column) -> str:
    return r">{\raggedright\arraybackslash}X" if breaks else "l" if column.is_text else "r"


def _stacked(lines: list[str]) -> str:
    """Return the lines of a heading, one above the other."""
    return text(lines[0]) if len(lines) == 1 else r"\shortstack{" + r"\\".join(map(text, lines)) + "}"


def text(plain: str) -> str:
    """Return plain text as LaTeX: specials escaped, Greek letters, signs and formulas in math mode."""
    return typeset(plain, _escaped, lambda formula: f"${math(formula)}$")


def math(formula: str) -> str:
    """Return a formula as LaTeX writes it between dollar signs, for GitHub too."""
    powers = re.sub(f"[{RAISED}]+", lambda power: f"^{{{power[0].translate(LOWERED)}}}", formula)
    return "".join(MATH.get(sign, sign) for sign in powers.replace("max ", r"\max"))


def _escaped(plain: str) -> str:
    escaped = "".join(SPECIAL.get(sign, sign) for sign in plain)
    # A tie between a number and its per cent sign; and no sentence ends behind these.
    return re.sub(r"\b(Avg|diff)\. ", r"\1.\\ ", re.sub(r"(?<=\d) \\%", r"~\\%", escaped))


# --- rows -----------------------------------------------------------------------------------------------------------

Line = tuple[str, int]  # a row, and how many lines it takes


def _lines(table: Table, fit: Layout) -> list[list[Line]]:
    """Return the rows of each block."""
    rows = [[[row[place] for place in fit.places] for row in table.rows(block)] for block in table.blocks]
    every = [row for block in rows for row in block]
    columns = [_column(table.columns[place], [row[n] for row in every]) for n, place in enumerate(fit.places)]
    lines = (_line(row, cells, fit) for row, cells in zip(every, zip(*columns, strict=True), strict=True))
    return [[next(lines) for _ in block] for block in rows]


def _line(row: list[Entry], cells: tuple[str, ...], fit: Layout) -> Line:
    wide = next((place for place, entry in enumerate(row) if entry.spans), len(cells))
    spanning = [rf"\multicolumn{{{len(row) - wide}}}{{c}}{{{text(one.text)}}}" for one in row[wide : wide + 1]]
    long = [ems(entry.text) for place, entry in zip(fit.places, row, strict=True) if place in fit.broken]
    lines = [ceil(LOOSE * one * fit.points / fit.room) for one in long]
    whole = " & ".join([*cells[:wide], *spanning])
    return "{}" * whole.startswith("[") + whole + r" \\", max([1, *lines])  # \\ and \midrule take what is in brackets


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
        after = text(entry.after)
        cell += rf"\rlap{{{after}}}" if len(entry.after) == 1 and not column.is_text else after
        cells.append(cell + (deviation + " " * bool(gap) + gap) * bool(one))
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


def _pages(table: Table, fit: Layout) -> list[list[tuple[Block, list[Line]]]]:
    """Deal the blocks out to pages, each with its rows there; one that is longer than a page by itself is cut."""
    pages: list[list[tuple[Block, list[Line]]]] = [[]]
    room = ROWS_PER_PAGE
    for block, rows in zip(table.blocks, _lines(table, fit), strict=True):
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
