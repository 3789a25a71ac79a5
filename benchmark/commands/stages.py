"""The stages that Snakemake calls, each of which also runs alone; its code is imported when it runs, not before."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.app import (
    TERMINATED,
    Dataset,
    OutputName,
    Partial,
    Replace,
    RunText,
    StudyName,
    WithoutImages,
    app,
    argument,
    flag,
    read,
)
from benchmark.files import repairing

if TYPE_CHECKING:
    from benchmark.study.study import Study


@app.command()
def prepare(study: StudyName, dataset: Dataset) -> None:
    """Read a dataset and store it as arrays in data/."""
    from benchmark.study.prepare import prepare

    print(prepare(read(study), dataset))


@app.command()
def split(
    study: StudyName,
    dataset: Dataset,
    scenario: Annotated[str, argument("what is forgotten, such as random-10 or class-truck", "SCENARIO")],
    trial: Annotated[int, argument("the trial; 0 unless the study resamples splits", "TRIAL")] = 0,
) -> None:
    """Draw the forget data of a scenario. It is stored in results/splits/."""
    from benchmark.study.prepare import split

    with repairing():
        print(split(read(study), dataset, scenario, trial))


@app.command()
def run(
    study: StudyName,
    name: RunText,
    planned: Annotated[
        str | None, typer.Option(metavar="FINGERPRINT", help="fail unless the run has this fingerprint")
    ] = None,
    again: Annotated[bool, flag("--again", "train it even if it is finished")] = False,
    weights: Annotated[bool, flag("--weights", "train it again if its weights are missing")] = False,
) -> None:
    """Train and evaluate one run, unless it is finished.

    On SIGTERM or Ctrl-C the run saves its state. The same command continues it.
    """
    from benchmark.training.job import run
    from benchmark.training.loop import Interrupted

    command = shlex.join(["python", "-m", "benchmark", "run", study, name])
    try:
        with repairing():
            status = run(read(study), name, command, planned, again, weights)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        raise typer.Exit(TERMINATED) from None
    print(status)


@app.command()
def embed(
    study: StudyName,
    what: Annotated[str, argument("maps, distances, views or relearning", "WHAT")],
    name: Annotated[str, argument("a run whose weights are kept", "RUN")],
    scenario: Annotated[str, argument("the scenario whose forget samples are marked", "SCENARIO")],
) -> None:
    """Compute maps, distances, views or relearning of a run.

    maps: t-SNE and UMAP of features. distances: from forget samples to the centroids of classes. views: distances
    between pairs of augmented views. relearning: how soon training on all images brings back what was forgotten.
    """
    from benchmark.features.embed import embed

    with repairing():
        print(embed(read(study), what, name, scenario))


@app.command()
def collect(study: StudyName, partial: Partial = False, replace: Replace = False) -> None:
    """Gather all runs of a study in results/STUDY-NAME.parquet."""
    from benchmark.results.gather import collect

    _draw(study, "collected", lambda whole: collect(whole, partial, replace), partial)


@app.command()
def table(study: StudyName, name: OutputName, partial: Partial = False, replace: Replace = False) -> None:
    """Write a table. Its files are paper_tables/STUDY/NAME.tex, .csv, .md and .html."""
    from benchmark.report.draw import draw_table

    _draw(study, name, lambda whole: draw_table(whole, name, partial, replace), partial)


@app.command()
def figure(study: StudyName, name: OutputName, partial: Partial = False, replace: Replace = False) -> None:
    """Draw a figure. Its files are figures/STUDY/NAME.pdf and .png."""
    from benchmark.report.draw import draw_figure

    _draw(study, name, lambda whole: draw_figure(whole, name, partial, replace), partial)


@app.command()
def page(
    study: StudyName,
    partial: Partial = False,
    without_images: WithoutImages = False,
) -> None:
    """Write the page of results. It is one file, figures/STUDY/index.html, and needs no server and no network."""
    from benchmark.report.page import draw_page

    # The workflow's page has images: one without them is an extra, and leaves no receipt.
    _draw(study, "page", lambda whole: [draw_page(whole, partial, not without_images)], partial or without_images)


def _draw(study: str, name: str, draw: Callable[[Study], list[Path]], partial: bool) -> None:
    """Draw something and print its files; what is whole gets a receipt, which the workflow goes by."""
    from benchmark.workflow.receipts import renewed

    whole = read(study)
    fingerprint = whole.fingerprint if name in ("collected", "page") else whole.output_fingerprint(name)
    receipt: AbstractContextManager[list[Path]] = nullcontext([]) if partial else renewed(study, name, fingerprint)
    with repairing(), receipt as files:
        files += draw(whole)
    print(*files, sep="\n")
