"""Writing figures, such that equal results give equal bytes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmark import files, paths
from benchmark.errors import unknown
from benchmark.report.style import RC
from benchmark.report.tables.source import Source
from benchmark.results import frames, published
from benchmark.study.study import Study

# What would otherwise hold the time of drawing or the version of the library.
METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".png": {"Software": None},
}


def draw_figure(study: Study, name: str, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write a figure of a study as ``figures/<study>/<name>.pdf`` and ``.png`` (200 dpi); return both paths.

    Parameters
    ----------
    study : the study.
    name : which of its figures.
    partial : write ``<name>.partial.pdf`` and ``.png``, which say what is missing where it would stand, instead of
        failing: a whole figure is never replaced by a partial one.
    replace : whether it may show other results than the study has published.

    Raises
    ------
    BadInput
        If the study has no such figure, or has published other results, unless ``replace``.
    StaleOutput
        If a result that the figure shows is missing, damaged or of another configuration, unless ``partial``.
    """
    if name not in study.figures:
        raise unknown("figure", name, study.figures, str(paths.study_file(study.name)))
    results = frames.of_output(study, name, partial)
    if study.published and not replace:
        published.keep_shown(study, name, results)
    with rc_context(RC):
        figure = build(Source.of(study, name, results))
        for suffix, metadata in METADATA.items():
            with files.replacing(paths.figure(study.name, name + paths.PARTIAL * partial, suffix)) as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=metadata)
    return [paths.figure(study.name, name + paths.PARTIAL * partial, suffix) for suffix in METADATA]


def build(source: Source) -> Figure:
    """Return a figure, drawn by the module ``<kind>_figure`` of this package; what the results lack is left out."""
    module = import_module(f"{__package__}.{source.output.kind}_figure")
    figure: Figure = module.build(source)
    return figure
