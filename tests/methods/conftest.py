"""Steps that the tests of several methods take."""

from __future__ import annotations

import pytest

from benchmark.methods.base import Output


@pytest.fixture
def learned(project):
    """Make a study whose Original, trained here, knows its training data."""

    def make(**settings):
        training = {"epochs": 20, "batch_size": 16}
        study = project.study({"hyperparameters": {"*": {"training": training, "unlearning": settings}}})
        project.run(study, project.original)
        return study

    return make


@pytest.fixture
def original(project):
    """Return the weights that a study's unlearning runs start from."""
    from benchmark.training.job import weights

    return lambda study: weights(study, study.run(project.original))


@pytest.fixture
def shown():
    """Return what a trainer's model makes of a step in training mode."""

    def show(trainer, step):
        generators = {name: trainer.context.streams.generator(f"augment-{name}") for name in step}
        images = {name: trainer.context.load(part, generators[name]) for name, part in step.items()}
        return {name: Output(shown, *trainer.model(shown)) for name, shown in images.items()}

    return show
