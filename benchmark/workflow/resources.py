"""Options of the workflow, and the time and memory that a run requests of a cluster, from finished runs like it.

Too low a request costs little: a job that is ended for it resumes from its checkpoint and requests more.
"""

from __future__ import annotations

import contextlib
import glob
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark import paths
from benchmark.settings import Positive, Strict
from benchmark.study.runs import Run

# Environment variables that tell libraries how many threads a job may compute with.
THREADS = tuple(f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"))
FIRST_MB = 4000
# A run may get a slower node than those like it did, and Snakemake itself starts twice around a job.
TIMES_SECONDS, LEAST_MINUTES = 2.0, 10
TIMES_MB, MORE_MB = 1.5, 1000


class Options(Strict):
    """The settings that Snakemake's ``--config`` accepts."""

    study: str = "quick"
    minutes: Positive = 60  # the time limit of a run while none like it has finished
    replace: bool = False  # whether different results may replace published ones


@dataclass(frozen=True)
class Usage:
    """What a finished run took: wall seconds, of all calls of its job together, for so many epochs, and MiB."""

    images: str
    epochs: int
    seconds: float
    memory_mb: float


def minutes(run: Run, attempt: int, first: int) -> int:
    """Return a run's time limit in minutes: ``first`` until runs like it have finished, and more at every attempt."""
    epochs = max(1, run.settings.epochs)
    seconds = [epochs / usage.epochs * usage.seconds for usage in _usage_of_similar(run)]
    return attempt * (max(LEAST_MINUTES, math.ceil(TIMES_SECONDS * max(seconds) / 60)) if seconds else first)


def memory_mb(run: Run, attempt: int) -> int:
    """Return a run's memory limit in MiB, by the same rules as `minutes`."""
    peaks = [usage.memory_mb for usage in _usage_of_similar(run)]
    return attempt * (math.ceil(TIMES_MB * max(peaks)) + MORE_MB if peaks else FIRST_MB)


def _usage_of_similar(run: Run) -> list[Usage]:
    """Return what finished runs of the same images and network took, those of the same method if there are any.

    A short try on a few images has the same names as the real run.
    """
    dataset, arch, *_, method, _ = run.pool_path.split("/")
    pool, images = paths.run(f"{dataset}/{arch}"), str(run.origin["dataset"]["provenance"])
    for name in (glob.escape(method), "*"):
        # Not `**`, which would list every folder of the pool.
        files = [*pool.glob(f"{name}/*/{paths.RUN}"), *pool.glob(f"*/{name}/*/{paths.RUN}")]
        if usages := [usage for file in files if (usage := _usage(file)) and usage.images == images]:
            return usages
    return []


def _usage(file: Path) -> Usage | None:
    """Return what a finished run took, by its record; None if that is incomplete."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        return _read(file, file.stat().st_mtime_ns)
    return None


@cache  # a plan asks for it run by run
def _read(file: Path, _written: int) -> Usage:
    record = json.loads(file.read_text(encoding="utf-8"))
    images, epochs = record["slice"]["dataset"]["provenance"], record["slice"]["settings"]["epochs"]
    # On a GPU ``peak_memory_mb`` is the card's.
    memory = record.get("process_memory_mb", record["peak_memory_mb"])
    return Usage(str(images), max(1, epochs), float(record["wall_seconds"]), float(memory))
