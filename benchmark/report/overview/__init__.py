"""The page over all studies: methods ranked by weights that the reader chooses, and single forget images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark import files, paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.report import html
from benchmark.report.overview import cells, forgotten
from benchmark.report.page import digest, joined
from benchmark.report.style import use
from benchmark.report.templates import template
from benchmark.results import frames
from benchmark.study.study import Study

HERE = Path(__file__).parent
PAGE = HERE.with_name("page")
# Joined into one script, in this order.
PARTS = (PAGE / "shared.js", PAGE / "address.js", HERE / "overview.js", HERE / "forgotten.js")


def draw_overview(names: Iterable[str], images: bool = True) -> Path:
    """Write ``figures/index.html`` of the studies whose results are gathered, and return its path.

    Without ``images``, write ``index.without-images.html``, publishable where images are not. A study that cannot be
    read, or lacks a gathered file, is left out, with a line on the terminal. Raises `StaleOutput` if none has results.
    """
    entries: list[dict[str, Any]] = []
    galleries: list[dict[str, Any]] = []
    remarks: dict[str, str] = {}
    for name in names:
        if not paths.gathered(name, "metrics").is_file():
            continue
        try:
            study = Study.load(name)
            use(study)
            results = frames.gathered(study)
            shown = [(entry, forgotten.build(results, cell, images)) for cell, entry in cells.build(results)]
        except (BadInput, StaleOutput) as error:
            print(f"study {name} is left out: {error}")
            continue
        if remark := frames.lacking(study, frames.gathered_frame(name, "metrics")):
            remarks[name] = remark
        for entry, gallery in shown:
            entries.append(entry | {"images": len(galleries) if gallery else None})
            galleries += [gallery] if gallery else []
    if not entries:
        raise StaleOutput("no study has gathered results: 'snakemake --cores 8 all' makes those of quick")
    script = joined(PARTS)
    page = template("overview.html", html.text).render(
        criteria=cells.CRITERIA,
        drawn={"criteria": cells.CRITERIA, "cells": entries, "images": galleries},
        studies=dict.fromkeys(entry["study"] for entry in entries),
        remarks=remarks,
        page=paths.page("", images).name,
        css=(PAGE / "page.css").read_text(encoding="utf-8"),
        script=script,
        digest=digest(script),
    )
    path = paths.overview(images)
    files.write_text(path, page.rstrip())
    return path
