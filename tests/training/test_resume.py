"""Every registered method, killed and started again, gives what it gives undisturbed: bit for bit, in float32."""

import itertools
import shutil
import signal
import subprocess
import sys
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
from benchmark.training.loop import Interrupted
from benchmark.training.optimiser import SGD
from tests.pool import run_folder
from tests.project import call, environment

WITH_CL = [name + CL for name in METHODS if METHODS.get(name).contrastive]
ALL_METHODS = list(dict.fromkeys(str(MethodName.parse(name)) for name in [*METHODS, *WITH_CL]))
# Two epochs: of one run for those that train alone, or whose epochs differ; else of two stages.
ALONE = ["original", "retrain", "ft", "salun", "l1-sparse", "scrub@msteps=1", "not+cl"]
CASES = [(name, "random-10") for name in ALONE]
CASES += [(name, "sequential-2x10") for name in ALL_METHODS if name not in ("original", "retrain")]

SLOWLY = """
import time

from benchmark.__main__ import main
from benchmark.training.optimiser import SGD

step = SGD.step
SGD.step = lambda self: time.sleep(0.2) or step(self)
main()
"""


def assert_same(first, second):
    assert first.status == second.status
    assert first.weights.keys() == second.weights.keys()
    for name, weight in first.weights.items():
        assert torch.equal(weight, second.weights[name]), name
    assert first.samples.equals(second.samples)
    assert first.measured.equals(second.measured)


@pytest.mark.parametrize(("method", "scenario"), CASES)
def test_a_run_that_is_stopped_and_resumed_equals_an_undisturbed_one(project, shared, method, scenario):
    study, name = project.study(), project.name(method, scenario)
    undisturbed = shared.run(method, scenario)
    # Somewhere in either half, between them, and after the last step.
    middle = undisturbed.pauses // 2
    draw = np.random.default_rng(zlib.crc32(method.encode())).integers
    stops = tuple(sorted({int(draw(1, middle + 1)), middle, int(draw(middle, undisturbed.pauses)), undisturbed.pauses}))
    resumed = project.run(study, name, stops)
    # No step was repeated: each start went on where the one before had stopped.
    assert (resumed.starts, resumed.pauses) == (1 + len(stops), undisturbed.pauses)
    assert_same(resumed, undisturbed)
    assert not paths.work(study.run(name).pool_path).exists()


def test_every_method_trains_in_bfloat16_and_resumes_too(project):
    study = project.study({"precision": "bfloat16"}, {"hyperparameters": {"*": {"unlearning": {"epochs": 1}}}})
    project.run(study, project.original)
    for method in METHODS:
        name = project.name(method)
        end = project.run(study, name)
        assert end.status == "finished" and end.record["stamp"]["precision"] == "bfloat16", name
        assert np.isfinite(end.samples["loss"]).all(), name
        assert all(str(weight.dtype) in ("torch.float32", "torch.int64") for weight in end.weights.values()), name
        if method in ("coun", "salun", "scrub"):
            assert_same(project.run(study, name, (3,)), end)


def test_time_adds_up_over_interruptions_and_every_machine_is_named(project):
    study, name = project.study(), project.name("ft")
    job = project.job(study, name, stop_at=3)
    with pytest.raises(Interrupted):
        job.go()
    state = job.checkpoint.load()
    assert state["wall_seconds"] > 0 and 0 < state["meter"]["seconds"] < 1800
    # As if it came from another machine.
    elsewhere = {"wall_seconds": 3600.0, "meter": state["meter"] | {"seconds": 1800.0}}
    job.checkpoint.save(state | elsewhere | {"stamp": state["stamp"] | {"device": "another"}})
    end = project.run(study, name)
    assert end.record["wall_seconds"] > 3600 and end.history["seconds"].min() > 1800
    assert end.history["seconds"].is_monotonic_increasing and end.history["cpu_seconds"].min() > 0
    assert end.record["stamp"]["device"] == f"another and {job.device.name}"
    assert end.record["stamp"]["precision"] == "float32"


def test_a_layers_random_draws_go_on_after_an_interruption(project):
    def dropping(classes, image_shape):
        body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.ReLU())
        return Classifier(body, nn.Linear(32, classes))

    ARCHITECTURES.add("dropping", dropping)
    study = project.study({"tables": {"table2": {"cells": ["digits/dropping/random-10"]}}})
    name = "digits/dropping/original/trial-0"
    assert_same(project.run(study, name, (3, 7)), project.run(study, name))


def test_a_signal_saves_the_state_and_the_same_command_resumes(project, monkeypatch):
    study, name = project.unlearning(epochs=8, evaluate_every=8), project.name("ft")
    project.run(study, name)
    folder, checkpoint = run_folder(study, name), paths.work(study.run(name).pool_path) / "checkpoint.pt"
    undisturbed = (folder / paths.SAMPLES).read_bytes()
    shutil.rmtree(folder)
    # Stop another process in its training, which is slowed down so that it does not end before.
    command = [sys.executable, "-c", SLOWLY, "run", "tiny", name]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(), **streams) as process:
        while not process.stdout.readline().startswith("epoch 1/8"):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by SIGTERM in epoch" in errors and "Traceback" not in errors
    assert checkpoint.is_file() and not (folder / paths.SAMPLES).exists()
    # Control-C at the third of the remaining steps.
    step, steps = SGD.step, itertools.count(1)

    def interrupted(self):
        step(self)
        if next(steps) == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SGD, "step", interrupted)
        second = call("run", "tiny", name)
    assert second.returncode == 143 and "stopped by SIGINT in epoch" in second.stderr
    assert checkpoint.is_file() and not (folder / paths.SAMPLES).exists()
    printed = call("run", "tiny", name, check=True).stdout
    assert "resumed after epoch" in printed and printed.splitlines()[-1] == "finished"
    assert (folder / paths.SAMPLES).read_bytes() == undisturbed
