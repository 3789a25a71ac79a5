"""Commands for research: search hyperparameters, score memorisation, measure speed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.app import TERMINATED, StudyName, app, argument, flag, read
from benchmark.errors import BadInput


@app.command()
def tune(
    study: StudyName,
    jobs: Annotated[int, typer.Option(min=1, help="candidates to train at a time")] = 1,
    report: Annotated[bool, flag("--report", "search no further: write the best values found so far")] = False,
    replace: Annotated[bool, flag("--replace", "replace the values of another search")] = False,
    worker: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Tune the hyperparameters of every method.

    The result is config/tuned/STUDY.yaml, written at the end. If you stop the search, the same command continues it.
    """
    from benchmark.training.loop import Interrupted
    from benchmark.tune import search

    try:
        if worker is not None:
            return search.work(study, jobs, worker)
        print(search.report(study, replace) if report else search.tune(study, jobs, replace))
    except (KeyboardInterrupt, Interrupted):
        print("stopped; the same command continues from here", file=sys.stderr)
        raise typer.Exit(TERMINATED) from None


@app.command()
def memorisation(
    study: StudyName,
    cell: Annotated[str, argument("a cell that forgets at random, such as digits/convnet/random-10", "CELL")],
    file: Annotated[Path, argument("the file to write", "FILE")],
    replace: Annotated[bool, flag("--replace", "replace other scores in FILE")] = False,
) -> None:
    """Score how much each sample is memorised, from Retrains. Scenarios such as memorised-10 need such a file."""
    from benchmark.results.sample_outputs import write_scores

    print(write_scores(read(study), cell, file, replace))


@app.command()
def arithmetic() -> None:
    """Check the arithmetic of the paper. Lists the printed numbers that do not follow from the others."""
    from benchmark.metrics.arithmetic import slips

    print(slips().to_string(index=False))


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="sections, separated by commas  [default: all]")] = "",
    listed: Annotated[bool, flag("--list", "list the sections and exit")] = False,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="timings of each part  [default: 5, or 1 with --short]")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="processor threads")] = os.cpu_count() or 1,
    short: Annotated[bool, flag("--short", "do little work, just to see that it runs")] = False,
    name: Annotated[
        str | None, typer.Option(help="name of the file in results/bench/  [default: gpu, cpu, or short with --short]")
    ] = None,
) -> None:
    """Measure speed. It is compared with plain code and the hardware's peak, and measured as data and trials grow."""
    if find_spec("bench") is None:
        remedy = "the folder bench/ is part of a checkout: run `python -m benchmark bench` at the top of one"
        raise BadInput(f"bench: not installed; {remedy}")
    from bench.report import SECTIONS, bench, chosen
    from bench.rows import Options
    from benchmark.training.device import uses_gpu

    if listed:
        print("\n".join(f"{section:10} {question}" for section, question in SECTIONS.items()))
        return
    options = Options(repeats or (1 if short else 5), threads, short)
    print(bench(chosen(only), options, name or ("short" if short else "gpu" if uses_gpu() else "cpu")))
