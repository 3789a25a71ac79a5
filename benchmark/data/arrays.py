"""A dataset in memory, checked: images, labels and class names; and the choice of a subset of the same classes."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import BadInput

TRAIN_AND_TEST = ("train", "test")
MOST_CLASSES = 2**15  # a run's samples hold labels as int16
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Split = tuple[Pixels, Labels]


def clean_classes(names: Sequence[str], where: str) -> list[str]:
    """Return class names made fit for a scenario's name, ``class-<name>``, and so for a path.

    Every character but letters and digits of any script, ``_`` and ``-`` becomes ``_``; so does a ``-`` at either end
    or before another. Raises `BadInput`, naming their file or folder ``where``, if one is empty or two become the same.
    """
    composed = [unicodedata.normalize("NFC", str(name)) for name in names]  # file systems may decompose letters
    cleaned = [re.sub(r"^-|-$|-(?=-)", "_", re.sub(r"[^\w-]", "_", name)) for name in composed]
    owner: dict[str, str] = {}
    for name, clean in zip(names, cleaned, strict=True):
        if not clean:
            raise BadInput(f"{where}: a class name is empty; accepted are letters, digits, '_' and '-'")
        if clean in owner:
            raise BadInput(f"{where}: classes {owner[clean]!r} and {name!r} are both called {clean!r} here: rename one")
        owner[clean] = str(name)
    return cleaned


def check_labels(labels: Labels, classes: int, where: str) -> None:
    """Raise `BadInput`, naming ``where`` and the row, if a label (N,) is not the number of a class."""
    for row in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
        raise BadInput(f"{where} row {row}: label {labels[row]}; accepted are 0 to {classes - 1}")


@dataclass(frozen=True)
class Arrays:
    """A dataset: train and test images of one size, their labels and the names of the classes.

    Raises `BadInput` where the parts do not fit together.

    Parameters
    ----------
    train_images, test_images : uint8 (N, H, W, C) with C = 1 or 3, values 0 to 255.
    train_labels, test_labels : int64 (N,), indices into ``classes``.
    classes : names as `clean_classes` makes them.
    origin : facts about where the data came from, as JSON values.
    where : what the messages call this dataset.
    train_files : the names of the training images' files, in their order, if the source has one for each; else empty.
    """

    train_images: Pixels
    train_labels: Labels
    test_images: Pixels
    test_labels: Labels
    classes: list[str]
    origin: dict[str, Any] = field(default_factory=dict)
    where: str = "dataset"
    train_files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not isinstance(self.classes, list) or not all(isinstance(name, str) for name in self.classes):
            raise BadInput(f"{self.where}: classes are {self.classes!r}; accepted is a list of texts")
        try:
            json.dumps(self.origin)
        except (TypeError, ValueError) as error:
            raise BadInput(f"{self.where}: origin: {error}; accepted are values of JSON") from None
        if not 2 <= len(self.classes) <= MOST_CLASSES:
            raise BadInput(f"{self.where}: {len(self.classes)} class(es); accepted are 2 to {MOST_CLASSES}")
        for name, clean in zip(self.classes, clean_classes(self.classes, self.where), strict=True):
            if name != clean:
                accepted = f"letters, digits, '_' and '-', such as {clean!r}"
                raise BadInput(f"{self.where}: class {name!r} holds other characters; accepted are {accepted}")
        for split in TRAIN_AND_TEST:
            where, (images, labels) = f"{self.where}: {split}", self.split(split)
            for part, values in (("images", images), ("labels", labels)):
                if not isinstance(values, np.ndarray):
                    raise BadInput(f"{where} {part} are a {type(values).__name__}; accepted is an array of numpy")
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
                actual, accepted = f"{images.dtype} {images.shape}", "uint8 (N, H, W, C) with C = 1 or 3"
                raise BadInput(f"{where} images are {actual}; accepted is {accepted}")
            if not len(images):
                raise BadInput(f"{where} split is empty")
            if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
                raise BadInput(f"{where} labels are {labels.dtype} {labels.shape}; accepted is int64 ({len(images)},)")
            check_labels(labels, len(self.classes), where)
        if len(self.train_files) not in (0, count := len(self.train_labels)):
            raise BadInput(f"{self.where}: {len(self.train_files)} names of training files; accepted are 0 or {count}")
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise BadInput(
                f"{self.where}: train images are {self.train_images.shape[1:]} and test images "
                f"{self.test_images.shape[1:]} (height, width, channels): both must agree, or set 'size'"
            )

    def split(self, split: str) -> Split:
        """Return the images and labels of ``"train"`` or ``"test"``."""
        return getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image: what a model is built for."""
        height, width, channels = self.train_images.shape[1:]
        return channels, height, width


def stratified(labels: Labels, count: int, rng: np.random.Generator, where: str) -> Labels:
    """Return ``count`` indices spread as evenly over the classes as the data allow, in dataset order.

    ``rng`` draws equally many from each class. If a class has too few, the others make up for it; a remainder goes to
    the first classes that still have samples. Raises `BadInput`, naming ``where``, a key of the study, if ``count``
    exceeds N or leaves a class without samples.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if not len(classes) <= count <= len(labels):
        accepted = f"{len(classes)}, one a class, to {len(labels)}, all that there are"
        raise BadInput(f"{where}: {count} images; accepted are {accepted}")
    level = next(limit for limit in range(count, 0, -1) if np.minimum(sizes, limit).sum() <= count)
    quota = np.minimum(sizes, level)
    quota[np.flatnonzero(sizes > level)[: count - quota.sum()]] += 1
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:size] for label, size in zip(classes, quota, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
