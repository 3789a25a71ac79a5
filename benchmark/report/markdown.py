"""A table as Markdown, for reading on GitHub: its LaTeX, as far as tables use it, as plain text.

What has no plain form, such as a formula with subscripts, stays a formula between dollar signs, which GitHub typesets.
"""

from __future__ import annotations

import re

import pandas as pd

from benchmark import paths
from benchmark.report.latex import DASH, GREEK, SPANNED, Table, remake

# Stand for what would be taken for a command or for Markdown, until commands are gone and the text is escaped.
BOLD, ITALIC, BACKSLASH, OPEN, CLOSE, DOLLAR = "\x01\x02\x03\x04\x05\x06"
ESCAPED = {r"\{": OPEN, r"\}": CLOSE, r"\$": DOLLAR, r"\textbackslash{}": BACKSLASH}

WORDS = {
    **{name: letter for letter, name in GREEK.items()},
    **{"pm": "±", "times": "×", "cdot": "·", "le": "≤", "ge": "≥", "downarrow": "↓", "uparrow": "↑"},
    **{"dagger": "†", "ast": "*", "to": "→", "approx": "≈", "infty": "∞"},
}
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

# A command's text holds no braces by the time it is looked at: the inner ones are gone then.
COMMANDS = (
    (r"\\phantom\{[^{}]*\}", ""),
    (r"\\multicolumn\{\d+\}\{\w\}\{([^{}]*)\}", r"\1"),
    (r"\\(?:textup|text|mbox|rlap)\{([^{}]*)\}", r"\1"),
    (r"\\textbf\{([^{}]*)\}", rf"{BOLD}\1{BOLD}"),
    (r"\\emph\{([^{}]*)\}", rf"{ITALIC}\1{ITALIC}"),
)
CHARACTERS = (
    (r"\s*\\\\\s*", " "),
    (r"\\,", "\N{NARROW NO-BREAK SPACE}"),
    ("~", " "),
    (r"\\textasciitilde\{\}", "~"),
    (r"\\textbar\{\}", "|"),
    (r"\\textasciicircum\{\}", "^"),
    (r"\\([ %&#_])", r"\1"),
    (DASH, "—"),
    ("--", "–"),
    ("`", "‘"),
    ("'", "’"),
)


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.md`` file: the caption in one line, a pipe table a block, and the command that remakes it."""
    parts = [plain(table.caption)]
    for block in table.blocks:
        parts += [f"**{plain(block.heading)}**"] if block.heading else []
        parts.append(_pipes(block.rows, table.alignment))
    told = f"Remade by `{remake(study, name)}`; its numbers at full precision: `{paths.table(study, name, '.csv')}`."
    return "\n\n".join([*parts, told]) + "\n"


def _pipes(rows: pd.DataFrame, alignment: str) -> str:
    heads = [head if isinstance(head, tuple) else (head,) for head in rows.columns]
    lines = [[": ".join(plain(part) for part in head if part) for head in heads]]
    lines.append([{"l": ":--", "r": "--:"}[letter] for letter in alignment])
    lines += [["" if cell == SPANNED else plain(cell) for cell in row] for row in rows.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(latex: str) -> str:
    """Return LaTeX text as Markdown.

    Parameters
    ----------
    latex : text with the commands that `benchmark.report.latex.escape` and the tables write.
    """
    text = latex
    for escaped, sign in ESCAPED.items():
        text = text.replace(escaped, sign)
    kept: list[str] = []
    text = re.sub(r"\$([^$]*)\$", lambda match: _formula(match[1], kept), text)
    before = ""
    while text != before:
        before = text
        for pattern, replacement in COMMANDS:
            text = re.sub(pattern, replacement, text)
    for pattern, replacement in CHARACTERS:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"[\\|*_<>`~\[\]]", r"\\\g<0>", text.strip())
    signs = {BOLD: "**", ITALIC: "*", BACKSLASH: r"\\", OPEN: "{", CLOSE: "}", DOLLAR: r"\$"}
    text = "".join(signs.get(character, character) for character in text)
    return re.sub("\x00", lambda _: kept.pop(0), text)


def _formula(math: str, kept: list[str]) -> str:
    """Return a formula as plain text; if it has none, a sign in its place, after appending it to ``kept``."""
    text = re.sub(r"\\[!,;]", "", math)
    text = re.sub(r"\\([A-Za-z]+) ?", lambda match: WORDS.get(match[1], match[0]), text)
    text = re.sub(r"\^\{(-?\d+)\}|\^(\d)", lambda match: (match[1] or match[2]).translate(RAISED), text)
    text = re.sub(r"\^([†*])", r"\1", text.replace("-", "−"))
    if not re.search(r"[\\_^{}]", text):
        return text
    # A bar would end the table's cell.
    kept.append(f"${math.replace('|', chr(92) + 'vert ')}$")
    return "\x00"
