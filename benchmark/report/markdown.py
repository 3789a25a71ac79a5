"""A table as Markdown, for reading on GitHub."""

from __future__ import annotations

import re

from benchmark import paths
from benchmark.report.latex import math
from benchmark.report.tabular import Table, remake, typeset
from benchmark.report.templates import template


def render(table: Table, study: str, name: str, partial: bool = False) -> str:
    """Return the whole ``.md`` file: the caption in one line, one pipe table per block, the command to remake it."""
    data = paths.table(study, name + paths.PARTIAL * partial, ".csv")
    return template("table.md", text).render(table=table, command=remake(study, name, partial), data=data)


def text(plain: str) -> str:
    """Return plain text as Markdown; a formula with subscripts between dollar signs, which GitHub typesets."""
    return typeset(plain, _escaped, lambda formula: f"${math(formula)}$" if "_" in formula else _escaped(formula))


def _escaped(plain: str) -> str:
    return re.sub(r"[\\|*_<>`~\[\]$]|&(?=#?\w+;)", r"\\\g<0>", plain)
