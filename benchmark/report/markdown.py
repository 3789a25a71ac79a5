"""A table as Markdown, for reading on GitHub."""

from __future__ import annotations

import re

from benchmark import paths
from benchmark.report.latex import math
from benchmark.report.tabular import Block, Entry, Table, remake, typeset


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.md`` file: the caption in one line, a pipe table a block, and the command that remakes it."""
    parts = [text(table.caption)]
    for block in table.blocks:
        parts += [*([f"**{text(block.title)}**"] if block.heading else []), _pipes(table, block)]
    source = f"Remade by `{remake(study, name)}`; its numbers at full precision: `{paths.table(study, name, '.csv')}`."
    return "\n\n".join([*parts, source]) + "\n"


def _pipes(table: Table, block: Block) -> str:
    lines = [[": ".join(map(text, column.names)) for column in table.columns]]
    lines.append([":--" if column.is_text else "--:" for column in table.columns])
    lines += [[_cell(entry) for entry in row] for row in table.rows(block)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(entry: Entry) -> str:
    inside = text(entry.text)
    return (f"**{inside}**" if entry.bold else inside) + text(entry.after)


def text(plain: str) -> str:
    """Return plain text as Markdown; a formula with subscripts between dollar signs, which GitHub typesets."""
    return typeset(plain, _escaped, lambda formula: f"${math(formula)}$" if "_" in formula else _escaped(formula))


def _escaped(plain: str) -> str:
    return re.sub(r"[\\|*_<>`~\[\]$]", r"\\\g<0>", plain)
