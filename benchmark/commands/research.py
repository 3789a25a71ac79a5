"""Searching hyperparameters, testing claims, measuring speed."""

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
    jobs: Annotated[int, typer.Option(min=1, help="how many candidates at a time")] = 1,
    report: Annotated[bool, flag("--report", "only write anew what the journal says")] = False,
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
def memorisation(study: StudyName, cell: str, file: Path) -> None:
    """Write how far the Retrains of a random cell memorise each sample: a file for memorised-10 and typical-10."""
    from benchmark.results.sample_outputs import write_scores

    print(write_scores(read(study), cell, file))


@app.command()
def claims(
    study: Annotated[str, argument("a study whose results have been gathered", "[STUDY]")] = "quick",
    named: Annotated[str | None, typer.Option("--study", help="the same, as an option")] = None,
) -> None:
    """Test the paper's claims on gathered results: formula, interval and verdict of each, in seconds."""
    from benchmark.report.tables.claims_table import text

    print(text(read(named or study)))


@app.command()
def audit() -> None:
    """Recompute the paper's own arithmetic from its printed numbers and list where it comes out otherwise."""
    from benchmark.metrics.arithmetic import audit

    print(audit().to_string(index=False))


@app.command()
def bench(
    only: Annotated[str, typer.Option(help="sections, joined by commas; all unless given")] = "",
    listed: Annotated[bool, flag("--list", "say which sections there are, and end")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="timings of each piece: 5, or 1 with --short")] = None,
    threads: Annotated[int, typer.Option(min=1, help="processor threads")] = os.cpu_count() or 1,
    short: Annotated[bool, flag("--short", "far less work: does it run? The numbers mean nothing")] = False,
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
