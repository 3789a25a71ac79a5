"""What every method promises, tried on a miniature study: for `python -m benchmark test`, and for our own tests.

A promise is a function that raises `Broken` where a method does not keep it; its docstring says it in words.
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
from benchmark.study.plugins import method_class
from benchmark.study.prepare import prepare, split
from benchmark.study.study import Study
from benchmark.training.job import Job
from benchmark.training.loop import Interrupted, Trainer

NAME, CELL, STAGES = "contract", Cell("digits", "convnet", "random-10"), "sequential-2x10"
TRAIN, BATCH = 160, 32  # images
# All methods train two epochs: in stages, one each.
EPOCHS = {"epochs": 2, "batch_size": BATCH}
STUDY: dict[str, Any] = {
    "trials": 1,
    "precision": "float32",
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
    """A promise that a method does not keep; the message says what it did instead."""


class Finding(NamedTuple):
    """One promise in words, and what was done instead: nothing where it is kept."""

    promise: str
    instead: str


class Ended(NamedTuple):
    """How a run ended: what it left, and the stage and part of everything that its training loaded."""

    status: str
    samples: pd.DataFrame
    weights: dict[str, torch.Tensor]
    loaded: list[tuple[int, Part]]
    trainer: Trainer
    pauses: int

    def same(self, other: Ended) -> bool:
        """Whether two runs came out the same, bit for bit."""
        pairs = [(weight, other.weights[name]) for name, weight in self.weights.items()]
        return self.samples.equals(other.samples) and all(torch.equal(one, another) for one, another in pairs)


class _Watched(Job):
    """A job that is asked to stop at one of its pauses, and remembers what its training loaded."""

    def __init__(self, study: Study, name: str, stop: int | None, loaded: list[tuple[int, Part]]) -> None:
        run = study.run(name)
        keep = paths.run(run.place) / paths.MODEL if run.name.is_original else None
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

    def _trainer(self, *given: Any) -> Trainer:
        self.trainer = super()._trainer(*given)
        return self.trainer

    def _pause(self, trainer: Trainer) -> None:
        self.pauses += 1
        if self.pauses == self.stop:
            self._stop = signal.SIGTERM
        super()._pause(trainer)


@dataclass(frozen=True)
class Trial:
    """A method in a miniature study, which lies in the working directory."""

    study: Study
    method: MethodName

    @property
    def has_stages(self) -> bool:
        """Whether it can remove data in stages, as all can that start from Original."""
        return bool(method_class(self.method).starts_from_original)

    @cached_property
    def staged(self) -> Ended:
        """How an undisturbed run of two stages ended."""
        return self.run(scenario=STAGES)

    def run(self, method: str = "", scenario: str = CELL.scenario, stops: Sequence[int] = (), seed: int = 0) -> Ended:
        """Do a run, stopped at the pauses ``stops`` and started again; ``seed`` is of the global generators."""
        method = method or str(self.method)
        name = str(RunName(CELL.dataset, CELL.arch, "" if method == ORIGINAL else scenario, method, 0))
        loaded: list[tuple[int, Part]] = []
        left, before = list(stops), 0
        while True:
            random.seed(seed + before)
            torch.manual_seed(seed + before)
            np.random.seed(seed + before)
            job = _Watched(self.study, name, left.pop(0) - before if left else None, loaded)
            try:
                status = job.go()
            except Interrupted:
                before += job.pauses
                continue
            samples = records.frame(self.study, self.study.run(name), paths.SAMPLES)
            weights = {key: value.clone() for key, value in job.trainer.model.state_dict().items()}
            return Ended(status, samples, weights, loaded, job.trainer, before + job.pauses)


@contextlib.contextmanager
def miniature(method: str, plugins: Sequence[str] = ()) -> Iterator[Trial]:
    """Give a method in a study of 160 digits, in a folder that is the working directory for the time.

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
            trial = Trial(study, name)
            _Watched(study, str(study.run_name(CELL, ORIGINAL, 0)), None, []).go()
            yield trial


def _study(name: str, content: dict[str, Any]) -> Study:
    write_text(paths.study_file(name), yaml.safe_dump(content))
    return Study.load(name)


def ends_well(trial: Trial, whole: Ended) -> None:
    """It trains to the end, and its outputs are numbers."""
    if whole.status != records.FINISHED:
        epoch, step = whole.trainer.diverged or (0, 0)
        raise Broken(f"with its defaults it diverged in epoch {epoch + 1}, step {step + 1}")


