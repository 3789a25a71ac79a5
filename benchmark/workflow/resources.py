"""Options of the workflow, and the time and memory that a run requests of a cluster, from finished runs like it.

Too low a request costs little: a job that is ended for it resumes from its checkpoint and requests more.
"""

from __future__ import annotations

import contextlib
import glob
import json
import math
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


def minutes(run: Run, attempt: int, first: int) -> int:
    """Return a run's time limit in minutes: ``first`` until runs like it have finished, and more at every attempt."""
    seconds = [seconds for seconds, _ in _usage_of_similar(run)]
    return attempt * (max(LEAST_MINUTES, math.ceil(TIMES_SECONDS * max(seconds) / 60)) if seconds else first)


def memory_mb(run: Run, attempt: int) -> int:
    """Return a run's memory limit in MiB, by the same rules as `minutes`."""
    peaks = [memory for _, memory in _usage_of_similar(run)]
    return attempt * (math.ceil(TIMES_MB * max(peaks)) + MORE_MB if peaks else FIRST_MB)


def _usage_of_similar(run: Run) -> list[tuple[float, float]]:
    """Return the wall seconds and MiB of finished runs of the same images and network, of the same method if any."""
    dataset, arch, *_, method, _ = run.pool_path.split("/")
    for pattern in (f"**/{glob.escape(method)}/*/{paths.RUN}", f"**/{paths.RUN}"):
        if usages := [usage for path in paths.run(f"{dataset}/{arch}").glob(pattern) if (usage := _usage(path, run))]:
            return usages
    return []


def _usage(path: Path, run: Run) -> tuple[float, float] | None:
    """Return the MiB of a finished run, and its wall seconds, all calls of its job together, for the epochs of ``run``.

    None if its record is incomplete, or of other images: a short try on a few has the same names as the real run.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["slice"]["dataset"]["provenance"] != run.slice["dataset"]["provenance"]:
            return None
        longer = max(1, run.settings.epochs) / max(1, record["slice"]["settings"]["epochs"])
        # On a GPU ``peak_memory_mb`` is the card's.
        memory = record.get("process_memory_mb", record["peak_memory_mb"])
        return longer * float(record["wall_seconds"]), float(memory)
    return None
