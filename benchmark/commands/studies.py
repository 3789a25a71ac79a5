"""Commands for a study before and while it runs: write, check and list it, its cost, its status, its files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmark import paths
from benchmark.commands.app import Listing, StudyName, app, argument, choice, complete_study, flag, read, require_top
from benchmark.errors import BadInput

Parent = typer.Option(metavar="STUDY", autocompletion=complete_study, help="the study to start from  [default: quick]")
Images = typer.Option(metavar="FOLDER", help="start from your own images instead")


@app.command()
def init(
    name: Annotated[str, argument("the name of the new study", "NAME")],
    extends: Annotated[str | None, Parent] = None,
    images: Annotated[str | None, Images] = None,
) -> None:
    """Write a small study, config/NAME.yaml, to start from."""
    from benchmark.study.new_study import write

    require_top()
    if extends is not None and images is not None:
        raise BadInput(f"--extends {extends} and --images {images}: accepted is one of them")
    if images == "":  # which would be the working directory
        raise BadInput("--images '': accepted is a folder")
    path = write(name, "quick" if extends is None else extends, None if images is None else Path(images))
    print(f"{path} is written. Edit it, check it with 'python -m benchmark check {name}', and run it with")
    print(f"'snakemake --cores {os.cpu_count()} all --config study={name}'.")


@app.command()
def check(
    study: StudyName,
    speed: Annotated[
        bool, flag("--speed", "warn of slow operators in torch, of runs in another precision, and of a missing GPU")
    ] = False,
) -> None:
    """Check a study for mistakes. Its plugins and image folders are checked too; nothing is trained."""
    from benchmark.results.records import is_there
    from benchmark.workflow.preflight import check_all, other_precision

    loaded = read(study)
    check_all(loaded)
    runs = loaded.runs()
    outputs = ", ".join([*loaded.tables, *loaded.figures]) or "no table and no figure"
    print(f"{study}: no mistakes. It shows {outputs}. Runs done: {sum(map(is_there, runs))} of {len(runs)}.")
    if speed:
        from benchmark.training.device import DEVICE, prepare_process, resolved, uses_gpu
        from benchmark.training.operators import slow_operators
        from benchmark.workflow.cost import without_gpu

        prepare_process(loaded.threads)
        precision = resolved(loaded.precision)
        slow = [] if uses_gpu() else slow_operators(precision)
        unasked = uses_gpu() or os.environ.get(DEVICE) == "cpu"
        for line in filter(None, [*slow, other_precision(loaded, precision), "" if unasked else without_gpu(loaded)]):
            print(f"warning: {line}")


@app.command("list")
def list_(
    what: Annotated[Listing, choice("what to list", "WHAT", Listing)],
    study: Annotated[str, argument("the study", "STUDY", complete_study)] = "quick",
) -> None:
    """List studies, methods, settings and more.

    WHAT is one of studies, outputs, methods, architectures, datasets, sources (of images), audits, kinds (of tables
    and figures) and settings. All but studies are listed for one study, with its plugins.
    """
    from benchmark.commands.listing import lines

    print("\n".join(lines(what, study)))


@app.command()
def cost(
    study: StudyName,
    reported: Annotated[bool, flag("--reported", "compare with the costs printed in the paper")] = False,
    teraflops: Annotated[
        float, typer.Option(min=0.001, max=1e9, help="the sustained speed of your GPU, in TFLOP/s")
    ] = 80.0,
) -> None:
    """Estimate the cost of every table and figure. The units are runs, PFLOPs and GPU-hours."""
    from benchmark.workflow import cost

    table = cost.against_reported(read(study)) if reported else cost.cost(read(study), teraflops)
    print(table.to_string(index=False, float_format=_two_digits))


def _two_digits(value: float) -> str:
    """Write a number with two decimals, or two digits where these would be zeros."""
    import numpy as np

    return np.format_float_positional(value, 2, fractional=False) if 0 < abs(value) < 0.1 else f"{value:.2f}"


@app.command()
def status(
    study: Annotated[str, argument("the study", "STUDY", complete_study)] = "quick",
    watch: Annotated[bool, flag("--watch", "update the display until the study is done")] = False,
    seconds: Annotated[
        float | None,
        typer.Argument(min=0.1, max=86400, metavar="SECONDS", help="time between updates, with --watch  [default: 2]"),
    ] = None,
) -> None:
    """Show which runs are done, and the time left. The exit status is 1 if anything has failed or is damaged."""
    from benchmark.study.tuning import TUNING

    if seconds is not None and not watch:
        raise BadInput(f"{seconds:g}: a time between updates is accepted with --watch")
    loaded = read(study)
    if study.endswith(TUNING) and not paths.study_file(study).is_file():
        from benchmark.tune.search import status as status_of_search

        if watch:
            raise BadInput(f"--watch: {study} is a search: accepted are studies of config/")
        text, healthy = status_of_search(study.removesuffix(TUNING))
        print(text)
        raise typer.Exit(int(not healthy))
    if watch:
        from benchmark.workflow.watch import watch as watch_study

        raise typer.Exit(watch_study(loaded, seconds or 2.0))
    from benchmark.workflow.status import status

    text, healthy = status(loaded)
    print(text)
    raise typer.Exit(int(not healthy))


@app.command()
def verify(
    study: StudyName,
    recompute: Annotated[
        bool, flag("--recompute", "also compute metrics, gathered files, tables and claims again")
    ] = False,
) -> None:
    """Check every file of a study against its digest. Damaged files are set aside; run snakemake to remake them.

    The exit status is 1 if a file is damaged or missing.
    """
    from benchmark.report.recompute import changed_results
    from benchmark.workflow.verify import report

    text, intact = report(read(study), changed_results if recompute else None)
    print(text)
    raise typer.Exit(int(not intact))


@app.command()
def unused(remove: Annotated[bool, flag("--remove", "delete them")] = False) -> None:
    """List the files that no study uses. They are runs, splits, files made from them, and prepared images."""
    from benchmark.workflow.unused import unused

    print(unused(remove))


@app.command()
def schema() -> None:
    """Print the JSON schema of a study. Editors read it from config/schema.json."""
    from benchmark.study.schema import schema

    print(schema(), end="")
