"""How soon a model relearns what it forgot: it is trained on all images and evaluated on the forgotten ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from benchmark.methods.base import Part, Recipe
from benchmark.training.optimiser import SGD

if TYPE_CHECKING:
    from benchmark.features.trained_model import TrainedModel


def relearning(trained: TrainedModel) -> pd.DataFrame:
    """Train a model on retained and forgotten images together, evaluating it on the forgotten ones in between.

    A model that keeps a trace of the forgotten images relearns them sooner than Retrain does: the relearn time of
    Golatkar et al. (2020) and Tarun et al. (2021). The study's ``relearning`` sets how it is trained. Every model of a
    trial sees the same batches and augmentation; images that the trial holds out are not among them.

    Columns ``step``, from 0, and ``forget_accuracy``, in per cent, on the forgotten training images, not augmented.
    """
    settings, model, images = trained.study.relearning, trained.model, trained.images
    device, trial = trained.device.device, trained.derived.run.name.trial
    optimiser = SGD(model, Recipe(lr=settings.lr, final_lr=0))
    augment = trained.streams.generator("relearning-augment", trial, device)
    torch.manual_seed(trained.streams.integer("relearning-model", trial))  # layers such as dropout draw from it
    rows = [(0, _accuracy(trained))]
    for step, index in zip(range(1, settings.steps + 1), _batches(trained, settings.batch_size), strict=False):
        index = index.to(device)
        model.train()
        with trained.device.autocast():
            _, logits = model(images.load(Part(index, index), augment))
            loss = F.cross_entropy(logits, images.labels["train"][index])
        model.zero_grad()
        loss.backward()
        optimiser.step()
        if step % settings.every == 0 or step == settings.steps:
            rows.append((step, _accuracy(trained)))
    return pd.DataFrame(rows, columns=["step", "forget_accuracy"])


def _batches(trained: TrainedModel, size: int) -> Iterator[torch.Tensor]:
    """Yield batches of positions of retained and forgotten training images, endlessly, each pass in random order."""
    positions = np.flatnonzero(trained.forgotten | trained.retained)
    rng = trained.streams.numpy("relearning", trained.derived.run.name.trial)
    while True:
        yield from torch.from_numpy(rng.permutation(positions)).split(size)


def _accuracy(trained: TrainedModel) -> float:
    """Return the accuracy on the forgotten training images, in per cent."""
    forgotten = np.flatnonzero(trained.forgotten)
    _, logits = trained.features(forgotten)
    return 100 * float((logits.argmax(1) == torch.from_numpy(trained.labels[forgotten])).float().mean())
