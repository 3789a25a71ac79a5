"""Made-up images and a trainer at its first step: the work that is timed, on the path that a job takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from benchmark.data.arrays import Arrays
from benchmark.methods.base import Context
from benchmark.models import build, forward_flops
from benchmark.registry import METHODS
from benchmark.seeds import Streams
from benchmark.settings import Augmentation
from benchmark.training.batches import Images
from benchmark.training.device import Device
from benchmark.training.evaluate import predict
from benchmark.training.loop import Stopwatch, Trainer

CLASSES = 10
AUGMENTATION = Augmentation()


def arrays(train: int, test: int = 2, size: int = 32) -> Arrays:
    """Return ``train`` and ``test`` images of noise, uint8 (N, size, size, 3): how long work takes is the same."""
    rng = np.random.default_rng(0)
    shape = (size, size, 3)
    return Arrays(
        rng.integers(0, 256, (train, *shape), np.uint8),
        rng.integers(0, CLASSES, train),
        rng.integers(0, 256, (test, *shape), np.uint8),
        rng.integers(0, CLASSES, test),
        [str(number) for number in range(CLASSES)],
    )


def model(arch: str, data: Arrays) -> nn.Module:
    """Return a model with the same weights on every call."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return build(arch, len(data.classes), data.image_shape)


def trainer(
    method: str, arch: str, data: Arrays, device: Device, batch_size: int, forget: int, **settings: Any
) -> Trainer:
    """Return a trainer whose method is prepared; it evaluates as a job does, and writes nothing.

    Parameters
    ----------
    forget : how many of the training images, the last ones, are forgotten.
    settings : hyperparameters other than the method's defaults.
    """
    images = Images(data, AUGMENTATION, device.device)
    labels = images.labels["train"]
    everything = torch.arange(len(labels), device=device.device)
    context = Context(
        labels=labels,
        retain=everything[: len(labels) - forget],
        forget=everything[len(labels) - forget :],
        classes=images.classes,
        streams=Streams(0, ("bench", method)),
        load=images.load,
        fresh=lambda purpose: device.place(model(arch, data)),
    )
    kind = METHODS.get(method)
    chosen = kind(kind.Settings(batch_size=batch_size, **settings), context)
    net = device.place(model(arch, data))
    with torch.no_grad():
        chosen.prepare(net)
    flops = forward_flops(arch, images.classes, images.image_shape)
    net.train()

    def evaluate() -> dict[str, float]:
        samples = predict(net, images, device)
        return {"loss": float(samples["loss"].mean())}

    return Trainer(net, chosen, device, evaluate, flops, Stopwatch())


class Steps:
    """Whole batches of a trainer's first epoch, one a call, over and over."""

    def __init__(self, of: Trainer):
        self._of = of
        size = of.settings.batch_size
        self._steps = [step for step in of.method.batches(0) if all(len(part.index) == size for part in step.values())]
        self._done = 0

    def __call__(self) -> None:
        """Do the next step."""
        step = self._steps[self._done % len(self._steps)]
        self._of.train_step(step, progress=0.5)
        self._done += 1

    @property
    def images(self) -> int:
        """Images that a step learns from or forgets; the second view of an image is not another image."""
        return sum(len(part.index) for name, part in self._steps[0].items() if name != "view")

    @property
    def flops(self) -> float:
        """Floating-point operations of a step, as executed."""
        units = self._of.method.executed_units
        return sum(units[name] * len(part.index) for name, part in self._steps[0].items()) * self._of.forward_flops
