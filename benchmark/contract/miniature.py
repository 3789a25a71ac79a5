"""A miniature study of one method: 160 digits, two epochs, in a folder of its own, to try the method on."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import torch
import yaml

from benchmark import paths
from benchmark.files import write_text
from benchmark.methods.base import Context, Meter, Part
from benchmark.names import ORIGINAL, Cell, MethodName
from benchmark.results import records
from benchmark.study.plugins import method_class
from benchmark.study.prepare import prepare, split
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.training.device import DEVICE
from benchmark.training.job import Job
from benchmark.training.loop import Interrupted, Trainer
from benchmark.workflow.plugin_trial import first_steps

NAME, CELL, STAGES = "contract", Cell("digits", "convnet", "random-10"), "sequential-2x10"
TRAIN, BATCH, HOLD_OUT = 160, 32, 10  # images, images a step, per cent of the images
# All methods train for two epochs: in two stages, for one each.
EPOCHS = {"epochs": 2, "batch_size": BATCH}
STUDY: dict[str, Any] = {
    "trials": 1,
    "precision": "float32",
    "hold_out": HOLD_OUT,
    "datasets": {
        CELL.dataset: {
            "source": "digits",
            "subset": TRAIN,
            "test_subset": 60,
            "augmentation": {"padding": 1, "flip": False, "mean": [0.305], "std": [0.376]},
        }
    },
    "hyperparameters": {"*": {"training": EPOCHS, "unlearning": EPOCHS}},
}


class Ended(NamedTuple):
    """How a run ended: what it left, and every part that its training loaded, with its stage."""

    status: str
    samples: pd.DataFrame
    weights: dict[str, torch.Tensor]
    loaded: list[tuple[int, Part]]
    trainer: Trainer
    starts: int
    pauses: int

    def same(self, other: Ended) -> bool:
        """Return whether two runs ended with the same samples and weights, bit for bit."""
        same_weights = all(torch.equal(weight, other.weights[name]) for name, weight in self.weights.items())
        return self.samples.equals(other.samples) and same_weights


class Watched(Job):
    """A job that is asked to stop at one of its pauses, and records what its training loads, with its stage."""

    def __init__(self, study: Study, name: str, stop: int | None = None) -> None:
        run = study.run(name)
        keep = paths.run(run.pool_path) / paths.MODEL if run.name in study.runs_with_weights else None
        super().__init__(study, run, "test", keep)
        self.stop, self.pauses = stop, 0
        self.loaded: list[tuple[int, Part]] = []

    def _context(self, stage: int, meter: Meter) -> Context:
        context = super()._context(stage, meter)
        load = context.load

        def recording(part: Part, generator: torch.Generator) -> torch.Tensor:
            self.loaded.append((stage, part))
            return load(part, generator)

        context.load = recording
        return context

    def _trainer(self, *arguments: Any) -> Trainer:
        self.trainer = super()._trainer(*arguments)
        return self.trainer

    def _pause(self, trainer: Trainer) -> None:
        self.pauses += 1
        if self.pauses == self.stop:
            self._stop = signal.SIGTERM
        super()._pause(trainer)


def run_watched(study: Study, name: str, stops: Sequence[int] = (), seed: int = 0) -> Ended:
    """Do a run, stopped at the pauses ``stops`` and resumed; ``seed`` seeds the global generators.

    Pauses are counted from 1 over all starts: one after every step, and at an epoch's last after its evaluation.
    """
    loaded: list[tuple[int, Part]] = []
    remaining, starts, pauses = list(stops), 0, 0
    while True:
        for set_seed in (random.seed, torch.manual_seed, np.random.seed):  # a new process does not have this one's
            set_seed(seed + pauses)
        starts += 1
        job = Watched(study, name, remaining.pop(0) - pauses if remaining else None)
        job.loaded = loaded
        try:
            status = job.go()
        except Interrupted:
            pauses += job.pauses
            continue
        samples = records.frame(study, study.run(name), paths.SAMPLES)
        weights = {key: value.clone() for key, value in job.trainer.model.state_dict().items()}
        return Ended(status, samples, weights, loaded, job.trainer, starts, pauses + job.pauses)


@dataclass(frozen=True)
class MethodTest:
    """A method in a miniature study, which lies in the working directory."""

    study: Study
    method: MethodName

    @property
    def has_stages(self) -> bool:
        """Whether the method can remove data in stages, as all that start from Original can."""
        return bool(method_class(self.method).starts_from_original)

    @cached_property
    def staged(self) -> Ended:
        """How an uninterrupted run of two stages ended."""
        return self.run(scenario=STAGES)

    def resolved(self, scenario: str = CELL.scenario, method: str = "") -> Run:
        """Return the run of this or another method, with its settings."""
        return self.study.run(self.study.run_name(replace(CELL, scenario=scenario), method or str(self.method), 0))

    def first_run(self) -> Ended:
        """Return how a run ended, after its first step has been checked, as before a study's training."""
        first_steps(self.resolved(), TRAIN * HOLD_OUT // 100)
        return self.run()

    def run(self, method: str = "", scenario: str = CELL.scenario, stops: Sequence[int] = (), seed: int = 0) -> Ended:
        """Do a run, stopped at the pauses ``stops`` and resumed; ``seed`` seeds the global generators."""
        return run_watched(self.study, str(self.resolved(scenario, method).name), stops, seed)


@contextlib.contextmanager
def miniature(method: str, plugins: Sequence[str] = ()) -> Iterator[MethodTest]:
    """Yield a method in a study of 160 digits, in a folder that is the working directory meanwhile.

    Raises `BadInput` if there is no such method, or a plugin cannot be imported.
    """
    name = MethodName.parse(method)
    plugins = [str(Path(plugin).resolve()) if plugin.endswith(".py") else plugin for plugin in plugins]
    # Equality to the last digit is promised for processors alone.
    on_processor = mock.patch.dict(os.environ, {DEVICE: "cpu"})
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), on_processor:
        table = {"kind": "unlearning", "cells": [str(CELL)], "methods": [str(name)]}
        study = make_study(NAME, STUDY | {"plugins": plugins, "tables": {"table": table}})
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            prepare(study, CELL.dataset)
            for scenario in (CELL.scenario, STAGES):
                split(study, CELL.dataset, scenario, 0)
            test = MethodTest(study, name)
            Watched(study, str(study.run_name(CELL, ORIGINAL, 0))).go()
            yield test


def make_study(name: str, content: dict[str, Any]) -> Study:
    """Write a study into the working directory, and read it."""
    write_text(paths.study_file(name), yaml.safe_dump(content))
    return Study.load(name)
