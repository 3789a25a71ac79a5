"""A table as a page of HTML, for Snakemake's report and for a browser: what its Markdown says, set like the LaTeX."""

from __future__ import annotations

import html
import re

from benchmark.report.latex import SPANNED, Block, Table, remake
from benchmark.report.markdown import WORDS, plain

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
    body = [f"<p>{_text(table.caption)}</p>", *(_block(block, table) for block in table.blocks)]
    title = html.escape(f"{study}: {name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body.append(f"<p>Remade by <code>{html.escape(remake(study, name))}</code>.</p>")
    lines = [f'<!doctype html>\n<html lang="en"><head>{head}<style>\n{STYLE}</style></head><body>', *body]
    return "\n".join([*lines, "</body></html>"]) + "\n"


def _block(block: Block, table: Table) -> str:
    heads = [head if isinstance(head, tuple) else (head,) for head in block.rows.columns]
    titles = ["<br>".join(_text(part) for part in head if part) for head in heads]
    caption = f"<caption>{_text(block.heading)}</caption>" if block.heading else ""
    lines = [f"<div><table>{caption}<thead>", _row(titles, table.alignment, "col", len(titles)), "</thead><tbody>"]
    for row in block.rows.itertuples(index=False):
        cells = ["" if cell == SPANNED else _text(cell) for cell in row]
        lines.append(_row(cells, table.alignment, "row", table.left))
    return "\n".join([*lines, "</tbody></table></div>"])


def _row(cells: list[str], alignment: str, scope: str, heads: int) -> str:
    """Return a row whose first cells, so many, are headings of its ``scope``; an empty cell heads nothing."""
    inside = ""
    for place, (letter, cell) in enumerate(zip(alignment, cells, strict=True)):
        tag, told = ("th", f' scope="{scope}"') if place < heads and cell else ("td", "")
        inside += f'<{tag} class="{letter}"{told}>{cell}</{tag}>'
    return f"<tr>{inside}</tr>"


def _text(latex: str) -> str:
    """Return LaTeX text as HTML, by way of its Markdown: emphasis, escaped signs, and formulas with subscripts."""
    out: list[str] = []
    opened: set[str] = set()
    for piece in re.split(r"(\\[^A-Za-z0-9\s]|\$[^$]+\$|\*\*|\*)", plain(latex)):
        if piece in ("*", "**"):
            tag = {"*": "em", "**": "strong"}[piece]
            out.append(f"</{tag}>" if tag in opened else f"<{tag}>")
            opened ^= {tag}
        elif piece.startswith("$"):
            out.append(_formula(piece[1:-1]))
        else:
            out.append(html.escape(piece.removeprefix("\\") if len(piece) == 2 else piece, quote=False))
    return "".join(out)


def _formula(math: str) -> str:
    text = re.sub(r"\\([A-Za-z]+) ?", lambda match: WORDS.get(match[1], f"{match[1]} "), math)
    text = html.escape(text, quote=False)
    return f"<em>{re.sub(r'_(?:{([^{}]*)}|(.))', lambda match: f'<sub>{match[1] or match[2]}</sub>', text)}</em>"
