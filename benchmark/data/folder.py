"""A folder of images: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark.data.arrays import SPLITS, Arrays, clean_classes
from benchmark.data.images import decode_all
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm")


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return the images of a folder; classes are the subfolders of ``train``, sorted, images sorted within a class.

    The order is therefore that of the classes, and a membership attack on the *first* retain samples would see few of
    them: such a dataset wants ``members: random``.

    Parameters
    ----------
    name : the dataset's name, for messages.
    settings : ``path``, and ``size`` where images differ in size.

    Raises
    ------
    BadInput
        If a split is missing, a class has no training images or exists only in ``test``, or an image cannot be decoded.
    """
    if settings.path is None:
        raise BadInput(f"datasets.{name}.path is missing: source 'folder' needs the folder that holds train and test")
    root = Path(settings.path)
    if not root.is_dir():
        raise BadInput(f"datasets.{name}.path: there is no folder {settings.path}")
    for split in SPLITS:
        if not (root / split).is_dir():
            raise BadInput(f"datasets.{name}.path: {root} has no folder {split!r}; accepted is {split}/<class>/<image>")
    folders = _subfolders(root / "train")
    if not folders:
        raise BadInput(f"{root / 'train'} has no class folders; accepted is train/<class>/<image>")
    for extra in sorted(set(_subfolders(root / "test")) - set(folders)):
        raise BadInput(f"{root / 'test' / extra}: class {extra!r} exists only in test; accepted: {', '.join(folders)}")
    train_images, train_labels = _read_split(root / "train", folders, settings.size)
    test_images, test_labels = _read_split(root / "test", folders, settings.size)
    origin = {"source": "folder", "images": {"train": len(train_labels), "test": len(test_labels)}}
    classes = clean_classes(folders, str(root / "train"))
    return Arrays(train_images, train_labels, test_images, test_labels, classes, origin, name)


def _subfolders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_split(
    folder: Path, classes: list[str], size: int | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(path for path in (folder / name).glob("*") if path.suffix.lower() in SUFFIXES)
        if not found and folder.name == "train":
            raise BadInput(f"{folder / name} holds no images; accepted are files ending in {', '.join(SUFFIXES)}")
        files += found
        labels += [label] * len(found)
    if not files:
        raise BadInput(f"{folder} holds no images; accepted are files ending in {', '.join(SUFFIXES)}")
    images = decode_all([file.read_bytes() for file in files], [str(file) for file in files], size)
    return images, np.array(labels, dtype=np.int64)
