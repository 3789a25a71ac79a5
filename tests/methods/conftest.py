"""Steps that the tests of several methods take."""

import math

import pytest
import torch

from benchmark.methods.base import Output
from benchmark.training.outcome import weights_of


def same(weights, others):
    """Whether all of some tensors are those of the same names, bit for bit."""
    return all(torch.equal(value, others[name]) for name, value in weights.items())


def kl(teacher, student):
    """KL(teacher || student) of two rows of logits, in plain Python."""
    p, q = ([math.exp(value) / sum(map(math.exp, row)) for value in row] for row in (teacher, student))
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def indices(steps, name):
    """The samples that the steps' parts of a name hold, in order."""
    return [index for step in steps if name in step for index in step[name].index.tolist()]


@pytest.fixture
def original(project):
    """Return the weights that a study's unlearning runs start from."""
    return lambda study: weights_of(study, study.run(project.original))


@pytest.fixture
def shown():
    """Return what a trainer's model makes of a step in training mode."""

    def show(trainer, step):
        generators = {name: trainer.context.streams.generator(f"augment-{name}") for name in step}
        images = {name: trainer.context.load(part, generators[name]) for name, part in step.items()}
        return {name: Output(shown, *trainer.model(shown)) for name, shown in images.items()}

    return show
