"""Tables: which function draws which kind, and writing what it drew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark import files, paths
from benchmark.errors import unknown
from benchmark.report import html, latex, markdown
from benchmark.report.tables import (
    claim_table,
    distances,
    effort,
    hyperparameters,
    power,
    predictions,
    theorem,
    tuned,
    unlearning,
    versus,
)
from benchmark.report.tables.source import Source
from benchmark.report.tabular import Table
from benchmark.results import frames, published
from benchmark.study.study import Study

KINDS: dict[str, Callable[[Source], Table]] = {
    "unlearning": unlearning.build,
    "predictions": predictions.build,
    "distances": distances.build,
    "hyperparameters": hyperparameters.build,
    "theory": theorem.build,
    "claims": claim_table.build,
    "verdicts": claim_table.build_counts,
    "tuning": tuned.build,
    "power": power.build,
    "effort": effort.build,
}


def draw_table(study: Study, name: str, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write a table of a study as ``paper_tables/<study>/<name>.tex``, ``.csv``, ``.md``, ``.html``; return the paths.

    The ``.tex`` is a whole ``table`` environment, needing booktabs and graphicx; the ``.csv`` holds its numbers at full
    precision; the ``.md`` is for reading on GitHub, the ``.html`` for a browser and Snakemake's report.

    Parameters
    ----------
    name : one of the study's tables, or of `benchmark.study.study.Study.compared`.
    partial : write ``<name>.partial.tex`` and so on, with dashes for what is missing or out of date, instead of
        failing: a whole table is never replaced by a partial one.
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
    results = frames.of_output(study, name, partial)
    if study.kind_of(name).gathered and not partial:
        frames.require(study, results.metrics)
    if study.published and not replace:
        published.keep_shown(study, name, results)
    table = (versus.build if name in study.compared else KINDS[kind])(Source.of(study, name, results))
    written = {
        ".tex": latex.render(table, study.name, name),
        ".csv": table.data.to_csv(index=False, lineterminator="\n"),
        ".md": markdown.render(table, study.name, name),
        ".html": html.render(table, study.name, name),
    }
    for suffix, text in written.items():
        files.write_text(paths.table(study.name, name + paths.PARTIAL * partial, suffix), text)
    return [paths.table(study.name, name + paths.PARTIAL * partial, suffix) for suffix in written]
