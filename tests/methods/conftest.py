"""Helpers for the tests of several methods."""

import math

import pytest
import torch

from benchmark.methods.base import Output
from benchmark.training.run_files import weights_of


def same(weights, others):
    """Return whether all tensors equal the others of the same names, bit for bit."""
    return all(torch.equal(value, others[name]) for name, value in weights.items())


def kl(teacher, student):
    """Return KL(teacher || student) of two rows of logits, in plain Python."""
    p, q = ([math.exp(value) / sum(map(math.exp, row)) for value in row] for row in (teacher, student))
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def indices(steps, name):
    """Return the samples in the parts of this name, in the order of the steps."""
    return [index for step in steps if name in step for index in step[name].index.tolist()]


@pytest.fixture
def original(project):
    """Return a function that gives the weights a study's unlearning runs start from."""
    return lambda study: weights_of(study, study.run(project.original))


@pytest.fixture
def outputs_of():
    """Return a function that passes a step through a trainer's model in training mode."""

    def forward(trainer, step):
        generators = {name: trainer.context.streams.generator(f"augment-{name}") for name in step}
        images = {name: trainer.context.load(part, generators[name]) for name, part in step.items()}
        return {name: Output(batch, *trainer.model(batch)) for name, batch in images.items()}

    return forward
