"""Every registered method, killed and started again, gives what it gives undisturbed: bit for bit, in float32."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from torch import nn

from benchmark import paths
from benchmark.methods import METHODS
from benchmark.models.classifier import Classifier
from benchmark.names import CL, MethodName
from benchmark.registry import ARCHITECTURES
from benchmark.results.records import record
from benchmark.training import job as jobs
from benchmark.training.loop import Interrupted, Trainer
from tests.places import run_folder
from tests.project import environment

WITH_CL = [name + CL for name in METHODS if METHODS.get(name).contrastive]
EVERY = list(dict.fromkeys(str(MethodName.parse(name)) for name in [*METHODS, *WITH_CL]))


class Killed(BaseException):
    """The process is gone: nothing after the step it was in happens."""


def assert_same(one, other):
    assert one.status == other.status
    assert one.weights.keys() == other.weights.keys()
    for name, weight in one.weights.items():
        assert torch.equal(weight, other.weights[name]), name
    assert one.samples.equals(other.samples)
    assert one.measured.equals(other.measured)


@pytest.mark.parametrize("method", EVERY)
def test_stopped_and_resumed_equals_undisturbed(project, method):
    study = project.study()
    name = project.name(method)
    whole = project.run(study, name)
    rng = np.random.default_rng(zlib.crc32(method.encode()))
    stops = tuple(sorted(rng.permutation(np.arange(1, whole.pauses + 1))[:3].tolist()))
    parts = project.run(study, name, stops)
    # No step was done twice: each start went on where the one before had stopped.
    assert (parts.starts, parts.pauses) == (1 + len(stops), whole.pauses)
    assert_same(parts, whole)
    assert not paths.work(study.run(name).place).exists()


def test_in_bfloat16_it_trains_and_resumes_as_well(project):
    study = project.study({"precision": "bfloat16"})
    project.run(study, project.original)
    for name in map(project.name, METHODS):
        whole = project.run(study, name)
        assert whole.status == "finished" and whole.record["stamp"]["precision"] == "bfloat16", name
        assert np.isfinite(whole.samples["loss"]).all(), name
        assert all(str(weight.dtype) in ("torch.float32", "torch.int64") for weight in whole.weights.values()), name
        if whole.pauses > 3:
            assert_same(project.run(study, name, (3,)), whole)


@pytest.mark.parametrize(("method", "killed_at"), [("ft", 2), ("salun", 5), ("not", 8), ("neggrad-plus+cl", 8)])
def test_killed_some_steps_after_a_save_equals_undisturbed(project, method, killed_at):
    study, name = project.study(), project.name(method)
    whole = project.run(study, name)
    train = Trainer.train

    def killed(trainer, pause, *report):
        pauses = 0

        def counted(trainer):
            nonlocal pauses
            pauses += 1
            patch.setattr(jobs, "CHECKPOINT_SECONDS", math.inf if pauses % 3 else -1.0)
            pause(trainer)
            if pauses == killed_at:
                raise Killed

        train(trainer, counted, *report)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "train", killed)
        jobs.Job(study, study.run(name), "a test").go()
    assert (paths.work(study.run(name).place) / "checkpoint.pt").exists() == (killed_at >= 3)
    assert_same(project.run(study, name), whole)


def test_time_adds_up_over_interruptions_and_every_machine_is_named(project):
    study = project.study()
    name = project.name("ft")
    job = project.job(study, name, stop_at=3)
    with pytest.raises(Interrupted):
        job.go()
    state = job.checkpoint.load()
    assert state["wall_seconds"] > 0
    # As if it had been another machine's.
    job.checkpoint.save(state | {"wall_seconds": 3600.0, "stamp": state["stamp"] | {"device": "another"}})
    project.run(study, name)
    told = record(study, study.run(name))
    assert told["wall_seconds"] > 3600
    assert told["stamp"]["device"] == f"another and {job.device.name}"
    assert told["stamp"]["precision"] == "float32"


def test_not_has_negated_once_after_an_interruption(project):
    study = project.unlearning(lr=1e-12, final_lr=0, weight_decay=0)
    name = project.name("not")
    (negated,) = project.start(study, name).model.negated
    original = jobs.weights_of(study, study.run(project.original))[negated]
    for stops in ((), (3,), (3, 5, 6)):
        end = project.run(study, name, stops)
        assert torch.allclose(end.weights[negated], -original, atol=1e-6)


def test_what_a_layer_draws_goes_on_after_an_interruption(project):
    def dropping(classes, image_shape):
        body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.ReLU())
        return Classifier(body, nn.Linear(32, classes))

    ARCHITECTURES.add("dropping", dropping)
    study = project.study({"tables": {"table2": {"cells": ["digits/dropping/random-10"]}}})
    original = project.run(study, "digits/dropping/original/trial-0")
    assert_same(project.run(study, "digits/dropping/original/trial-0", (3, 7)), original)
    name = "digits/dropping/random-10/coun/trial-0"
    whole = project.run(study, name)
    torch.manual_seed(123)
    assert_same(project.run(study, name, (1, 8)), whole)


def test_a_run_does_not_depend_on_what_the_process_drew_before(project):
    study = project.study()
    first = project.run(study, project.name("retrain"))
    torch.rand(1000)
    np.random.default_rng().random(10)
    assert_same(project.run(study, project.name("retrain")), first)


def test_time_and_cost_before_an_interruption_count(project):
    study = project.study()
    name = project.name("coun")
    whole, parts = project.run(study, name), project.run(study, name, (4, 9))
    assert parts.history["pflops"].tolist() == whole.history["pflops"].tolist()
    assert parts.history["seconds"].is_monotonic_increasing and parts.history["cpu_seconds"].min() > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_state_and_the_same_command_goes_on(project, number):
    study, name = project.unlearning(epochs=40, evaluate_every=40), project.name("ft")
    command = [sys.executable, "-m", "benchmark", "run", "tiny", name]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(), stdout=pipe, stderr=pipe, text=True) as process:
        while not process.stdout.readline().startswith("epoch 1/40"):
            assert process.poll() is None
        time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"stopped by {number.name} in epoch" in errors and "Traceback" not in errors
    assert (paths.work(study.run(name).place) / "checkpoint.pt").is_file()
    samples = run_folder(study, name) / paths.SAMPLES
    assert not samples.exists()
    if number == signal.SIGTERM:
        again = project.command("run", "tiny", name, check=True)
        assert "resumed after epoch" in again.stdout and again.stdout.splitlines()[-1] == "finished"
        resumed = samples.read_bytes()
        project.run(study, name)
        assert samples.read_bytes() == resumed
