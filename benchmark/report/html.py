"""A table as a page of HTML, for Snakemake's report and for a browser."""

from __future__ import annotations

import functools
import html
import re

from benchmark.report.tabular import Table, remake, typeset
from benchmark.report.templates import template


def render(table: Table, study: str, name: str, partial: bool = False) -> str:
    """Return the whole ``.html`` file: the caption, one table per block, and the command that remakes it."""
    command = remake(study, name, partial)
    return template("table.html", text).render(table=table, title=f"{study}: {name}", command=command)


_escaped = functools.partial(html.escape, quote=False)


def text(plain: str) -> str:
    """Return plain text as HTML; a formula with subscripts in italics."""
    return typeset(plain, _escaped, _subscripts)


def _subscripts(formula: str) -> str:
    lowered = re.sub("_(.)", r"<sub>\1</sub>", _escaped(formula))
    return f"<em>{lowered}</em>" if "_" in formula else lowered
