"""The results page: one HTML file that needs neither server nor network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from benchmark import files, paths
from benchmark.errors import StaleOutput
from benchmark.metrics.evidence import cells_in
from benchmark.metrics.samples import METRICS
from benchmark.report import html
from benchmark.report.page import claim_cards, compare, curves, maps, origins, table
from benchmark.report.style import use
from benchmark.report.tabular import remake
from benchmark.report.templates import template
from benchmark.results import frames
from benchmark.study.study import Study

HERE = Path(__file__).parent
# Joined into one script, in this order.
PARTS = ("shared", "table", "address", "plots", "curves", "maps", "tradeoff", "compare", "start")
LIBRARY = "bokeh/server/static/js/bokeh.min.js"  # a file of the bokeh package, which is never imported


def draw_page(study: Study, partial: bool = False, images: bool = True) -> Path:
    """Write ``figures/<study>/index.html`` of a study's gathered results and return its path.

    Predictions and images beside the maps are included if runs and data are on disk. With ``partial``, write
    ``index.partial.html`` from the runs on disk instead of raising `StaleOutput` for what is missing, damaged or of
    another configuration. Without ``images``, write ``index.without-images.html``, publishable where images are not.
    """
    use(study)
    results = frames.of_study(study, partial=True) if partial else frames.gathered(study)
    if results.metrics.empty:
        raise StaleOutput(f"study {study.name}: no run has finished: there is nothing to show yet")
    if not partial:
        frames.require_all_runs(study, results.metrics)
    frames.require_one_code(results)
    cells = cells_in(results.metrics)
    library = Path(str(distribution("bokeh").locate_file(LIBRARY))).read_text(encoding="utf-8")
    scripts = [library, joined(HERE / f"{part}.js" for part in PARTS)]
    page = template("page.html", html.text).render(
        study=study,
        metrics=METRICS,
        table=table.build(results, cells),
        claims=claim_cards.build(study, partial),
        origins=origins.build(results, cells) | {"remake": _command(study, partial, images)},
        drawn={
            "curves": curves.build(results, cells),
            "compared": compare.build(results, cells),
            **maps.build(results, cells, partial, images),
        },
        css=(HERE / "page.css").read_text(encoding="utf-8"),
        scripts=scripts,
        hashes=[digest(script) for script in scripts],
    )
    path = paths.page(study.name, partial, images)
    files.write_text(path, page.rstrip())
    return path


def _command(study: Study, partial: bool, images: bool) -> str:
    """Return the command that makes the page: the workflow, if it is the page of all results."""
    options = " --partial" * partial + " --without-images" * (not images)
    return f"python -m benchmark page {study.name}{options}" if options else remake(study.name, "page")


def joined(parts: Iterable[Path]) -> str:
    """Return script files joined into one script, whose names no other script sees."""
    return "\n".join(['"use strict";', "(() => {", *(part.read_text(encoding="utf-8") for part in parts), "})();"])


def digest(script: str) -> str:
    """Return the hash by which a page's Content-Security-Policy allows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
