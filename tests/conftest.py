"""A small prepared project on digits that each test works in a copy of, and the steps that tests take in it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import yaml

from benchmark import paths
from benchmark.names import RunName
from benchmark.registry import ARCHITECTURES, METHODS, SOURCES
from benchmark.study.reading import merge
from benchmark.study.study import Study
from tests.places import run_folder

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

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

# What a shell may have set is not to change what tests see, here and in the processes that they start.
for variable in [name for name in os.environ if name.startswith(("BENCHMARK_", "SNAKEMAKE_"))]:
    del os.environ[variable]
for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(variable, None)
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1"
# A GPU belongs to one process at a time, and this one starts others; tests of devices say so themselves.
os.environ["BENCHMARK_DEVICE"] = "cpu"
# Before anything imports torch.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

hypothesis.settings.register_profile("short", max_examples=50, deadline=None)
hypothesis.settings.load_profile("short")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: runs whole workflows; leave out with -m 'not slow'")


@dataclasses.dataclass
class Ended:
    """How a run ended, and what it was when its files were written."""

    status: str
    trainer: Trainer
    weights: dict[str, Tensor]
    samples: pd.DataFrame
    history: pd.DataFrame
    record: dict[str, Any]
    starts: int
    pauses: int

    @property
    def measured(self) -> pd.DataFrame:
        """The history without its clocks."""
        return self.history.drop(columns=CLOCKS)


class Project:
    """A project folder, the working directory of the test; its digits are prepared and Original is trained."""

    cell, original = CELL, ORIGINAL

    def __init__(self, root: Path):
        self.root = root

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
        """A study whose unlearning methods have further settings in common."""
        return self.study({"hyperparameters": {"*": {"unlearning": settings}}})

    def name(self, method: str, scenario: str = "random-10", trial: int = 0) -> str:
        return str(RunName("digits", "convnet", "" if method == "original" else scenario, method, trial))

    def run(self, study: Study, name: str, stops: tuple[int, ...] = ()) -> Ended:
        """Do a run in this process; asked to stop at its n-th pause, for each n of ``stops``, and started again.

        Pauses are counted from 1 over all starts: one after every step, and at an epoch's last after its evaluation.
        """
        import torch

        from benchmark.training.loop import Interrupted

        left, done, starts = list(stops), 0, 0
        while True:
            starts += 1
            job = self.job(study, name, left.pop(0) - done if left else None)
            try:
                status = job.go()
            except Interrupted:
                done += job.pauses
                torch.manual_seed(starts)  # a new process knows nothing of what this one has drawn
                continue
            return _ended(run_folder(study, name), status, job.trainer, starts, done + job.pauses)

    def job(self, study: Study, name: str, stop_at: int | None = None) -> Any:
        """A job that counts its pauses, is asked to stop at one of them, and remembers its trainer."""
        from benchmark.training.job import Job

        class Watched(Job):
            pauses = 0

            def _pause(self, trainer: Trainer) -> None:
                self.pauses += 1
                if self.pauses == stop_at:
                    self._stop = signal.SIGTERM
                super()._pause(trainer)

            def _write(self, trainer: Trainer, status: str) -> None:
                self.trainer = trainer
                super()._write(trainer, status)

        run = study.run(name)
        keep = paths.run(run.place) / paths.MODEL if run.name in study.kept else None
        return Watched(study, run, "a test", keep)

    def start(self, study: Study, name: str) -> Trainer:
        """A trainer at its first step, without a job around it."""
        job = self.job(study, name)
        return job._trainer(job._starting_model(), stage=1, stages=1)

    def command(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``python -m benchmark`` in a process of its own."""
        return self._process("benchmark", *arguments, check=check)

    def snakemake(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``snakemake`` in a process of its own, with the project's own rules."""
        return self._process("snakemake", "--cores", "2", *arguments, check=check)

    def python(self, code: str) -> str:
        """Run a few lines in a process of their own and return what they printed."""
        done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _process(self, module: str, *arguments: str, check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def add_workflow(self) -> None:
        """Copy the Snakefile, its rules, profiles and studies: their outputs then land in this project."""
        for name in ("Snakefile", "rules", "profiles", "config"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.root / name, dirs_exist_ok=True)
            else:
                shutil.copy(source, self.root / name)


def _ended(folder: Path, status: str, trainer: Trainer, starts: int, pauses: int) -> Ended:
    import pandas as pd

    return Ended(
        status,
        trainer,
        {key: value.clone() for key, value in trainer.model.state_dict().items()},
        pd.read_parquet(folder / paths.SAMPLES),
        pd.read_parquet(folder / paths.HISTORY),
        json.loads((folder / paths.RUN).read_text(encoding="utf-8")),
        starts,
        pauses,
    )


def environment() -> dict[str, str]:
    """The environment of a process that works in another folder than the repository's."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def project_at() -> type[Project]:
    """A project in a folder that the caller makes the working directory."""
    return Project


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny study: its digits, its splits and its trained Original."""
    from benchmark.study.prepare import prepare, split

    root = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        project = Project(root)
        study = project.study()
        prepare(study, "digits")
        for scenario in ("random-10", "class-8", "sequential-2x10"):
            split(study, "digits", scenario, 0)
        project.run(study, ORIGINAL)
    return root


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the prepared project, as the working directory."""
    root = tmp_path / "project"
    shutil.copytree(prepared, root)
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of which nothing is there yet."""
    root = tmp_path / "empty"
    root.mkdir()
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget afterwards what a test registers, and which plugins it imported."""
    import benchmark.data
    import benchmark.methods
    import benchmark.models  # noqa: F401 (what is built in stays)

    for registry in (METHODS, ARCHITECTURES, SOURCES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if "plugin" in name:
            del sys.modules[name]
