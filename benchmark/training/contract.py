"""The promises of every method, tested on a miniature study: for `python -m benchmark test`, and for our own tests.

A promise is a function that raises `Broken` if a method does not keep it; its docstring is the promise in words.
"""

from __future__ import annotations

import contextlib
import io
import random
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml

from benchmark import paths
from benchmark.data.splits import forgotten
from benchmark.errors import BadInput
from benchmark.files import write_text
from benchmark.methods.base import Context, Meter, Part
from benchmark.names import ORIGINAL, Cell, MethodName, RunName
from benchmark.results import records
from benchmark.study.plugins import line_of, method_class
from benchmark.study.prepare import held_out, prepare, split
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.training.job import Job
from benchmark.training.loop import Interrupted, Trainer
from benchmark.workflow.preflight import first_steps

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


class Broken(Exception):
    """A promise that a method does not keep; the message says what the method did instead."""


class Finding(NamedTuple):
    """A promise in words, and what the method did instead: empty if the promise is kept."""

    promise: str
    instead: str


class Ended(NamedTuple):
    """How a run ended: what it left, and every part that its training loaded, with its stage."""

    status: str
    samples: pd.DataFrame
    weights: dict[str, torch.Tensor]
    loaded: list[tuple[int, Part]]
    trainer: Trainer
    pauses: int

    def same(self, other: Ended) -> bool:
        """Return whether two runs ended with the same samples and weights, bit for bit."""
        same_weights = all(torch.equal(weight, other.weights[name]) for name, weight in self.weights.items())
        return self.samples.equals(other.samples) and same_weights


