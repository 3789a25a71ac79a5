"""A table as a page of HTML, for Snakemake's report and for a browser."""

from __future__ import annotations

import html
import re

from benchmark.report.tabular import Block, Entry, Table, remake, typeset

STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; max-width: 70rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
table { border-top: 2px solid; border-bottom: 2px solid; }
caption { font-weight: 600; padding: .3rem 0; text-align: left; }
th, td { padding: .25rem .6rem; white-space: nowrap; }
thead th { border-bottom: 1px solid; vertical-align: bottom; }
tbody th { font-weight: normal; }
.l { text-align: left; } .r { text-align: right; }
code { overflow-wrap: anywhere; }
"""


def render(table: Table, study: str, name: str) -> str:
    """Return the whole ``.html`` file: the caption, a table a block, and the command that remakes it."""
    body = [f"<p>{text(table.caption)}</p>", *(_block(table, block) for block in table.blocks)]
    title = html.escape(f"{study}: {name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body.append(f"<p>Remade by <code>{html.escape(remake(study, name))}</code>.</p>")
    lines = [f'<!doctype html>\n<html lang="en"><head>{head}<style>\n{STYLE}</style></head><body>', *body]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _block(table: Table, block: Block) -> str:
    caption = f"<caption>{text(block.title)}</caption>" if block.heading else ""
    names = ["<br>".join(map(text, column.names)) for column in table.columns]
    rows = [_row(table, [_cell(entry) for entry in row]) for row in table.rows(block)]
    head = f"<div><table>{caption}<thead>\n{_row(table, names, head=True)}\n</thead><tbody>"
    return "\n".join([head, *rows, "</tbody></table></div>"])


def _row(table: Table, cells: list[str], head: bool = False) -> str:
    """Return a row; cells of the table's head, and those that name a row, are headings, unless they are empty."""
    inside = ""
    for column, cell in zip(table.columns, cells, strict=True):
        scope = f' scope="{"col" if head else "row"}"' if cell and (head or column.heads) else ""
        tag = "th" if scope else "td"
        inside += f'<{tag} class="{"l" if column.is_text else "r"}"{scope}>{cell}</{tag}>'
    return f"<tr>{inside}</tr>"


def _cell(entry: Entry) -> str:
    inside = text(entry.text)
    return (f"<strong>{inside}</strong>" if entry.bold else inside) + text(entry.after)


def text(plain: str) -> str:
    """Return plain text as HTML; a formula with subscripts in italics."""
    return typeset(plain, _escaped, _subscripts)


def _escaped(plain: str) -> str:
    return html.escape(plain, quote=False)


def _subscripts(formula: str) -> str:
    lowered = re.sub("_(.)", r"<sub>\1</sub>", _escaped(formula))
    return f"<em>{lowered}</em>" if "_" in formula else lowered
