"""Images and confidences of noise, and a trainer at its first step: the work that is timed, on a job's path."""

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
# Of members, non-members and queries: a true label's logit above the others, as mean and deviation, and the share of
# samples that are plainly wrong.
SPREAD = ((2.0, 2.0, 0.0), (0.8, 2.4, 0.0), (1.2, 2.3, 0.0))


def arrays(train: int, test: int = 2) -> Arrays:
    """Return ``train`` and ``test`` images of noise, uint8 (N, 32, 32, 3): work takes as long as on real ones."""
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
    kind: tuple[tuple[float, float, float], ...], size: int, queries: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return confidences of ``size`` members, ``size`` non-members and ``queries`` samples to judge."""
    rng, drawn = np.random.default_rng(seed), []
    for (mean, deviation, wrong), count in zip(kind, (size, size, queries), strict=True):
        margin = rng.normal(mean, deviation, count)
        margin = np.where(rng.random(count) < wrong, rng.normal(-3, 3, count), margin)
        drawn.append(mia.confidence(np.logaddexp(0, -margin)))
    members, nonmembers, judged = drawn
    return members, nonmembers, judged


def model(arch: str, data: Arrays) -> nn.Module:
    """Return a model with the same weights on every call."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return build(arch, len(data.classes), data.image_shape)


def trainer(
    method: str, arch: str, data: Arrays, device: Device, batch_size: int, forget: int, **settings: Any
) -> Trainer:
    """Return a trainer whose method is prepared; the last ``forget`` training images are forgotten."""
    images = Images(data, AUGMENTATION, device.device)
    labels = images.labels["train"]
    everything = torch.arange(len(labels), device=device.device)
    retain = len(labels) - forget
    context = Context(
        labels=labels,
        retain=everything[:retain],
        forget=everything[retain:],
        classes=images.classes,
        streams=Streams(0, ("bench", method)),
        load=images.load,
        fresh=lambda purpose: device.place(model(arch, data)),
    )
    kind = METHODS.get(method)
    prepared = kind(kind.Settings(batch_size=batch_size, **settings), context)
    net = device.place(model(arch, data))
    with torch.no_grad():
        prepared.prepare(net)
    flops = forward_flops(arch, images.classes, images.image_shape)
    net.train()
    return Trainer(net, prepared, device, lambda: None, flops)


def steps(of: Trainer) -> Callable[[], None]:
    """Return a function that does the next step of a trainer: whole batches of its first epoch, over and over."""
    size = of.settings.batch_size
    whole = [step for step in of.method.batches(0) if all(len(part.index) == size for part in step.values())]
    batches = itertools.cycle(whole)
    return lambda: of.train_step(next(batches), progress=0.5)