class _Watched(Job):
    """A job that is asked to stop at one of its pauses, and records what its training loads."""

    def __init__(self, study: Study, name: str, stop: int | None, loaded: list[tuple[int, Part]]) -> None:
        run = study.run(name)
        keep = paths.run(run.pool_path) / paths.MODEL if run.name.is_original else None
        super().__init__(study, run, "test", keep)
        self.stop, self.loaded, self.pauses = stop, loaded, 0

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

    def resolved(self, scenario: str = CELL.scenario) -> Run:
        """Return the method's run, with its settings."""
        return self.study.run(str(RunName(CELL.dataset, CELL.arch, scenario, str(self.method), 0)))

    def first_run(self) -> Ended:
        """Return how a run ended, after its first step has been checked, as before a study's training."""
        first_steps(self.resolved(), TRAIN * HOLD_OUT // 100)
        return self.run()

    def run(self, method: str = "", scenario: str = CELL.scenario, stops: Sequence[int] = (), seed: int = 0) -> Ended:
        """Do a run, stopped at the pauses ``stops`` and resumed; ``seed`` seeds the global generators."""
        method = method or str(self.method)
        name = str(RunName(CELL.dataset, CELL.arch, "" if method == ORIGINAL else scenario, method, 0))
        loaded: list[tuple[int, Part]] = []
        remaining, pauses = list(stops), 0
        while True:
            random.seed(seed + pauses)
            torch.manual_seed(seed + pauses)
            np.random.seed(seed + pauses)
            job = _Watched(self.study, name, remaining.pop(0) - pauses if remaining else None, loaded)
            try:
                status = job.go()
            except Interrupted:
                pauses += job.pauses
                continue
            samples = records.frame(self.study, self.study.run(name), paths.SAMPLES)
            weights = {key: value.clone() for key, value in job.trainer.model.state_dict().items()}
            return Ended(status, samples, weights, loaded, job.trainer, pauses + job.pauses)


@contextlib.contextmanager
def miniature(method: str, plugins: Sequence[str] = ()) -> Iterator[MethodTest]:
    """Yield a method in a study of 160 digits, in a folder that is the working directory meanwhile.

    Raises `BadInput` if there is no such method, or a plugin cannot be imported.
    """
    name = MethodName.parse(method)
    plugins = [str(Path(plugin).resolve()) if plugin.endswith(".py") else plugin for plugin in plugins]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        table = {"kind": "unlearning", "cells": [str(CELL)], "methods": [str(name)]}
        study = _study(NAME, STUDY | {"plugins": plugins, "tables": {"table": table}})
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            prepare(study, CELL.dataset)
            for scenario in (CELL.scenario, STAGES):
                split(study, CELL.dataset, scenario, 0)
            test = MethodTest(study, name)
            _Watched(study, str(study.run_name(CELL, ORIGINAL, 0)), None, []).go()
            yield test


def _study(name: str, content: dict[str, Any]) -> Study:
    write_text(paths.study_file(name), yaml.safe_dump(content))
    return Study.load(name)


def ends_well(test: MethodTest, first_run: Ended) -> None:
    """It trains to the end, and its outputs are finite numbers."""
    if first_run.status != records.FINISHED:
        epoch, step = first_run.trainer.diverged or (0, 0)
        raise Broken(f"with its defaults it diverged in epoch {epoch + 1}, step {step + 1}")


def repeats(test: MethodTest, first_run: Ended) -> None:
    """It repeats bit for bit, whatever the state of the global random generators."""
    if not test.run(seed=1000).same(first_run):
        raise Broken("a second run differs: it draws from other streams than self.context.streams")


def resumes(test: MethodTest, first_run: Ended) -> None:
    """A run that is stopped and resumed equals one that is not, bit for bit; so does one of several stages."""
    for scenario, ended in {CELL.scenario: first_run, **({STAGES: test.staged} if test.has_stages else {})}.items():
        stops = sorted({1, ended.pauses // 2, ended.pauses} - {0})
        if not test.run(scenario=scenario, stops=stops, seed=2000).same(ended):
            raise Broken("it differs: something that it remembers from step to step is not in the model's weights")


def repeats_its_steps(test: MethodTest, first_run: Ended) -> None:
    """batches(epoch) gives the same steps on every call, and other steps for another epoch."""

    def steps(epoch: int) -> list[dict[str, tuple[list[int], list[int]]]]:
        batches = first_run.trainer.method.batches(epoch)
        return [{name: (part.index.tolist(), part.label.tolist()) for name, part in step.items()} for step in batches]

    if steps(0) != steps(0):
        raise Broken("a second call for epoch 0 gives other steps")
    if steps(0) and steps(0) == steps(1):
        raise Broken("epochs 0 and 1 have the same steps: are the samples shuffled only once?")


def leaves_absent_data_alone(test: MethodTest, first_run: Ended) -> None:
    """It loads nothing that is held out or, in sequential removal, that an earlier stage removed."""
    unseen = set(held_out(test.study, test.resolved(), TRAIN).tolist())
    if loaded := unseen & {index for _, part in first_run.loaded for index in part.index.tolist()}:
        raise Broken(f"it loads {len(loaded)} samples that are held out")
    if not test.has_stages:
        return
    removed = set(forgotten(records.forget_rows(test.study, test.resolved(STAGES)), stage=1).tolist())
    later = {index for stage, part in test.staged.loaded if stage > 1 for index in part.index.tolist()}
    if reloaded := later & removed:
        raise Broken(f"its second stage loads {len(reloaded)} samples that the first removed")


def runs_in_bfloat16(test: MethodTest, first_run: Ended) -> None:
    """It trains in bfloat16 as well."""
    content = yaml.safe_load(paths.study_file(NAME).read_text(encoding="utf-8"))
    bfloat16_test = replace(test, study=_study(f"{NAME}-bfloat16", content | {"precision": "bfloat16"}))
    if test.method.base != ORIGINAL:
        bfloat16_test.run(ORIGINAL)
    if bfloat16_test.run().status != records.FINISHED:
        raise Broken("it diverged, though not in float32: are losses computed in float32?")


def accepts_contrastive_term(test: MethodTest, first_run: Ended) -> None:
    """With the contrastive term at weight 0 it equals itself without the term."""
    if not first_run.trainer.method.contrastive:
        return
    with_term = str(MethodName(test.method.base, True, tuple(sorted([*test.method.settings, ("lambda", "0")]))))
    if not test.run(with_term).samples.equals(first_run.samples):
        raise Broken(f"{with_term} differs: its steps need a part 'retain', and its loss the method's own")


Promise = Callable[[MethodTest, Ended], None]
PROMISES: list[Promise] = [
    ends_well,
    repeats_its_steps,
    repeats,
    resumes,
    leaves_absent_data_alone,
    accepts_contrastive_term,
    runs_in_bfloat16,
]


def examine(method: str, plugins: Sequence[str], promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Test the promises of a method; raise `BadInput` as `miniature` does.

    If the first run ends in an error, that is the only finding.
    """
    with miniature(method, plugins) as test:
        runs: list[Ended] = []
        module = method_class(test.method).__module__
        findings = [_finding("It does a run.", lambda: runs.append(test.first_run()), module)]
        if not runs:
            return findings
        return [_finding(str(promise.__doc__), partial(promise, test, runs[0]), module) for promise in promises]


def broken(method: str, plugins: Sequence[str] = (), promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Return the promises that a method does not keep."""
    return [finding for finding in examine(method, plugins, promises) if finding.instead]


def _finding(promise: str, attempt: Callable[[], object], module: str) -> Finding:
    """Return whether an attempt ends well; the place of an error is in the method's ``module`` where it has been."""
    try:
        attempt()
    except (Broken, BadInput) as error:
        return Finding(promise, str(error))
    except Exception as error:  # anyone may have written the method
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = line_of(error, module) or f" ({Path(last.filename).name}, line {last.lineno})"
        return Finding(promise, f"{type(error).__name__}: {error}{place}")
    return Finding(promise, "")