def repeats(trial: Trial, whole: Ended) -> None:
    """It is repeated bit for bit, whatever the global random generators hold."""
    if not trial.run(seed=1000).same(whole):
        raise Broken("a second run differs: it draws from other streams than self.context.streams")


def resumes(trial: Trial, whole: Ended) -> None:
    """A run that is stopped and started again equals one that was not, bit for bit; so does one of several stages."""
    for scenario, ended in {CELL.scenario: whole, **({STAGES: trial.staged} if trial.has_stages else {})}.items():
        stops = sorted({1, ended.pauses // 2, ended.pauses} - {0})
        if not trial.run(scenario=scenario, stops=stops, seed=2000).same(ended):
            raise Broken("it differs: something that it remembers from step to step is not in the model's weights")


def repeats_its_steps(trial: Trial, whole: Ended) -> None:
    """batches(epoch) gives the same steps on every call, and others in another epoch."""

    def steps(epoch: int) -> list[dict[str, tuple[list[int], list[int]]]]:
        batches = whole.trainer.method.batches(epoch)
        return [{name: (part.index.tolist(), part.label.tolist()) for name, part in one.items()} for one in batches]

    if steps(0) != steps(0):
        raise Broken("a second call for epoch 0 gives other steps")
    if steps(0) and steps(0) == steps(1):
        raise Broken("epochs 0 and 1 have the same steps: are the samples shuffled once for all?")


def keeps_what_is_gone(trial: Trial, whole: Ended) -> None:
    """In sequential removal it loads nothing that an earlier stage removed."""
    if not trial.has_stages:
        return
    run = trial.study.run(str(RunName(CELL.dataset, CELL.arch, STAGES, str(trial.method), 0)))
    gone = set(forgotten(records.forget(trial.study, run), stage=1).tolist())
    if again := {index for stage, part in trial.staged.loaded if stage > 1 for index in part.index.tolist()} & gone:
        raise Broken(f"its second stage loads {len(again)} samples that the first removed")


def runs_in_bfloat16(trial: Trial, whole: Ended) -> None:
    """It trains in bfloat16 as well."""
    content = yaml.safe_load(paths.study_file(NAME).read_text(encoding="utf-8"))
    half = replace(trial, study=_study(f"{NAME}-bfloat16", content | {"precision": "bfloat16"}))
    if trial.method.base != ORIGINAL:
        half.run(ORIGINAL)
    if half.run().status != records.FINISHED:
        raise Broken("it diverged, where it does not in float32: are losses computed in float32?")


def takes_the_term(trial: Trial, whole: Ended) -> None:
    """With the contrastive term at weight 0 it is what it is without."""
    if not whole.trainer.method.contrastive or trial.method.contrastive:
        return
    term = str(MethodName(trial.method.base, True, tuple(sorted([*trial.method.settings, ("lambda", "0")]))))
    if not trial.run(term).samples.equals(whole.samples):
        raise Broken(f"{term} differs: its steps need a part 'retain', and its loss the method's own")


Promise = Callable[[Trial, Ended], None]
PROMISES: list[Promise] = [
    ends_well,
    repeats_its_steps,
    repeats,
    resumes,
    keeps_what_is_gone,
    takes_the_term,
    runs_in_bfloat16,
]


def examine(method: str, plugins: Sequence[str] = (), promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Try the promises of a method; raise `BadInput` as `miniature` does.

    Where the first run ends in an error, that is the only finding.
    """
    with miniature(method, plugins) as trial:
        whole: list[Ended] = []
        findings = [_finding("It does a run.", lambda: whole.append(trial.run()))]
        if not whole:
            return findings
        return [_finding(str(promise.__doc__), partial(promise, trial, whole[0])) for promise in promises]


def broken(method: str, plugins: Sequence[str] = (), promises: Sequence[Promise] = PROMISES) -> list[Finding]:
    """Return the promises that a method does not keep."""
    return [finding for finding in examine(method, plugins, promises) if finding.instead]


def _finding(promise: str, attempt: Callable[[], object]) -> Finding:
    try:
        attempt()
    except (Broken, BadInput) as error:
        return Finding(promise, str(error))
    except Exception as error:  # of a method that anyone wrote
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Finding(promise, f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})")
    return Finding(promise, "")
