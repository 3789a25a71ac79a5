"""Tables: which function draws which kind, and writing what it drew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark import files, paths
from benchmark.errors import unknown
from benchmark.report import html, markdown
from benchmark.report.latex import Table, render
from benchmark.report.tables import claim_table as claims
from benchmark.report.tables import distances, effort, hyperparameters, power, predictions, unlearning, versus
from benchmark.report.tables import theorem as theory
from benchmark.report.tables import tuned as tuning
from benchmark.results import published
from benchmark.study.study import Study

KINDS: dict[str, Callable[[Study, str, bool], Table]] = {
    "unlearning": unlearning.build,
    "predictions": predictions.build,
    "distances": distances.build,
    "hyperparameters": hyperparameters.build,
    "theory": theory.build,
    "claims": claims.build,
    "verdicts": claims.build_counts,
    "tuning": tuning.build,
    "power": power.build,
    "effort": effort.build,
}


def draw_table(study: Study, name: str, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write a table of a study as ``paper_tables/<study>/<name>.tex``, ``.csv``, ``.md``, ``.html``; return the paths.

    The ``.tex`` is a whole ``table`` environment, needing booktabs and graphicx; the ``.csv`` holds its numbers at full
    precision; the ``.md`` is the ``.tex`` for reading on GitHub, the ``.html`` in a browser and in Snakemake's report.

    Parameters
    ----------
    study : the study.
    name : which of its tables, or one of `benchmark.study.study.Study.compared`.
    partial : draw what exists, with dashes for what is missing or out of date, instead of failing.
    replace : whether it may show other results than the study has published.

    Raises
    ------
    BadInput
        If the study has no such table, or has published other results, unless ``replace``.
    StaleOutput
        If a run that the table shows is missing, damaged or of another configuration, unless ``partial``.
    """
    tables = study.tables | study.compared
    if name not in tables:
        raise unknown("table", name, tables, str(paths.study_file(study.name)))
    kind = tables[name].kind
    if kind not in KINDS:
        raise unknown("kind of table", kind, KINDS, f"{paths.study_file(study.name)}: tables.{name}.kind")
    if study.published and not replace:
        published.keep_shown(study, name)
    table = (versus.build if name in study.compared else KINDS[kind])(study, name, partial)
    written = {
        ".tex": render(table, study.name, name),
        ".csv": table.data.to_csv(index=False, lineterminator="\n"),
        ".md": markdown.render(table, study.name, name),
        ".html": html.render(table, study.name, name),
    }
    out = [paths.table(study.name, name, suffix) for suffix in written]
    for path, text in zip(out, written.values(), strict=True):
        files.write_text(path, text)
        if partial:
            files.outdate(path)  # what it lacks is to be seen in it as soon as the workflow is asked for it
    return out
