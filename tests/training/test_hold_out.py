"""Training images that a trial holds out: no run trains on them, and metrics can be measured on them."""

import numpy as np
import pytest

from benchmark.data import splits
from benchmark.data.splits import read_split
from benchmark.errors import BadInput
from benchmark.files import written_origin
from benchmark.metrics import measure, membership
from benchmark.results import records
from benchmark.study.prepare import held_out, split

RESAMPLED = {"hold_out": 25, "resample": ["original", "split"]}


def test_held_out_images_are_trained_on_by_no_run_and_measured_apart(project):
    study = project.study(RESAMPLED)
    of_runs = []
    for method, scenario in (("original", ""), ("retrain", "random-10"), ("retrain", "class-8"), ("ft", "random-10")):
        name = project.name(method, scenario)
        if scenario:
            split(study, "digits", scenario, 0)
        end = project.run(study, name)
        samples, context = end.samples, end.trainer.context
        forget = records.forget_rows(study, study.run(name)) if scenario else None
        memberships = membership(samples, forget).to_numpy()
        held = samples.loc[samples["split"] == "held-out", "index"].tolist()
        of_runs.append(held)
        assert len(held) == 40 and not {*held} & {*context.retain.tolist(), *context.forget.tolist()}
        assert (memberships == "retain").sum() == len(context.retain)
        if scenario:
            measured = samples[memberships == "held-out"]
            unseen = measure(samples, forget, unseen="held-out")
            assert unseen["ta"] == 100 * (measured["label"] == measured["prediction"]).mean()
            assert unseen["ra"] == end.history["ra"].iloc[-1] and unseen["ua"] == end.history["ua"].iloc[-1]
            assert 8 not in measured["label"].to_numpy() if scenario == "class-8" else len(measured) == 40
    assert all(held == of_runs[0] for held in of_runs)


def test_an_image_that_is_held_out_is_no_retained_twin(project, monkeypatch):
    study = project.study(RESAMPLED)
    numbers = np.arange(160)
    numbers[read_split(split(study, "digits", "random-10", 0))["index"]] = -1
    numbers[held_out(study, study.run(project.name("ft")), 160)] = -1
    monkeypatch.setattr(splits, "equal_images", lambda *_: [numbers, np.full(60, -2)])
    assert written_origin(split(study, "digits", "random-10", 0))["twins"] == 0


def test_a_share_that_cannot_be_held_out_is_refused(empty):
    small = {"hyperparameters": {"*": {group: {"batch_size": 8} for group in ("training", "unlearning")}}}
    stages = {"figure6": {"kind": "stages", "cells": ["digits/convnet/sequential-2x20"], "methods": ["ft"]}}
    large = {"hyperparameters": {"*": {"unlearning": {"batch_size": 128}}}}
    assert empty.study(large)
    for change, message in [
        ({"hold_out": 90}, "hold_out: 90: digits/convnet/random-10 forgets 10 %, so that nothing is retained"),
        ({"hold_out": 10, "resample": ["split"]}, "Original would have seen"),
        (small | {"hold_out": 60, "figures": stages}, "hold_out: 60: .*2x20 forgets 40 %, so that nothing is retained"),
        (large | {"hold_out": 25}, "batch_size: 128: accepted is at most the 104 retain images"),
        ({"hold_out": 91}, "hold_out: 91: accepted is a number of at most 90"),
    ]:
        with pytest.raises(BadInput, match=message):
            empty.study(change)
