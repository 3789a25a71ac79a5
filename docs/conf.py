"""The manual: pages in Markdown, tables generated from the code, the API from its docstrings.

``sphinx-build -W --keep-going -b html docs build/docs`` builds it, from the repository's root.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import reference  # noqa: E402

from benchmark import __version__  # noqa: E402

project = "A benchmark for machine unlearning"
version = release = __version__
language = "en"
html_title = f"{project} {release}"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # annotations name classes that several modules define

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# The API is for those who extend the project or read its results; these rooms are for those who work on it.
INNER_ROOMS = ["commands", "tune", "workflow", "report/figures", "report/overview", "report/page", "report/templates"]
apidoc_modules = [
    {
        "path": str(ROOT / "benchmark"),
        "destination": "api",
        "separate_modules": False,
        "module_first": True,
        "max_depth": 2,
        "include_private": False,
        "exclude_patterns": [str(ROOT / "benchmark" / room) for room in INNER_ROOMS],
    }
]
autodoc_default_options = {"members": True}
toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 100
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Class attributes", "params_style"), "Result"]


def fill(app: Any, name: str, source: list[str]) -> None:
    """Insert generated Markdown where a page says ``<!-- generated: NAME -->``."""
    source[0] = reference.filled(source[0])


def plain_link(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Turn a link of the README to a file that the manual does not contain into plain text."""
    target = node.get("reftarget", "").split("#")[0]
    if node.get("reftype") == "myst" and target and (ROOT / target).exists():
        return contnode
    return None


def describe(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Read ``name : text`` as a name and its meaning, and the section ``Returns`` as text.

    numpy's style has types in both places; ours has them in annotations.
    """
    section, described = "", []
    for number, line in enumerate(lines):
        line = line if "``" in line else line.replace("|", r"\|")  # |N| is a size here, not a substitution
        if re.fullmatch(r"-{3,}", "".join(lines[number + 1 : number + 2])):
            section = line
        entry = re.fullmatch(r"(\w[\w, ]*?) : (.+)", line)
        if section in ("Parameters", "Attributes", "Class attributes") and entry:
            described += [entry[1], f"    {entry[2]}"]
        else:
            described.append("Result" if line == section == "Returns" else line)
    lines[:] = described


def setup(app: Any) -> None:
    """Connect the functions above to Sphinx's events."""
    app.connect("source-read", fill)
    app.connect("missing-reference", plain_link)
    app.connect("autodoc-process-docstring", describe, priority=400)  # before napoleon
