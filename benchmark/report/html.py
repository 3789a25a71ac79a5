"""A table as a page of HTML, for Snakemake's report and for a browser."""

from __future__ import annotations

import html
import re
from functools import partial

from benchmark.report.tabular import Table, remake, typeset
from benchmark.report.templates import template


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.html`` file: the caption, one table per block, and the command that remakes it."""
    return template("table.html", text).render(table=table, title=f"{study}: {name}", command=remake(study, name))


_escaped = partial(html.escape, quote=False)


def text(plain: str) -> str:
    """Return plain text as HTML; a formula with subscripts in italics."""
    return typeset(plain, _escaped, _subscripts)


def _subscripts(formula: str) -> str:
    lowered = re.sub("_(.)", r"<sub>\1</sub>", _escaped(formula))
    return f"<em>{lowered}</em>" if "_" in formula else lowered
