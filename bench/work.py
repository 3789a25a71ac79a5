"""The work that is timed, on a job's path: images and confidences of noise, and a trainer at its first step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmark.data.arrays import Arrays
from benchmark.methods.base import Context
from benchmark.metrics import mia
from benchmark.models import build, forward_flops
from benchmark.registry import METHODS
from benchmark.seeds import Streams
from benchmark.settings import Augmentation
from benchmark.training.batches import Images
from benchmark.training.device import Device
from benchmark.training.loop import Trainer

CLASSES = 10
AUGMENTATION = Augmentation()

Floats = NDArray[np.float64]
# For members, non-members and queries: mean and standard deviation of the true label's logit above the others, and the
# share of samples that are plainly wrong.
SPREAD = ((2.0, 2.0, 0.0), (0.8, 2.4, 0.0), (1.2, 2.3, 0.0))


def arrays(train: int, test: int = 2) -> Arrays:
    """Return ``train`` and ``test`` images of noise, uint8 (N, 32, 32, 3), as costly to work on as real ones."""
    rng = np.random.default_rng(0)
    shape = (32, 32, 3)
    return Arrays(
        rng.integers(0, 256, (train, *shape), np.uint8),
        rng.integers(0, CLASSES, train),
        rng.integers(0, 256, (test, *shape), np.uint8),
        rng.integers(0, CLASSES, test),
        [str(number) for number in range(CLASSES)],
    )


def confidences(
    spread: tuple[tuple[float, float, float], ...], size: int, queries: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return the confidences of ``size`` members, ``size`` non-members and ``queries`` samples to judge."""
    rng, groups = np.random.default_rng(seed), []
    for (mean, deviation, wrong), count in zip(spread, (size, size, queries), strict=True):
        margin = rng.normal(mean, deviation, count)
        margin = np.where(rng.random(count) < wrong, rng.normal(-3, 3, count), margin)
        groups.append(mia.confidence(np.logaddexp(0, -margin)))
    members, nonmembers, judged = groups
    return members, nonmembers, judged


def model(arch: str, data: Arrays) -> nn.Module:
    """Return a model with the same weights on every call."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return build(arch, len(data.classes), data.image_shape)


def trainer(
    method: str, arch: str, data: Arrays, device: Device, batch_size: int, forget: int, **settings: Any
) -> Trainer:
    """Return a trainer with a prepared method that forgets the last ``forget`` training images."""
    images = Images(data, AUGMENTATION, device.device)
    labels = images.labels["train"]
    indices = torch.arange(len(labels), device=device.device)
    context = Context(
        labels=labels,
        retain=indices[: len(labels) - forget],
        forget=indices[len(labels) - forget :],
        classes=images.classes,
        streams=Streams(0, ("bench", method)),
        load=images.load,
        fresh=lambda purpose: device.place(model(arch, data)),
    )
    method_class = METHODS.get(method)
    unlearner = method_class(method_class.Settings(batch_size=batch_size, **settings), context)
    network = device.place(model(arch, data))
    with torch.no_grad():
        unlearner.prepare(network)
    flops = forward_flops(arch, images.classes, images.image_shape)
    network.train()
    return Trainer(network, unlearner, device, lambda: None, flops)


def steps(trainer: Trainer) -> Callable[[], None]:
    """Return a function that does a trainer's next step, on the full batches of its first epoch over and over."""
    size = trainer.settings.batch_size
    full = [batch for batch in trainer.method.batches(0) if all(len(part.index) == size for part in batch.values())]
    batches = itertools.cycle(full)
    return lambda: trainer.train_step(next(batches), progress=0.5)
