"""The quick study from nothing to all its tables and figures on two cores, and planning the paper study."""

from __future__ import annotations

import shutil
import statistics

from bench.project import ROOT, Project, project
from bench.rows import Options, Row, Wanted

CORES = "2"


def rows(options: Options) -> list[Row]:
    """Return a row for the quick study, run once, and one for a dry run of the paper study."""
    found = []
    with project() as fresh:
        _fill(fresh)
        if not options.short:
            whole = fresh.seconds("--cores", CORES, "all", module="snakemake")
            wanted = (Wanted("ours", "<=", 300.0),)
            work = f"quick study, all, {CORES} cores, once"
            found.append(Row(work, "s", whole, wanted=wanted, seconds={"ours": [whole]}))
            again = fresh.seconds("--cores", CORES, "all", module="snakemake")
            found.append(Row("the same again: nothing to be done", "s", again, seconds={"ours": [again]}))
        dry = ("-n", "--quiet", "--cores", CORES, "--config", f"study={'quick' if options.short else 'paper'}")
        seconds = [fresh.seconds("all", *dry, module="snakemake") for _ in range(options.repeats + 1)][1:]
        wanted = (Wanted("ours", "<=", 10.0),)
        work = "dry run of the paper study, all"
        found.append(Row(work, "s", statistics.median(seconds), wanted=wanted, seconds={"ours": seconds}))
    return found


def _fill(fresh: Project) -> None:
    fresh.add_workflow()
    shutil.copytree(ROOT / "config", fresh.folder / "config", dirs_exist_ok=True)
    shutil.copytree(ROOT / "paper_tables" / "reported", fresh.folder / "paper_tables" / "reported")
