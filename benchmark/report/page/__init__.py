"""The results page: one HTML file that needs neither a server nor the network, drawn from what is on disk."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from benchmark import files, paths
from benchmark.report.page import claim_cards as claims
from benchmark.report.page import columns as table
from benchmark.report.page import origins, pictures
from benchmark.report.page import rows as data
from benchmark.study.study import Study

HERE = Path(__file__).parent
PARTS = ("table.js", "plots.js", "curves.js", "maps.js", "start.js")  # of one script, in this order
LIBRARY = "server/static/js/bokeh.min.js"  # within the bokeh package; the package itself is never imported


def draw_page(study: Study, partial: bool = False) -> Path:
    """Write ``figures/<study>/index.html`` and return its path.

    Parameters
    ----------
    study : whose results; they have been gathered, unless ``partial``.
    partial : draw what exists, gathering it first, instead of failing.

    Raises
    ------
    StaleOutput
        If a result is missing, damaged or of another configuration, unless ``partial``.
    """
    found = data.read(study, partial)
    drawn = {"curves": data.curves(study, found), **pictures.maps(study, found, partial)}
    scripts = [_library(), _script()]
    page = (
        _environment()
        .get_template("template.html")
        .render(
            study=study,
            table=table.build(study, found),
            claims=claims.build(study, partial),
            origins=origins.build(study, found),
            drawn=drawn,
            data=_inert(drawn),
            css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
            scripts=[Markup(script) for script in scripts],
            policy=_policy(scripts),
        )
    )
    path = paths.page(study.name)
    files.write_text(path, page)
    if partial:
        files.outdate(path)
    return path


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _library() -> str:
    spec = importlib.util.find_spec("bokeh")
    assert spec and spec.origin
    return (Path(spec.origin).parent / LIBRARY).read_text(encoding="utf-8")


def _script() -> str:
    parts = [(HERE / part).read_text(encoding="utf-8") for part in PARTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])


def _inert(value: Any) -> Markup:
    """Return JSON that can stand within a script element whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _policy(scripts: list[str]) -> str:
    """Return a Content-Security-Policy that runs these scripts and nothing else, and lets nothing reach a network."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    told = {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{one}'" for one in hashes),
        "style-src": "'unsafe-inline'",  # the plotting library styles what it draws
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{key} {value}" for key, value in told.items())
