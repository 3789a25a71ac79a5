"""The images of a dataset on the device: batches for training, and one pass over all images for evaluation.

Predictions that other code made take the place of that pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.data.arrays import Arrays
from benchmark.data.augment import Transform
from benchmark.methods.base import Part
from benchmark.methods.scored import Scored
from benchmark.results.predictions import of_dataset
from benchmark.settings import Augmentation
from benchmark.study.runs import Run
from benchmark.training.device import Device

BATCH = 512  # images in one pass of an evaluation


class Images:
    """Training and test images, uint8, on the device; on a CPU they stay mapped from the store, shared by all jobs."""

    def __init__(self, arrays: Arrays, augmentation: Augmentation, device: torch.device):
        self.classes = len(arrays.classes)
        self.image_shape = arrays.image_shape
        self.labels = {name: torch.from_numpy(arrays.split(name)[1]).to(device) for name in ("train", "test")}
        with warnings.catch_warnings():
            # torch warns that mapped images are read-only: nothing here writes to them.
            warnings.simplefilter("ignore", UserWarning)
            self._images = {name: torch.from_numpy(arrays.split(name)[0]).to(device) for name in ("train", "test")}
        self._transform = cache(partial(Transform, augmentation=augmentation))

    def load(self, part: Part, generator: torch.Generator) -> Tensor:
        """Return a part's images, augmented, (B, C, H, W) float32."""
        return self._transform(part.transform)(self._images["train"][part.index], generator)

    def plain(self, split: str, index: Tensor | None = None) -> Iterator[Tensor]:
        """Yield a split's images, or those at ``index`` (M,), in order, normalised only: (B, C, H, W) float32.

        Every evaluation sees images so.
        """
        images = self._images[split]
        batches = images.split(BATCH) if index is None else (images[rows] for rows in index.split(BATCH))
        for batch in batches:
            yield self._transform("N")(batch)


def predict(model: nn.Module, images: Images, device: Device) -> pd.DataFrame:
    """Return one row per sample: ``index, split, label, prediction, loss, margin``.

    ``index`` counts within the split, in dataset order; ``loss`` is the cross-entropy in float32, so that the
    confidence p in the true label is exp(-loss); ``margin`` is log p - log(1 - p), float32, from the logits. The model
    is left in evaluation mode.
    """
    tables = []
    for split, label in images.labels.items():
        logits = torch.cat([batch_logits for _, batch_logits in outputs(model, images, split, device)])
        loss = F.cross_entropy(logits, label, reduction="none")
        columns = {"label": label, "prediction": logits.argmax(1), "loss": loss, "margin": margin(logits, label)}
        position = {"index": np.arange(len(label)), "split": np.full(len(label), split, object)}
        tables.append(pd.DataFrame(position | {name: values.cpu().numpy() for name, values in columns.items()}))
    return pd.concat(tables, ignore_index=True)


def margin(logits: Tensor, label: Tensor) -> Tensor:
    """Return by how much the true logit exceeds the logsumexp of the others, (n,) from logits (n, K) and labels (n,).

    It is log p - log(1 - p) of the true label's probability p. A float32 cross-entropy gives it only up to 15:
    beyond that, p rounds to 1.
    """
    true = label[:, None]
    others = logits.scatter(1, true, -torch.inf).logsumexp(1)
    return logits.gather(1, true)[:, 0] - others


def predictions_of(run: Run, model: nn.Module, images: Images, device: Device) -> pd.DataFrame:
    """Return what `predict` does, or, if other code made the run's predictions, those; their faults are `BadInput`."""
    if issubclass(run.method, Scored):
        labels = {split: label.cpu().numpy() for split, label in images.labels.items()}
        return of_dataset(run.method.file(run.name), labels, images.classes)
    return predict(model, images, device)


@torch.no_grad()
def outputs(
    model: nn.Module, images: Images, split: str, device: Device, index: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features (B, D) and logits (B, K) of a split, or of the samples in ``index``, batch by batch.

    Only one batch is held at a time: the features of all samples may need more memory than anything else.
    """
    model.eval()
    for batch in images.plain(split, index):
        with device.autocast():
            features, logits = model(batch)
        yield features.float(), logits.float()
