"""The command line, ``python -m benchmark``. A stage's code is imported when the stage runs, not before."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.errors import BadInput
from benchmark.files import repairing

if TYPE_CHECKING:
    from benchmark.study.study import Study

app = typer.Typer(
    help="Compare machine unlearning methods against Retrain. Snakemake calls these stages; each also runs alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _argument(text: str, metavar: str | None = None) -> Any:
    return typer.Argument(help=text, metavar=metavar)


def _flag(name: str, text: str) -> Any:
    return typer.Option(name, help=text)


StudyName = Annotated[str, _argument("a study: the name of a file config/STUDY.yaml", "STUDY")]
Dataset = Annotated[str, _argument("a dataset of the study")]
RunText = Annotated[str, _argument("such as digits/convnet/random-10/coun/trial-0")]
OutputName = Annotated[str, _argument("such as table2 or figure4")]
Partial = Annotated[bool, _flag("--partial", "draw what exists, beside the whole and never in its place")]
Replace = Annotated[bool, _flag("--replace", "replace published results by other ones")]
TERMINATED = 143  # 128 + SIGTERM
BETWEEN_COLLECTIONS = 100_000  # new objects between two looks for garbage: an import brings many


@app.command()
def prepare(study: StudyName, dataset: Dataset) -> None:
    """Read a dataset from its source and store it as arrays under data/."""
    from benchmark.study.prepare import prepare

    print(prepare(_study(study), dataset))


@app.command()
def split(
    study: StudyName,
    dataset: Dataset,
    scenario: Annotated[str, _argument("such as random-10 or class-truck")],
    trial: Annotated[int, _argument("which draw; 0 unless the study draws splits anew per trial")] = 0,
) -> None:
    """Draw what a scenario forgets and write it to results/splits/."""
    from benchmark.study.prepare import split

    with repairing():
        print(split(_study(study), dataset, scenario, trial))


@app.command()
def run(
    study: StudyName,
    name: RunText,
    planned: Annotated[str | None, typer.Option(metavar="FINGERPRINT", help="refuse any other configuration")] = None,
    again: Annotated[bool, _flag("--again", "train it although it is finished")] = False,
    weights: Annotated[bool, _flag("--weights", "train it for its weights, if they are missing")] = False,
) -> None:
    """Train and evaluate one run, unless it is finished.

    Stopped by SIGTERM or SIGINT it saves its state, and goes on when called again.
    """
    from benchmark.training.job import run
    from benchmark.training.loop import Interrupted

    command = shlex.join(["python", "-m", "benchmark", "run", study, name])
    try:
        with repairing():
            status = run(_study(study), name, command, planned, again, weights)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        raise typer.Exit(TERMINATED) from None
    print(status)


@app.command()
def embed(
    study: StudyName,
    what: Annotated[str, _argument("maps, distances or views")],
    name: Annotated[str, _argument("a run whose weights are kept")],
    scenario: Annotated[str, _argument("whose forget samples are marked")],
) -> None:
    """Look at the features of a run's model: t-SNE and UMAP maps, distances between classes, or pairs of views."""
    from benchmark.features.embed import embed

    with repairing():
        print(embed(_study(study), what, name, scenario))


@app.command()
def collect(study: StudyName, partial: Partial = False, replace: Replace = False) -> None:
    """Gather all runs into results/STUDY-{metrics,history,predictions,embeddings,distances,views}.parquet."""
    from benchmark.results.gather import collect

    _draw(study, "collected", lambda read: collect(read, partial, replace), partial)


@app.command()
def table(study: StudyName, name: OutputName, partial: Partial = False, replace: Replace = False) -> None:
    """Draw a table as paper_tables/STUDY/NAME.tex, .csv, .md and .html, with --partial as NAME.partial.tex etc."""
    from benchmark.report.draw import draw_table

    _draw(study, name, lambda read: draw_table(read, name, partial, replace), partial)


@app.command()
def figure(study: StudyName, name: OutputName, partial: Partial = False, replace: Replace = False) -> None:
    """Draw a figure as figures/STUDY/NAME.pdf and .png, with --partial as NAME.partial.pdf and .png."""
    from benchmark.report.draw import draw_figure

    _draw(study, name, lambda read: draw_figure(read, name, partial, replace), partial)


@app.command()
def page(
    study: StudyName,
    partial: Partial = False,
    without_images: Annotated[bool, _flag("--without-images", "leave images out: index.without-images.html")] = False,
) -> None:
    """Draw the page of all results as figures/STUDY/index.html; it opens without a server and without a network."""
    from benchmark.report.page import draw_page

    # The workflow's page has images: one without them is an extra, and leaves no receipt.
    _draw(study, "page", lambda read: [draw_page(read, partial, not without_images)], partial or without_images)


