"""What a call of the workflow may say, and what a run asks of a cluster, by what finished runs like it took.

A guess that is too small costs little: a job that is ended for it goes on from its checkpoint, and asks for more.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark import paths
from benchmark.settings import Positive, Strict

# What libraries are told by how many threads a job may compute with.
THREADS = tuple(f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"))
FIRST_MB = 4000
# A run may meet a slower node than those like it did; and Snakemake itself starts twice around a job.
TIMES_SECONDS, LEAST_MINUTES = 2.0, 10
TIMES_MB, MORE_MB = 1.5, 1000


class Options(Strict):
    """What Snakemake's ``--config`` may say."""

    study: str = "quick"
    minutes: Positive = 60  # the time limit of a run where none like it has finished
    replace: bool = False  # whether other results may take the place of published ones


@dataclass(frozen=True)
class Usage:
    """What a finished job took: wall time in seconds and memory in MiB, NaN where it ended too soon for that."""

    seconds: float
    memory_mb: float


def minutes(place: str, attempt: int, first: int = Options().minutes) -> int:
    """Return a run's time limit in minutes: ``first``, unless runs like it have finished; more at every attempt."""
    taken = [usage.seconds for usage in _alike(place)]
    return attempt * (max(LEAST_MINUTES, math.ceil(TIMES_SECONDS * max(taken) / 60)) if taken else first)


def memory_mb(place: str, attempt: int) -> int:
    """Return a run's memory limit in MiB, by the same rules as `minutes`."""
    taken = [usage.memory_mb for usage in _alike(place)]
    return attempt * (math.ceil(TIMES_MB * max(taken)) + MORE_MB if taken else FIRST_MB)


def usage_of(path: Path) -> Usage | None:
    """Return what Snakemake measured of a job, from the file of `benchmark.paths.usage`; None if it says nothing."""
    with (
        contextlib.suppress(OSError, ValueError, KeyError, TypeError),
        path.open(encoding="utf-8", newline="") as lines,
    ):
        for row in csv.DictReader(lines, delimiter="\t"):
            memory = row["max_rss"]
            return Usage(float(row["s"]), math.nan if memory in ("-", "NA") else float(memory))
    return None


def _alike(place: str) -> list[Usage]:
    """Finished runs of the same dataset, architecture and method; else all of the same dataset and architecture."""
    dataset, arch, *_, method, _ = place.split("/")
    folder = paths.usage(f"{dataset}/{arch}/any").parent
    for pattern in (f"**/{glob.escape(method)}/*.tsv", "**/*.tsv") if folder.is_dir() else ():
        if alike := [usage for path in folder.glob(pattern) if (usage := _with_earlier_calls(path))]:
            return alike
    return []


def _with_earlier_calls(path: Path) -> Usage | None:
    """What a job took, with the calls before one that was interrupted: Snakemake has measured the last alone."""
    usage = usage_of(path)
    if usage is None or math.isnan(usage.memory_mb):
        return None  # what ended before it was looked at is no measure of others
    place = path.relative_to(paths.usage("any").parent).with_suffix("")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads((paths.run(str(place)) / paths.RUN).read_text(encoding="utf-8"))
        return replace(usage, seconds=max(usage.seconds, float(record["wall_seconds"])))
    return usage
