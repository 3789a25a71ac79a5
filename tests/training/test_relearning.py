"""Relearning: what a model is trained on again, and how it recovers."""

import numpy as np
import pandas as pd
import torch

from benchmark import paths
from benchmark.features import relearning as again
from benchmark.features.embed import embed
from benchmark.features.relearning import relearning
from benchmark.features.trained_model import TrainedModel
from benchmark.methods.base import Part
from benchmark.study.prepare import split
from benchmark.training.optimiser import SGD

RELEARNING = {"relearning": {"steps": 25, "every": 10, "batch_size": 64, "lr": 0.02}}
SHOWN = {"kind": "relearning", "cells": ["digits/convnet/class-8"], "methods": ["ft"]}


def trained_model(study, method: str) -> TrainedModel:
    return TrainedModel(study, study.derive("relearning", study.run(method), "class-8"))


def test_original_relearns_a_class_sooner_than_retrain(project) -> None:
    training = {"training": {"epochs": 20, "evaluate_every": 20}}
    study = project.study({**RELEARNING, "tables": {"again": SHOWN}, "hyperparameters": {"*": training}})
    retrain = "digits/convnet/class-8/retrain/trial-0"
    for name in (project.original, retrain):
        project.run(study, name)
    files = [embed(study, "relearning", name, "class-8") for name in (project.original, retrain)]
    original, retrained = (pd.read_parquet(file) for file in files)
    assert files[1] == paths.derived(study.derive("relearning", study.run(retrain), "class-8").pool_path)
    assert original["step"].tolist() == [0, 10, 20, 25]  # the last one is evaluated too
    assert original["forget_accuracy"].min() > 80 and retrained["forget_accuracy"].iloc[0] == 0
    assert (original["forget_accuracy"] > retrained["forget_accuracy"]).all()
    pd.testing.assert_frame_equal(retrained, relearning(trained_model(study, retrain)))  # to the last bit


def test_every_model_sees_the_same_batches_of_all_images_but_those_held_out(project, monkeypatch) -> None:
    study = project.study({**RELEARNING, "hold_out": 20, "tables": {"again": SHOWN}})
    split(study, "digits", "class-8", 0)
    for name in (project.original, "digits/convnet/class-8/ft/trial-0"):
        project.run(study, name)
    seen: list[list[int]] = []
    optimisers: list[SGD] = []
    for name in (project.original, "digits/convnet/class-8/ft/trial-0"):
        trained = trained_model(study, name)
        load = trained.images.load

        def watched(part: Part, generator: torch.Generator, load=load) -> torch.Tensor:
            seen[-1].extend(part.index.tolist())
            return load(part, generator)

        monkeypatch.setattr(trained.images, "load", watched)
        monkeypatch.setattr(again, "SGD", lambda model, recipe: optimisers.append(SGD(model, recipe)) or optimisers[-1])
        seen.append([])
        relearning(trained)
    assert seen[0] == seen[1] and len(seen[0]) == 25 * 64
    assert [optimiser.lr for optimiser in optimisers] == [0.02, 0.02]
    allowed = np.flatnonzero(trained.retained | trained.forgotten)
    assert set(seen[0]) <= set(allowed) and len(allowed) < len(trained.labels)
    assert trained.forgotten[seen[0][: len(allowed)]].sum() == trained.forgotten.sum()  # a pass over all of them


def test_the_settings_of_relearning_decide_where_its_file_lies(project) -> None:
    first, second = (project.study({"relearning": {"steps": steps}}) for steps in (25, 50))
    name = project.original
    files = [study.derive("relearning", study.run(name), "class-8").pool_path for study in (first, second)]
    assert files[0] != files[1] and files[0].startswith("relearning/digits/convnet/class-8/original/trial-0-")
    views = [study.derive("views", study.run(name), "class-8").pool_path for study in (first, second)]
    assert views[0] == views[1]
