"""Figures: which function draws which kind, and writing them so that the same data gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import files, paths
from benchmark.errors import unknown
from benchmark.report.figures import ablation, curves, improvement, maps, stages
from benchmark.report.figures import computation as cost
from benchmark.report.style import RC
from benchmark.results import published
from benchmark.study.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS: dict[str, Callable[[Study, str, bool], Figure]] = {
    "improvement": improvement.build,
    "cost": cost.build,
    "stages": stages.build,
    "ablation": ablation.build,
    "maps": maps.build,
    "theory": curves.build,
}

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
    partial : draw what exists, and say what is missing where it would stand, instead of failing.
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
    kind = study.figures[name].kind
    if kind not in KINDS:
        raise unknown("kind of figure", kind, KINDS, f"{paths.study_file(study.name)}: figures.{name}.kind")
    if study.published and not replace:
        published.keep_shown(study, name)
    from matplotlib import rc_context

    with rc_context(RC):
        figure = KINDS[kind](study, name, partial)
        out = []
        for suffix, metadata in METADATA.items():
            path = paths.figure(study.name, name, suffix)
            with files.replacing(path) as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=metadata)
            if partial:
                files.outdate(path)  # as a partial table
            out.append(path)
    return out
