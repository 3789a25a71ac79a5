"""A small project on digits, as a folder, and the steps that tests take in it."""

from __future__ import annotations

import contextlib
import copy
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

    from benchmark.methods.base import Part
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
    loaded: list[list[Part]] = dataclasses.field(default_factory=list)  # by each stage for training, if recorded

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
        from benchmark.training.loop import Trainer

        train = Trainer.train

        class Watched(Job):
            pauses = 0

            def go(self) -> str:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(Trainer, "train", lambda trainer, *given: self.watch(trainer, *given))
                    return super().go()

            def watch(self, trainer: Trainer, pause: Any, *report: Any) -> None:
                def counted(trainer: Trainer) -> None:
                    self.pauses += 1
                    if self.pauses == stop_at:
                        signal.raise_signal(signal.SIGTERM)
                    pause(trainer)

                self.trainer = trainer
                train(trainer, counted, *report)

        run = study.run(name)
        keep = paths.run(run.place) / paths.MODEL if run.name in study.kept else None
        return Watched(study, run, "a test", keep)

    def start(self, study: Study, name: str) -> Trainer:
        """A trainer at its first step; nothing of the run is left on disk."""

        class Started(Exception):
            pass

        def stop(job: Any, trainer: Trainer, *_: Any) -> None:
            job.trainer = trainer
            raise Started

        job = self.job(study, name)
        job.watch = stop.__get__(job)
        with contextlib.suppress(Started):
            job.go()
        job.checkpoint.remove()
        return job.trainer

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


@contextlib.contextmanager
def without_new_plugins() -> Iterator[None]:
    """Forget afterwards what was registered inside, and which plugins were imported: as a new process would."""
    import benchmark.study.plugins  # noqa: F401 (what is built in stays)

    kept = [
        (one, {key: copy.copy(value) for key, value in vars(one).items()}) for one in (METHODS, ARCHITECTURES, SOURCES)
    ]
    before = set(sys.modules)
    try:
        yield
    finally:
        for registry, values in kept:
            vars(registry).update(values)
        for name in set(sys.modules) - before:
            if "plugin" in name:
                del sys.modules[name]
