"""Drawing of tables and figures: ``<kind>_table`` or ``<kind>_figure`` builds one, and this module writes it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmark import files, paths
from benchmark.errors import BadInput, unknown
from benchmark.report import html, latex, markdown
from benchmark.report.source import Source
from benchmark.report.style import RC, use
from benchmark.report.tabular import Table
from benchmark.results import frames, published
from benchmark.study.study import Study

# Without the time of drawing and the version of the library, equal results give equal bytes.
METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
}


def draw_table(study: Study, name: str, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write a table of a study as ``paper_tables/<study>/<name>.tex``, ``.csv``, ``.md``, ``.html``; return the paths.

    The ``.tex`` is a whole ``table`` environment that needs booktabs, tabularx and amssymb; the ``.csv`` holds its
    numbers at full precision; the ``.md`` is for reading on GitHub, the ``.html`` for a browser and Snakemake's report.
    Raises `BadInput` if the study has no such table, or has published other results, and `StaleOutput` if a result that
    the table shows is missing, damaged or of another configuration.

    Parameters
    ----------
    name : one of the study's tables, or of `benchmark.study.study.Study.versus_tables`.
    partial : write ``<name>.partial.tex`` and so on, with dashes for what is missing or out of date, instead of
        failing: a partial file never replaces a complete one.
    replace : whether it may show results other than those the study has published.
    """
    contents = texts(study, name, partial, replace)
    for path, text in contents.items():
        files.write_text(path, text)
    return list(contents)


def texts(study: Study, name: str, partial: bool = False, replace: bool = False) -> dict[Path, str]:
    """Return the text of each file that `draw_table` writes."""
    table: Table = build(_source(study, "table", name, study.tables | study.versus_tables, partial, replace))
    by_suffix = {
        ".tex": latex.render(table, study.name, name, partial),
        ".csv": table.data.to_csv(index=False, lineterminator="\n"),
        ".md": markdown.render(table, study.name, name, partial),
        ".html": html.render(table, study.name, name, partial),
    }
    stem = name + paths.PARTIAL * partial
    return {paths.table(study.name, stem, suffix): text for suffix, text in by_suffix.items()}


def draw_figure(study: Study, name: str, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write a figure of a study as ``figures/<study>/<name>.pdf`` and ``.png`` (200 dpi); return both paths.

    Parameters and errors are those of `draw_table`.
    """
    from matplotlib import rc_context

    source = _source(study, "figure", name, study.figures, partial, replace)
    suffixes = {paths.figure(study.name, name + paths.PARTIAL * partial, suffix): suffix for suffix in METADATA}
    with rc_context(RC):
        figure = build(source)
        for path, suffix in suffixes.items():
            with files.replacing(path) as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=METADATA[suffix])
    return list(suffixes)


def build(source: Source) -> Any:
    """Return the table or the matplotlib figure, built by the module of its kind."""
    section = source.study.section_of(source.name)
    kind = "versus" if source.name in source.study.versus_tables else source.output.kind
    return import_module(f"benchmark.report.{section}.{kind}_{section.removesuffix('s')}").build(source)


def _source(study: Study, noun: str, name: str, accepted: Iterable[str], partial: bool, replace: bool) -> Source:
    if name not in accepted and name in study.outputs:
        other = study.section_of(name).removesuffix("s")
        remedy = f"'python -m benchmark {other} {study.name} {name}' draws it"
        raise BadInput(f"{study.file}: {name!r} is a {other}, not a {noun}: {remedy}")
    if name not in accepted:
        raise unknown(noun, name, accepted, study.file)
    use(study)
    results = frames.of_output(study, name, partial)
    if study.kind_of(name).from_gathered and not partial:
        frames.require_all_runs(study, results.metrics)
    if study.kind_of(name).shows_results:
        frames.require_one_code(results)
    if study.published and not (replace or partial):  # partial files replace nothing
        published.check_shown(study, name, results)
    return Source.of(study, name, results)
