"""A small project on digits in a folder, and what tests do in it."""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
import yaml

from benchmark import paths
from benchmark.names import RunName
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS, SOURCES
from benchmark.study.reading import merge
from benchmark.study.study import Study
from tests.forked import snakemake
from tests.pool import run_folder

if TYPE_CHECKING:
    from benchmark.training.loop import Trainer

ROOT = Path(__file__).resolve().parents[1]
CELL = "digits/convnet/random-10"
ORIGINAL = "digits/convnet/original/trial-0"
CLOCKS = ["seconds", "cpu_seconds"]

# 160 training images, 16 of them forgotten by random-10: a retain epoch is 4 batches of 32 and one of 16.
STUDY: dict[str, Any] = {
    "seed": 1,
    "trials": 2,
    "precision": "float32",
    "datasets": {
        "digits": {
            "source": "digits",
            "subset": 160,
            "test_subset": 60,
            "augmentation": {"padding": 1, "flip": False, "mean": [0.305], "std": [0.376]},
        }
    },
    "hyperparameters": {
        "*": {
            "training": {"epochs": 2, "batch_size": 32, "lr": 0.1},
            "unlearning": {"epochs": 2, "batch_size": 32, "lr": 0.05},
        }
    },
    "tables": {
        "table2": {"kind": "unlearning", "cells": [CELL], "methods": ["original", "ft", "coun"]},
        "table8": {"kind": "unlearning", "cells": ["digits/convnet/class-8"], "methods": ["ft"]},
    },
}


class Project:
    """A project folder, the working directory of the test; its digits are prepared and Original is trained."""

    cell, original = CELL, ORIGINAL

    def __init__(self, root: Path):
        self.root = root

    @classmethod
    def copied(cls, source: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
        """Copy a project and make the copy the working directory."""
        shutil.copytree(source, root, symlinks=True)
        monkeypatch.chdir(root)
        return cls(root)

    def study(self, *changes: dict[str, Any], name: str = "tiny") -> Study:
        """Write `STUDY` with changes merged over it as ``config/<name>.yaml``, and read it as any command does."""
        data = STUDY
        for change in changes:
            data = merge(data, change)
        file = paths.study_file(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return Study.load(name)

    def unlearning(self, **settings: Any) -> Study:
        """Write and read the study with more settings for all unlearning methods."""
        return self.study({"hyperparameters": {"*": {"unlearning": settings}}})

    def name(self, method: str, scenario: str = "random-10", trial: int = 0) -> str:
        return str(RunName("digits", "convnet", "" if method == "original" else scenario, method, trial))

    def run(self, study: Study, name: str, stops: tuple[int, ...] = ()) -> Any:
        """Do a run in this process, as `run_watched` does; return how it ended, with its history and record."""
        import pandas as pd

        from benchmark.contract.miniature import run_watched

        ended, folder = run_watched(study, name, stops), run_folder(study, name)
        record = json.loads((folder / paths.RUN).read_text(encoding="utf-8"))
        history = pd.read_parquet(folder / paths.HISTORY)
        measured = history.drop(columns=CLOCKS)
        return SimpleNamespace(**ended._asdict(), record=record, history=history, measured=measured)

    def run_all(self, study: Study) -> None:
        """Do the runs of a study that have not been done, Originals first."""
        from benchmark.results.records import is_there

        for run in study.runs():
            if not is_there(run):
                self.run(study, str(run.name))

    def job(self, study: Study, name: str, stop_at: int | None = None) -> Any:
        """Return a job that is told to stop at one of its pauses."""
        from benchmark.contract.miniature import Watched

        return Watched(study, name, stop_at)

    def start(self, study: Study, name: str) -> Trainer:
        """Return a trainer at its first step; nothing of the run stays on disk."""
        job = self.job(study, name)
        stopped = patch("benchmark.training.loop.Trainer.train", side_effect=StopIteration)
        with stopped, contextlib.suppress(StopIteration):
            job.go()
        job.checkpoint.remove()
        return job.trainer

    def command(self, *arguments: str, check: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``python -m benchmark`` in a process of its own."""
        return self._process("-m", "benchmark", *arguments, check=check, **options)

    def snakemake(self, *arguments: str, check: bool = False, **config: str) -> subprocess.CompletedProcess[str]:
        """Run ``snakemake`` with the project's own rules; all that it prints is ``stdout``."""
        settings = [f"{key}={value}" for key, value in ({"study": "tiny"} | config).items()]
        done = snakemake(["--cores", "2", *arguments, "--config", *settings], self.root, environment())
        assert not check or done.returncode == 0, done.stdout
        return done

    def python(self, code: str) -> str:
        """Run a few lines in a process of their own and return what they printed."""
        return self._process("-c", code, check=True).stdout.strip()

    def _process(self, *arguments: str, check: bool, **options: Any) -> subprocess.CompletedProcess[str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        setting = {"cwd": self.root, "env": environment(), "timeout": 300, **streams, **options}
        done = subprocess.run([sys.executable, *arguments], **setting)
        assert not check or done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done

    def add_workflow(self) -> None:
        """Copy the Snakefile, its rules, profiles and studies: their outputs then land in this project."""
        shutil.copy(ROOT / "Snakefile", self.root)
        for name in ("rules", "profiles", "config"):
            shutil.copytree(ROOT / name, self.root / name, dirs_exist_ok=True)


def environment() -> dict[str, str]:
    """Return the environment of a process that works outside the repository."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def call(*arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process as a new one would."""
    from benchmark.__main__ import main

    output, errors, status = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, without_new_plugins():
        patch.setattr(sys, "argv", ["python -m benchmark", *arguments])
        patch.setattr(gc, "freeze", lambda: None)  # which is for a process that ends soon
        patch.syspath_prepend(str(Path.cwd()))
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(bool(end.code))
                if isinstance(end.code, str):  # which the interpreter prints
                    print(end.code, file=sys.stderr)
    assert not check or status == 0, output.getvalue() + errors.getvalue()
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def mistake(*arguments: str) -> str:
    """Run a command that must refuse what it is given, with status 2 and one line, and return that line."""
    done = call(*arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done
    return done.stderr


@contextlib.contextmanager
def without_new_plugins() -> Iterator[None]:
    """On exit forget what was registered, plugins imported and a study's labels, as a new process would."""
    import benchmark.study.plugins  # noqa: F401 (what is built in stays)

    saved = [
        (registry, {key: copy.copy(value) for key, value in vars(registry).items()})
        for registry in (METHODS, ARCHITECTURES, SOURCES, OWN_AUDITS)
    ]
    imported = set(sys.modules)
    try:
        yield
    finally:
        for registry, values in saved:
            vars(registry).update(values)
        if "benchmark.report.style" in sys.modules:
            from benchmark.report.style import StudyStyle

            StudyStyle.labels, StudyStyle.colours = {}, {}
        for name in set(sys.modules) - imported:
            if "plugin" in name:
                del sys.modules[name]
