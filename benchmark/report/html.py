"""Tables as pages of HTML, for Snakemake's report and for a browser, and the templates that HTML is made with."""

from __future__ import annotations

import html
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from benchmark.report.tabular import Table, number, remake, typeset


def template(name: str) -> jinja2.Template:
    """Return a template by its path below this folder; it escapes what it prints and has filters for texts and numbers of tables."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"typeset": lambda plain: Markup(text(plain)), "number": number}
    return environment.get_template(name)


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.html`` file: the caption, a table a block, and the command that remakes it."""
    page = template("table.html").render(table=table, title=f"{study}: {name}", command=remake(study, name))
    return page + "\n"


def text(plain: str) -> str:
    """Return plain text as HTML; a formula with subscripts in italics."""
    return typeset(plain, _escaped, _subscripts)


def _escaped(plain: str) -> str:
    return html.escape(plain, quote=False)


def _subscripts(formula: str) -> str:
    lowered = re.sub("_(.)", r"<sub>\1</sub>", _escaped(formula))
    return f"<em>{lowered}</em>" if "_" in formula else lowered
