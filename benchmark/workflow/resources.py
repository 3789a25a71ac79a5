"""What a call of the workflow may say, and what a run asks of a cluster, by what finished runs like it took.

A guess that is too small costs little: a job that is ended for it goes on from its checkpoint, and asks for more.
"""

from __future__ import annotations

import contextlib
import glob
import json
import math
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


def minutes(place: str, attempt: int, first: int = Options().minutes) -> int:
    """Return a run's time limit in minutes: ``first``, unless runs like it have finished; more at every attempt."""
    taken = [seconds for seconds, _ in _alike(place)]
    return attempt * (max(LEAST_MINUTES, math.ceil(TIMES_SECONDS * max(taken) / 60)) if taken else first)


def memory_mb(place: str, attempt: int) -> int:
    """Return a run's memory limit in MiB, by the same rules as `minutes`."""
    taken = [memory for _, memory in _alike(place)]
    return attempt * (math.ceil(TIMES_MB * max(taken)) + MORE_MB if taken else FIRST_MB)


def _alike(place: str) -> list[tuple[float, float]]:
    """What finished runs took, of the same dataset, architecture and method; else of the same dataset and architecture.

    That is, by their records, time by the clock in seconds and memory in MiB.
    """
    dataset, arch, *_, method, _ = place.split("/")
    for pattern in (f"**/{glob.escape(method)}/*/{paths.RUN}", f"**/{paths.RUN}"):
        if alike := [usage for path in paths.run(f"{dataset}/{arch}").glob(pattern) if (usage := _usage(path))]:
            return alike
    return []


def _usage(path: Path) -> tuple[float, float] | None:
    """Return what a run took, all calls of its job together; None where its record is no whole one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        record = json.loads(path.read_text(encoding="utf-8"))
        # On a GPU the peak is the card's.
        memory = record.get("process_memory_mb", record["peak_memory_mb"])
        return float(record["wall_seconds"]), float(memory)
    return None
