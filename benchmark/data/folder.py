"""A folder of images: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.arrays import TRAIN_AND_TEST, Arrays, Split, clean_classes
from benchmark.data.images import decode_all, source_folder
from benchmark.errors import BadInput
from benchmark.files import digest
from benchmark.settings import DatasetSettings

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".ppm", ".gif", ".tif", ".tiff")
NAMED = 5  # skipped files that a message names
Files = dict[str, dict[str, list[Path]]]  # the images of each split and class


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return the images of a folder; classes are the subfolders of ``train``, sorted, images sorted within a class.

    Since images are ordered by class, a membership attack on the *first* retain samples would see few classes: such a
    dataset needs ``members: random``. Images of different sizes need ``size``. Files that are not read, for their name
    or their depth, are counted and the first ones named.
    """
    root, files = images(name, settings)
    train, test = (_read_split(list(files[split].values()), settings.size) for split in TRAIN_AND_TEST)
    origin: dict[str, Any] = {"source": "folder", "images": counts(files), "listing": listing(root, files)}
    read_files = {file for split in TRAIN_AND_TEST for class_files in files[split].values() for file in class_files}
    all_files = (path for split in TRAIN_AND_TEST for path in (root / split).rglob("*") if path.is_file())
    if skipped := sorted(str(path.relative_to(root)) for path in all_files if path not in read_files):
        origin["skipped"] = {"files": len(skipped), "such as": skipped[:NAMED]}
        examples = ", ".join(skipped[:NAMED])
        note = f"{len(skipped)} files are not {{train,test}}/<class>/<image>, such as {examples}"
        print(f"{root}: {note}", file=sys.stderr)
    if untested := [folder for folder, found in files["test"].items() if not found]:
        origin["classes without test images"] = untested
        print(f"{root / 'test'}: no images of {', '.join(untested)}", file=sys.stderr)
    train_files = [
        os.fsencode(file.relative_to(root)).decode(errors="replace")
        for class_files in files["train"].values()
        for file in class_files
    ]
    return Arrays(*train, *test, clean_classes(list(files["train"]), str(root / "train")), origin, name, train_files)


def _classes(name: str, settings: DatasetSettings) -> tuple[Path, list[str]]:
    """Return a dataset's folder and those of its classes; raise `BadInput` if it has none, or more in ``test``."""
    root = source_folder(name, settings)
    for split in TRAIN_AND_TEST:
        if not (root / split).is_dir():
            raise BadInput(f"datasets.{name}.path: {root} has no folder {split!r}; accepted is {split}/<class>/<image>")
    folders = _subfolders(root / "train")
    if not folders:
        raise BadInput(f"{root / 'train'} has no class folders; accepted is train/<class>/<image>")
    for extra in sorted(set(_subfolders(root / "test")) - set(folders)):
        raise BadInput(f"{root / 'test' / extra}: class {extra!r} exists only in test; accepted: {', '.join(folders)}")
    if len(folders) == 1:
        raise BadInput(f"{root / 'train'} has one class folder, {folders[0]!r}; accepted are two or more")
    clean_classes(folders, str(root / "train"))
    return root, folders


def images(name: str, settings: DatasetSettings) -> tuple[Path, Files]:
    """Return a dataset's folder and the images of each split and class, sorted.

    Raises `BadInput` if a split or its classes are missing, if two classes would get the same name, or if ``test`` or a
    class of ``train`` holds no image.
    """
    root, folders = _classes(name, settings)
    files = {split: {folder: _files(root / split / folder) for folder in folders} for split in TRAIN_AND_TEST}
    empty = [root / "train" / folder for folder, found in files["train"].items() if not found]
    if not any(files["test"].values()):
        empty.append(root / "test")
    for folder in empty:
        raise BadInput(f"{folder} holds no images; accepted are files ending in {', '.join(SUFFIXES)}")
    return root, files


def counts(files: Files) -> dict[str, int]:
    """Return the number of images of each split."""
    return {split: sum(map(len, of_class.values())) for split, of_class in files.items()}


def listing(root: Path, files: Files) -> str:
    """Return a digest of the images' names below ``root`` and their sizes: it tells if one is moved or replaced."""
    found = (file for of_class in files.values() for images_of_class in of_class.values() for file in images_of_class)
    return digest([[os.fsencode(file.relative_to(root)).hex(), file.stat().st_size] for file in found])


def _subfolders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    """Return the images of a class, sorted; raise `BadInput` for a link to a file that is not there."""
    files = [file for file in sorted(folder.glob("[!.]*")) if file.suffix.lower() in SUFFIXES]
    for file in files:
        if file.is_symlink() and not file.exists():
            raise BadInput(f"{file}: a link to {file.readlink()}, which is not there: accepted are images")
    return [file for file in files if file.is_file()]


def _read_split(images: list[list[Path]], size: int | None) -> Split:
    files = [file for class_files in images for file in class_files]
    labels = np.repeat(np.arange(len(images)), [len(class_files) for class_files in images])
    return decode_all(len(files), ((str(file), file.read_bytes()) for file in files), size), labels
