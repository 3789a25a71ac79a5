"""What to do with a study before and while it runs: write, check and list, what it costs, how it stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.app import Listing, StudyName, app, argument, complete_study, flag, read

Parent = typer.Option(metavar="STUDY", autocompletion=complete_study, help="the study to start from")
Images = typer.Option(metavar="FOLDER", help="start from your own images instead")


@app.command()
def init(
    name: Annotated[str, argument("what the new study is called", "NAME")],
    extends: Annotated[str, Parent] = "quick",
    images: Annotated[Path | None, Images] = None,
) -> None:
    """Write a small study, config/NAME.yaml, to start from."""
    from benchmark.study.template import write

    path = write(name, extends, images)
    print(f"{path}: change it as you like; then 'python -m benchmark check {name}' looks for mistakes, and")
    print(f"'snakemake --cores {os.cpu_count()} all --config study={name}' runs it")


@app.command()
def check(study: StudyName) -> None:
    """Look for mistakes in a study, its plugins and its folders of images, and say what it would run."""
    from benchmark.results.records import is_there
    from benchmark.workflow.preflight import check_all

    whole = read(study)
    check_all(whole)
    runs = whole.runs()
    shown = f"{', '.join([*whole.tables, *whole.figures]) or 'no table and no figure'}"
    print(f"{study}: no mistakes. It shows {shown}. Of its runs {sum(map(is_there, runs))} are done, of {len(runs)}.")


@app.command("list")
def list_(
    what: Annotated[Listing, argument(", ".join(Listing), "WHAT")],
    study: Annotated[str, argument("a study", "[STUDY]", complete_study)] = "quick",
) -> None:
    """List studies, or a study's outputs and datasets, or the methods, architectures and settings that it may name."""
    from benchmark.commands.listing import lines

    print("\n".join(lines(what, study)))


@app.command()
def cost(
    study: StudyName,
    reported: Annotated[bool, flag("--reported", "compare with the costs that the paper prints")] = False,
    teraflops: Annotated[float, typer.Option(min=0.001, help="what the card sustains; say 80 on an A100")] = 80.0,
) -> None:
    """Say what each table and figure costs, in runs, PFLOPs and hours of one card, before anything is run."""
    from benchmark.workflow import cost

    table = cost.against_reported(read(study)) if reported else cost.cost(read(study), teraflops)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


@app.command()
def status(
    study: Annotated[str, argument("a study", "STUDY")] = "quick",
    watch: Annotated[bool, flag("--watch", "go on saying so, in place, until the study is done")] = False,
    seconds: Annotated[float, typer.Argument(min=0.1, help="with --watch: between two looks")] = 2.0,
) -> None:
    """Say which runs are done, running, failed and left, and how long the rest will take."""
    if watch:
        from benchmark.workflow.watch import watch as look

        raise typer.Exit(look(read(study), seconds))
    from benchmark.workflow.status import status

    text, well = status(read(study))
    print(text)
    raise typer.Exit(int(not well))


@app.command()
def verify(
    study: StudyName,
    recompute: Annotated[bool, flag("--recompute", "derive metrics, gathered files and tables again as well")] = False,
) -> None:
    """Compare every file of a study with its digest; what is damaged is set aside, for the workflow to make again."""
    from benchmark.report.recompute import differing
    from benchmark.workflow.verify import report

    print(report(read(study), *[differing] * recompute))


@app.command()
def unused(remove: Annotated[bool, flag("--remove", "delete them")] = False) -> None:
    """List the runs, splits and derived files of the pool under results/ that no study in config/ shows."""
    from benchmark.workflow.unused import unused

    print(unused(remove))


@app.command()
def schema() -> None:
    """Print the JSON schema of a study file; config/schema.json holds it, and editors read it."""
    from benchmark.study.schema import schema

    print(schema(), end="")
