"""The images of a dataset on the device: batches for training, and one pass over everything for evaluation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmark.data.arrays import Arrays
from benchmark.data.augment import Transform
from benchmark.methods.base import Part
from benchmark.settings import Augmentation


class Images:
    """Training and test images, uint8, on the device; on a CPU they stay mapped from the store, shared by all jobs."""

    def __init__(self, arrays: Arrays, augmentation: Augmentation, device: torch.device):
        self.classes = len(arrays.classes)
        self.image_shape = arrays.image_shape
        self.labels = {name: torch.from_numpy(arrays.split(name)[1]).to(device) for name in ("train", "test")}
        self._images = {name: _mapped(arrays.split(name)[0]).to(device) for name in ("train", "test")}
        self._augmentation = augmentation
        self._transforms: dict[str, Transform] = {}

    def transform(self, name: str) -> Transform:
        """Return a transformation by its letters, such as ``"CHN"``."""
        if name not in self._transforms:
            self._transforms[name] = Transform(name, self._augmentation)
        return self._transforms[name]

    def load(self, part: Part, generator: torch.Generator) -> Tensor:
        """Return a part's images, augmented, (B, C, H, W) float32."""
        return self.transform(part.transform)(self._images["train"][part.index], generator)

    def plain(self, split: str, batch_size: int, index: Tensor | None = None) -> Iterator[Tensor]:
        """Yield the images of a split in dataset order, normalised only, as every evaluation sees them."""
        images = self._images[split]
        pieces = images.split(batch_size) if index is None else (images[part] for part in index.split(batch_size))
        for piece in pieces:
            yield self.transform("N")(piece)


def _mapped(array: np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        # torch warns that the array is read-only: nothing here writes to it.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
