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
DENSE = 0.85  # of a line; a wider table is given all of it
LOOSE = 1.15  # lines broken between words, relative to lines broken anywhere

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


def render(table: Table, study: str, name: str, partial: bool = False) -> str:
    """Return the whole ``.tex`` file: a comment that says how to remake it, then one or more ``table`` environments.

    A table too long for a page continues in further environments. One that is wider than half a page of two columns
    spans both. Raises `BadInput` if there is no row.
    """
    if not any(block.rows for block in table.blocks):
        raise BadInput(f"table {name!r} of study {study!r} has no rows to show")
    fit = layout(table)
    columns = [table.columns[index] for index in fit.indices]
    widest = max(ems(block.title) * fit.points for block in table.blocks)
    left_out = [": ".join(column.names) for index, column in enumerate(table.columns) if index not in fit.indices]
    heads, groups = _heads(table, fit)
    rendered = template("table.tex", text).render(
        table=table,
        fit=fit,
        columns=columns,
        kinds=[_kind(index in fit.broken, column) for index, column in zip(fit.indices, columns, strict=True)],
        heads=heads,
        groups=groups,
        notes=f"{table.notes} Only in the .csv: {', '.join(left_out)}." if left_out else table.notes,
        pages=_pages(table, fit),
        environment="table" if max(fit.width, widest) <= HALF else "table*",
        spread="" if fit.broken or fit.width > LINE else _spread(fit, widest),
        scaled=fit.width > LINE,
        long=widest > LINE,
        study=study,
        name=name,
        command=remake(study, name, partial),
    )
    unsupported = "".join(sorted({sign for sign in rendered if sign.isalpha() and sign > LATIN}))
    return f"% Needs LuaLaTeX or XeLaTeX, and a font that has: {unsupported}\n{rendered}" if unsupported else rendered


def _heads(table: Table, fit: Layout) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the heading of each column, then that of each group with its number of columns.

    Where every group has one column, column headings begin with the group's, and there are no group headings.
    """
    heads = [heading(table, index) for index in fit.indices]
    members = [list(indices) for _, indices in groupby(fit.indices, key=lambda index: table.columns[index].group)]
    groups = [(group_heading(table, indices), len(indices)) for indices in members]
    if all(span == 1 for lines, span in groups if lines != [""]):
        names = [table.columns[index].group for index in fit.indices]
        above = [halves(name) if name else [] for name in names]
        return [_stacked([*upper, *lines]) for upper, lines in zip(above, heads, strict=True)], []
    return [_stacked(lines) for lines in heads], [(_stacked(lines), span) for lines, span in groups]


def _spread(fit: Layout, widest: float) -> str:
    """Return the width to spread columns over, if they stand close or a block's heading is wider; else nothing."""
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
    rows = [[[row[index] for index in fit.indices] for row in table.rows(block)] for block in table.blocks]
    all_rows = [row for block in rows for row in block]
    columns = [_column(table.columns[index], [row[nth] for row in all_rows]) for nth, index in enumerate(fit.indices)]
    lines = (_line(row, texts, fit) for row, texts in zip(all_rows, zip(*columns, strict=True), strict=True))
    return [[next(lines) for _ in block] for block in rows]


def _line(row: list[Entry], texts: tuple[str, ...], fit: Layout) -> Line:
    end = next((index for index, entry in enumerate(row) if entry.spans), len(texts))
    spanned = [rf"\multicolumn{{{len(row) - end}}}{{c}}{{{text(entry.text)}}}" for entry in row[end : end + 1]]
    widths = [ems(entry.text) for index, entry in zip(fit.indices, row, strict=True) if index in fit.broken]
    counts = [ceil(LOOSE * width * fit.points / fit.room) for width in widths]
    line = " & ".join([*texts[:end], *spanned])
    return "{}" * line.startswith("[") + line + r" \\", max([1, *counts])  # \\ and \midrule would take the brackets


def _column(column: Column, entries: list[Entry]) -> list[str]:
    """Return a column's entries as LaTeX, with the parts of numbers aligned."""
    matches = [NUMBER.fullmatch(entry.text) for entry in entries]
    deviations = _aligned([(match and match["deviation"]) or "" for match in matches], r"$\pm$")
    gaps = _aligned([(match and match["gap"]) or "" for match in matches], "(", ")")
    texts = []
    for entry, match, deviation, gap in zip(entries, matches, deviations, gaps, strict=True):
        content = text(match["value"]).replace("+", "$+$") if match else text(entry.text)
        content = rf"\textbf{{{content}}}" if entry.bold else content
        # Beside a number a mark takes no room.
        after = text(entry.after)
        content += rf"\rlap{{{after}}}" if len(entry.after) == 1 and not column.is_text else after
        texts.append(content + (deviation + " " * bool(gap) + gap) * bool(match))
    return texts


def _aligned(numbers: list[str], before: str, after: str = "") -> list[str]:
    """Return numbers between two signs, all of one width; a missing one becomes blank space unless all are."""
    widest = max(numbers, key=len, default="")
    if not widest:
        return numbers
    padding = [len(widest) - len(number) for number in numbers]
    phantom = rf"\phantom{{{before}{widest}{after}}}"
    return [
        (rf"\phantom{{{'0' * zeros}}}" if zeros else "") + before + number + after if number else phantom
        for number, zeros in zip(numbers, padding, strict=True)
    ]


# --- pages ----------------------------------------------------------------------------------------------------------


def _pages(table: Table, fit: Layout) -> list[list[tuple[Block, list[Line]]]]:
    """Distribute the blocks over pages, each with its rows there; one longer than a page is cut."""
    pages: list[list[tuple[Block, list[Line]]]] = [[]]
    room = ROWS_PER_PAGE
    for block, rows in zip(table.blocks, _lines(table, fit), strict=True):
        ends = zip(accumulate(lines for _, lines in rows), rows, strict=True)
        for _, part in groupby(ends, key=lambda pair: (pair[0] - 1) // ROWS_PER_PAGE):  # as if it began a page
            page_rows = [row for _, row in part]
            needed = sum(lines for _, lines in page_rows) + 1
            if needed > room and pages[-1]:
                pages.append([])
                room = ROWS_PER_PAGE
            pages[-1].append((block, page_rows))
            room -= needed
    return pages
