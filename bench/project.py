"""A small project in a temporary folder, and commands that run in it as processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmark.training.gpus import JOBS_PER_GPU
from benchmark.workflow.resources import THREADS

ROOT = Path(__file__).resolve().parents[1]
FILES = ("Snakefile", "rules", "profiles", "config", "paper_tables/reported")
BENCHMARK = ("-m", "benchmark")

# Digits at 32 pixels, so that every architecture accepts them. Everything but the training is timed.
STUDY = """
trials: 1
datasets:
  digits:
    {source: digits, subset: 200, test_subset: 60, size: 32,
     augmentation: {padding: 1, flip: false, mean: [0.305], std: [0.376]}}
hyperparameters:
  "*": {training: {epochs: 1, batch_size: 32}, unlearning: {epochs: 1, batch_size: 32}}
"""


@contextmanager
def temporary_project() -> Iterator[Project]:
    """Yield a project with the workflow and its studies, in a temporary folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in FILES:
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, folder)
            else:  # without this machine's own settings of datasets
                shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("local"))
        yield Project(Path(folder))


@dataclass(frozen=True)
class Project:
    """A folder whose commands run on one thread each."""

    folder: Path

    def study(self, name: str, **changes: Any) -> None:
        """Write a study: `STUDY` with some of its settings replaced."""
        text = yaml.safe_dump(yaml.safe_load(STUDY) | changes)
        (self.folder / "config" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return the environment variables of this project's processes."""
        # The measuring process may already hold the GPU.
        return {**dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT), JOBS_PER_GPU: "100"}

    def command(self, *arguments: str, program: Sequence[str] = BENCHMARK) -> str:
        """Run a command in a process and return its output; raise `RuntimeError` if it fails.

        ``program`` are the interpreter's arguments that precede those of the command.
        """
        command, environment = [sys.executable, *program, *arguments], os.environ | self.environment()
        process = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{(process.stdout + process.stderr)[-3000:]}")
        return process.stdout

    def seconds(self, *arguments: str, program: Sequence[str] = BENCHMARK, repeats: int = 1) -> list[float]:
        """Return how long each repeat of a command takes; if there are several, an uncounted one precedes them."""
        seconds = []
        for _ in range(repeats + (repeats > 1)):
            started = time.perf_counter()
            self.command(*arguments, program=program)
            seconds.append(time.perf_counter() - started)
        return seconds[-repeats:]

    def workflow(self, study: str, *arguments: str, repeats: int = 1) -> list[float]:
        """Return how long each repeat of a call of Snakemake on two cores takes."""
        command = *arguments, "--cores", "2", "--config", f"study={study}"
        return self.seconds(*command, program=("-m", "snakemake"), repeats=repeats)
