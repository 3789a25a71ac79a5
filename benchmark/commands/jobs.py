"""The jobs that Snakemake runs. Each command also works by itself, and imports its code only when it runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.app import TERMINATED, StudyName, WithoutImages, app, argument, complete_output, flag, read
from benchmark.files import repairing

if TYPE_CHECKING:
    from benchmark.study.study import Study

Dataset = Annotated[str, argument("a dataset of the study", "DATASET")]
TableName = Annotated[str, argument("its name in the study, such as table2", "NAME", complete_output)]
FigureName = Annotated[str, argument("its name in the study, such as figure5", "NAME", complete_output)]
Partial = Annotated[bool, flag("--partial", "use the runs finished so far, and write NAME.partial files")]
Replace = Annotated[bool, flag("--replace", "replace published results that differ")]


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
    name: Annotated[str, argument("the run, such as digits/convnet/random-10/coun/trial-0", "RUN")],
    planned: Annotated[
        str | None, typer.Option(metavar="FINGERPRINT", help="fail unless the run has this fingerprint")
    ] = None,
    again: Annotated[bool, flag("--again", "train the run even if it is finished")] = False,
    weights: Annotated[bool, flag("--weights", "train the run again if its weights are missing")] = False,
) -> None:
    """Train and evaluate one run, unless it is finished.

    On SIGTERM or Ctrl-C the run saves its state. The same command continues it.
    """
    from benchmark.stamp import code, package_commit

    code()  # now, like what follows: after a wait for a lock or a card, the code on disk may have changed
    package_commit()

    from benchmark.registry import ARCHITECTURES
    from benchmark.study.plugins import stamp_with
    from benchmark.training.job import run
    from benchmark.training.loop import Interrupted

    command = shlex.join(["python", "-m", "benchmark", "run", study, name])
    loaded = read(study)
    stamp_with(*loaded.plugins)
    ARCHITECTURES.get(loaded.run(name).name.arch)
    try:
        with repairing():
            status = run(loaded, name, command, planned, again, weights)
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        raise typer.Exit(TERMINATED) from None
    print(status)


@app.command()
def embed(
    study: StudyName,
    kind: Annotated[str, argument("maps, distances, views or relearning", "KIND")],
    name: Annotated[str, argument("a run whose weights are kept", "RUN")],
    scenario: Annotated[str, argument("the scenario whose forget samples are marked", "SCENARIO")],
) -> None:
    """Compute maps, distances, views or relearning of a run.

    maps: t-SNE and UMAP of the features. distances: from forget samples to class centroids. views: distances between
    pairs of augmented views. relearning: how soon training on all images brings back what was forgotten.
    """
    from benchmark.features.embed import embed

    with repairing():
        print(embed(read(study), kind, name, scenario))


@app.command()
def collect(study: StudyName, partial: Partial = False, replace: Replace = False) -> None:
    """Gather all runs of a study in results/STUDY-NAME.parquet."""
    from benchmark.results.gather import collect

    _draw(study, "collected", lambda loaded: collect(loaded, partial, replace), partial)


@app.command()
def table(study: StudyName, name: TableName, partial: Partial = False, replace: Replace = False) -> None:
    """Write a table. Its files are paper_tables/STUDY/NAME.tex, .csv, .md and .html."""
    from benchmark.report.draw import draw_table

    _draw(study, name, lambda loaded: draw_table(loaded, name, partial, replace), partial)


@app.command()
def figure(study: StudyName, name: FigureName, partial: Partial = False, replace: Replace = False) -> None:
    """Draw a figure. Its files are figures/STUDY/NAME.pdf and .png."""
    from benchmark.report.draw import draw_figure

    _draw(study, name, lambda loaded: draw_figure(loaded, name, partial, replace), partial)


@app.command()
def page(study: StudyName, partial: Partial = False, without_images: WithoutImages = False) -> None:
    """Write the page of results. It is one file, figures/STUDY/index.html, and needs neither server nor network."""
    from benchmark.report.page import draw_page

    # The workflow's page has images. A page without them is an extra, and leaves no receipt.
    _draw(study, "page", lambda loaded: [draw_page(loaded, partial, not without_images)], partial or without_images)


def _draw(name: str, output: str, draw: Callable[[Study], list[Path]], partial: bool) -> None:
    """Draw an output and print its files; unless it is partial, leave the receipt by which the workflow knows it."""
    from benchmark.workflow.receipts import renewed, results_of

    study = read(name)
    receipt: AbstractContextManager[list[Path]] = (
        nullcontext([]) if partial else renewed(study.receipt(output), results_of(study, output))
    )
    with repairing(), receipt as files:
        files += draw(study)
    print(*files, sep="\n")
