"""A small project in a folder of its own, and commands of this package run in it as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import benchmark
from benchmark.training.gpus import JOBS_PER_GPU
from benchmark.workflow.resources import THREADS

ROOT = Path(benchmark.__file__).resolve().parents[1]
WORKFLOW = ("Snakefile", "rules", "profiles")

# Digits at 32 pixels, so that every architecture takes them: what is timed is everything but the training.
STUDY: dict[str, Any] = {
    "trials": 1,
    "datasets": {
        "digits": {
            "source": "digits",
            "subset": 200,
            "test_subset": 60,
            "size": 32,
            "augmentation": {"padding": 1, "flip": False, "mean": [0.305], "std": [0.376]},
        }
    },
    "hyperparameters": {
        "*": {"training": {"epochs": 1, "batch_size": 32}, "unlearning": {"epochs": 1, "batch_size": 32}}
    },
}


def environment(threads: int = 1) -> dict[str, str]:
    """Return the environment of a process that works in another folder than this code's, on so many threads."""
    limits = {name: str(threads) for name in THREADS}
    # The process that measures may hold the GPU already.
    return {**os.environ, **limits, "PYTHONPATH": str(ROOT), JOBS_PER_GPU: "100"}


class Project:
    """A folder with studies of its own; commands run there, on so many threads each."""

    def __init__(self, folder: Path, threads: int = 1):
        self.folder = folder
        self._environment = environment(threads)
        (folder / "config").mkdir()

    def study(self, name: str, *changes: dict[str, Any]) -> None:
        """Write `STUDY` with changes merged over it as a study of the project."""
        from benchmark.study.reading import merge

        data = STUDY
        for change in changes:
            data = merge(data, change)
        (self.folder / "config" / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")

    def add_workflow(self) -> None:
        """Copy the Snakefile, its rules and profiles."""
        for name in WORKFLOW:
            source, target = ROOT / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)

    def command(self, *arguments: str, module: str = "benchmark") -> str:
        """Run a module's command in a process and return what it printed; an error tells its last lines."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def seconds(self, *arguments: str, module: str = "benchmark") -> float:
        """Return how long a command takes, from its start to its end."""
        before = time.perf_counter()
        self.command(*arguments, module=module)
        return time.perf_counter() - before


@contextmanager
def project(threads: int = 1) -> Iterator[Project]:
    """Yield a project in a temporary folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Project(Path(folder), threads)