@app.command()
def status(
    study: Annotated[str, _argument("a study", "STUDY")] = "quick",
    watch: Annotated[bool, _flag("--watch", "go on saying so, in place, until the study is done")] = False,
    seconds: Annotated[float, typer.Argument(min=0.1, help="with --watch: between two looks")] = 2.0,
) -> None:
    """Say which runs are done, running, failed and left, and how long the rest will take."""
    if watch:
        from benchmark.workflow.watch import watch as look

        raise typer.Exit(look(_study(study), seconds))
    from benchmark.workflow.status import status

    print(status(_study(study)))


@app.command()
def verify(study: StudyName) -> None:
    """Compare every file of a study with its digest; what is damaged is set aside, for the workflow to make again."""
    from benchmark.workflow.verify import report

    print(report(_study(study)))


@app.command()
def unused(remove: Annotated[bool, _flag("--remove", "delete them")] = False) -> None:
    """List the runs, splits and derived files of the pool under results/ that no study in config/ shows."""
    from benchmark.workflow.unused import unused

    print(unused(remove))


@app.command()
def cost(
    study: StudyName,
    reported: Annotated[bool, _flag("--reported", "compare with the costs that the paper prints")] = False,
    teraflops: Annotated[float, typer.Option(min=0.001, help="what the card sustains; say 80 on an A100")] = 80.0,
) -> None:
    """Say what each table and figure costs, in runs, PFLOPs and hours of one card, before anything is run."""
    from benchmark.workflow import cost

    table = cost.against_reported(_study(study)) if reported else cost.cost(_study(study), teraflops)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


@app.command()
def tune(
    study: StudyName,
    jobs: Annotated[int, typer.Option(min=1, help="how many candidates at a time")] = 1,
    report: Annotated[bool, _flag("--report", "only write anew what the journal says")] = False,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Search every method's hyperparameters and write config/tuned/STUDY.yaml. Killed, it goes on when called again."""
    from benchmark.training.loop import Interrupted
    from benchmark.tune import search

    try:
        if worker is not None:
            return search.work(study, worker)
        print(search.report(study) if report else search.tune(study, jobs))
    except (KeyboardInterrupt, Interrupted):
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(TERMINATED) from None


@app.command()
def claims(
    study: Annotated[str, _argument("a study whose results have been gathered", "[STUDY]")] = "quick",
    named: Annotated[str | None, typer.Option("--study", help="the same, as an option")] = None,
) -> None:
    """Test the paper's claims on gathered results: formula, interval and verdict of each, in seconds."""
    from benchmark.report.tables.claims_table import text

    print(text(_study(named or study)))


@app.command()
def audit() -> None:
    """Recompute the paper's own arithmetic from its printed numbers and list where it comes out otherwise."""
    from benchmark.metrics.audit import audit

    print(audit().to_string(index=False))


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="sections, joined by commas; all unless given")] = "",
    listed: Annotated[bool, _flag("--list", "say which sections there are, and end")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="timings of each piece: 5, or 1 with --short")] = None,
    threads: Annotated[int, typer.Option(min=1, help="processor threads")] = os.cpu_count() or 1,
    short: Annotated[bool, _flag("--short", "far less work: does it run? The numbers mean nothing")] = False,
    name: Annotated[str | None, typer.Option(help="below results/bench/: cpu, or short with --short")] = None,
) -> None:
    """Measure speed beside a plain reference and the hardware's ceiling; write results/bench/NAME.json and .md."""
    if find_spec("bench") is None:
        here = "the folder bench/ is part of a checkout: run `python -m benchmark bench` at the top of one"
        raise BadInput(f"bench: not installed; {here}")
    from bench.report import SECTIONS, bench, chosen
    from bench.rows import Options

    if listed:
        print("\n".join(f"{section:10} {what}" for section, what in SECTIONS.items()))
        return
    options = Options(repeats or (1 if short else 5), threads, short)
    print(bench(chosen(only), options, name or ("short" if short else "cpu")))


@app.command()
def schema() -> None:
    """Print the JSON schema of a study file; config/schema.json holds it, and editors read it."""
    from benchmark.study.schema import schema

    print(schema(), end="")


def _draw(study: str, name: str, draw: Callable[[Study], list[Path]], partial: bool) -> None:
    """Draw something and print its files; what is whole gets a receipt, which the workflow goes by."""
    from benchmark.workflow.receipts import renewed

    read = _study(study)
    fingerprint = read.fingerprint if name in ("collected", "page") else read.output_fingerprint(name)
    receipt: AbstractContextManager[list[Path]] = nullcontext([]) if partial else renewed(study, name, fingerprint)
    with repairing(), receipt as files:
        files += draw(read)
    print(*files, sep="\n")


def _study(name: str) -> Study:
    from benchmark.study.study import Study

    return Study.load(name)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit status 2."""
    gc.set_threshold(BETWEEN_COLLECTIONS)
    try:
        app()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        # Disk full, folder read-only, no permission: the path and the reason say it all.
        message = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        sys.exit(f"error: {' '.join(message.split())}")
    except MemoryError:
        sys.exit("error: out of memory: run fewer jobs at once, or on a machine with more")
    finally:
        gc.freeze()  # the process ends: to look through all of torch once more would take half a second


if __name__ == "__main__":
    main()
