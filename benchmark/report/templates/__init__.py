"""Templates of tables, in every format, and of pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from benchmark.report.tabular import number

FOLDERS = (Path(__file__).parent, *(Path(__file__).parents[1] / name for name in ("page", "overview")))
# LaTeX has braces of its own.
DELIMITERS = {"block": ("<%", "%>"), "variable": ("<<", ">>"), "comment": ("<#", "#>")}


def template(name: str, text: Callable[[str], str]) -> jinja2.Template:
    """Return a template by its file's name; HTML templates escape what they print.

    Its filter ``typeset`` is ``text``, which formats plain text, and ``number`` formats numbers as tables do.
    """
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    if name.endswith(".tex"):
        for delimiter, (start, end) in DELIMITERS.items():
            options |= {f"{delimiter}_start_string": start, f"{delimiter}_end_string": end}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDERS),
        undefined=jinja2.StrictUndefined,
        autoescape=name.endswith(".html"),
        **options,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"typeset": lambda plain: Markup(text(plain)), "number": number}
    return environment.get_template(name)
