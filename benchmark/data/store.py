"""The store: every dataset becomes uint8 arrays on disk, which all jobs map into memory.

``provenance.json`` is written last: a folder that holds it is complete.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import importlib.metadata
import platform
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from benchmark import paths
from benchmark.data.arrays import TRAIN_AND_TEST, Arrays, Labels, Pixels, clean_classes, stratified
from benchmark.errors import BadInput, DamagedFile, IncompletePlugin, StaleOutput, fault_of
from benchmark.files import digest, read_record, replacing, sha256, write_record
from benchmark.registry import SOURCES
from benchmark.settings import DatasetSettings

VERSION = 1  # raise when the same settings and the same files would give other arrays
FILES = tuple(f"{split}_{part}" for split in TRAIN_AND_TEST for part in ("images", "labels"))
PROVENANCE = "provenance.json"
TRAIN_FILES = "train_files.csv"  # index and file of every training image, if the source has files
LATER = ("image_column", "label_column", "classes", "checksum")  # settings without effect on a digest unless given
WHERE = ("source", "path", "train", "test", "checksum", "image_column", "label_column")  # settings: where images lie
PACKAGES = ("numpy", "pillow", "pyarrow", "scikit-learn")


def fingerprint(name: str, settings: DatasetSettings) -> str:
    """Return 12 hexadecimal digits of all that determines the stored arrays, without reading any data.

    Augmentation is left out: it is applied while training, to the same arrays.
    """
    chosen = settings.model_dump(mode="json", exclude={"augmentation"})
    if settings.order == "content":
        # The images alone determine the arrays, wherever they come from; their digest is in every run's record. But a
        # column of labels that is named may be one of several.
        chosen = {key: value for key, value in chosen.items() if key not in WHERE or key == "label_column"}
    else:
        chosen.pop("order")  # added after the first results
        if settings.source == "official":
            chosen["path"] = None  # where the archives lie; their checksums are known
    for key in LATER:
        if chosen.get(key) is None:
            chosen.pop(key, None)
    content = {"version": VERSION, "name": name, "settings": chosen}
    if settings.source in SOURCES and (code := SOURCES.code(settings.source)):
        content["code"] = code
    return digest(content)[:12]


def prepare(name: str, settings: DatasetSettings) -> Path:
    """Read a dataset from its source and store it as arrays; return the folder.

    An existing folder, which jobs may be reading, is rewritten only if the source's files have changed. Raises what the
    source raises, and `BadInput` if the subset is larger than the data or leaves a class empty, or if the folder holds
    images from elsewhere that are not the same.
    """
    arrays = _reduced(name, settings, _read(name, settings))
    folder = paths.dataset(name, fingerprint(name, settings))
    if stored := _intact(folder):
        same = all(np.array_equal(getattr(stored, file), getattr(arrays, file)) for file in FILES)
        if same and (stored.classes, stored.origin) == (arrays.classes, arrays.origin):
            _name_files(folder, arrays)
            (folder / PROVENANCE).touch()
            return folder
        if not same and (elsewhere := _from_elsewhere(folder, settings)):
            advice = "delete that folder, or call this dataset something else"
            raise BadInput(f"datasets.{name}: {folder} holds other images, from {elsewhere}: {advice}")
    (folder / PROVENANCE).unlink(missing_ok=True)  # the folder is incomplete until all new arrays are written
    _name_files(folder, arrays)
    for part in FILES:
        with replacing(folder / f"{part}.npy") as temporary:
            np.save(temporary, getattr(arrays, part), allow_pickle=False)
    write_record(folder / PROVENANCE, _new_record(folder, name, settings, arrays))
    return folder


def _read(name: str, settings: DatasetSettings) -> Arrays:
    """Return what a dataset's source reads; raise `BadInput`, naming the dataset, for a fault of a plugin's source."""
    where, source = f"datasets.{name}", settings.source
    read = SOURCES.get(source, f"{where}.source")
    try:
        arrays = read(name, settings)
    except (Exception, SystemExit) as error:
        if not SOURCES.code(source):
            raise
        fault = error if isinstance(error, BadInput) else fault_of(error, SOURCES.module(source))
        raise BadInput(f"{where}: data source {source!r}: {fault}") from error
    if not isinstance(arrays, Arrays):
        accepted = "accepted is a benchmark.data.arrays.Arrays"
        raise IncompletePlugin(f"{where}: data source {source!r} returns {type(arrays).__name__}: {accepted}")
    return arrays


def _name_files(folder: Path, arrays: Arrays) -> None:
    """Write which file each training image is, for a user who has to name images that are to be forgotten."""
    if arrays.train_files:
        with replacing(folder / TRAIN_FILES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("index", "file"), *enumerate(arrays.train_files)])


def _intact(folder: Path) -> Arrays | None:
    try:
        return load(folder, verify=True)
    except StaleOutput:
        return None


def _from_elsewhere(folder: Path, settings: DatasetSettings) -> str:
    """Say where a folder's images come from, if it is not where these settings say; empty otherwise."""
    stored, own = record(folder).get("settings", {}), settings.model_dump(mode="json")
    return ", ".join(f"{key} {stored[key]}" for key in WHERE if key in stored and stored[key] != own.get(key))


def _reduced(name: str, settings: DatasetSettings, arrays: Arrays) -> Arrays:
    # Imported here: every study imports this module for `fingerprint`, but only a preparation needs Pillow and joblib.
    from benchmark.data.images import resize_all

    changes: dict[str, Any] = {"where": name}
    if settings.classes:
        where = f"datasets.{name}.classes"
        if len(settings.classes) != len(arrays.classes):
            raise BadInput(f"{where}: {len(settings.classes)} names: accepted are {len(arrays.classes)}, one a class")
        changes["classes"] = clean_classes(settings.classes, where)
        for number, entry in enumerate(changes["classes"]):
            # A name that the source has for another class would mislabel images.
            if entry in arrays.classes and arrays.classes[number] != entry:
                accepted = f"accepted are new names, or the source's where they stand: {', '.join(arrays.classes)}"
                raise BadInput(f"{where}: {entry!r} stands where the source has {arrays.classes[number]!r}: {accepted}")
    subsets = (("subset", settings.subset), ("test_subset", settings.test_subset))
    for number, (split, (key, count)) in enumerate(zip(TRAIN_AND_TEST, subsets, strict=True)):
        images, labels = arrays.split(split)
        if settings.order == "content":  # already resized by some sources, which must not change the order
            images = resize_all(images, settings.size)
        rows = by_content(images, labels) if settings.order == "content" else None
        if count is not None:
            rng = np.random.default_rng([settings.subset_seed, number])
            chosen = stratified(labels if rows is None else labels[rows], count, rng, f"datasets.{name}.{key}")
            rows = chosen if rows is None else rows[chosen]
        if rows is not None:
            images, labels = images[rows], labels[rows]
            if split == "train" and arrays.train_files:
                changes["train_files"] = [arrays.train_files[row] for row in rows]
        changes |= {f"{split}_images": resize_all(images, settings.size), f"{split}_labels": labels}
    return dataclasses.replace(arrays, **changes)


def by_content(images: Pixels, labels: Labels) -> Labels:
    """Return the order, (N,), of images (N, H, W, C) by digests of image and label, which mixes the classes."""
    keys = [
        hashlib.sha256(np.ascontiguousarray(image).tobytes() + int(label).to_bytes(8, "little")).digest()
        for image, label in zip(images, labels, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _new_record(folder: Path, name: str, settings: DatasetSettings, arrays: Arrays) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    versions |= {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "name": name,
        "version": VERSION,
        "settings": settings.model_dump(mode="json", exclude={"augmentation"}),
        "origin": arrays.origin,
        "classes": arrays.classes,
        "shapes": {file: list(getattr(arrays, file).shape) for file in FILES},
        # Splits whose first samples cover few classes: see `benchmark.study.checks.check_prepared`.
        "grouped_by_class": [split for split in TRAIN_AND_TEST if _grouped(arrays.split(split)[1])],
        "sha256": {file: sha256(folder / f"{file}.npy") for file in FILES},
        "versions": versions,
    }


def _grouped(labels: Labels) -> bool:
    """Whether the samples of each class stand together, in whatever order of classes."""
    return bool(np.count_nonzero(np.diff(labels)) == len(np.unique(labels)) - 1)


def files(folder: Path) -> list[Path]:
    """Return the files of a prepared dataset: its record and its arrays."""
    return [folder / PROVENANCE, *(folder / f"{file}.npy" for file in FILES)]


def record(folder: Path) -> dict[str, Any]:
    """Return ``provenance.json`` of a prepared dataset; raise `StaleOutput` if missing, `DamagedFile` if damaged."""
    try:
        return read_record(folder / PROVENANCE, _remedy(folder))
    except DamagedFile as error:
        raise DamagedFile(error.path, f"{error.problem}; {_remedy(folder)}") from None


def load(folder: Path, verify: bool = False) -> Arrays:
    """Return a prepared dataset, its images mapped into memory read-only.

    With ``verify`` the SHA-256 of every file is compared as well (a second per gigabyte), not only the shapes. Raises
    `StaleOutput` if ``provenance.json`` is missing, so that the dataset has to be prepared, and `DamagedFile` if a file
    is damaged. If an array is missing, the file named is the record, which no longer fits the folder.
    """
    stored = record(folder)
    parts: dict[str, Any] = {}
    for file in FILES:
        path = folder / f"{file}.npy"
        try:
            if verify and sha256(path) != stored["sha256"][file]:
                raise ValueError(f"its SHA-256 is not the one in {PROVENANCE}")
            array = np.load(path, mmap_mode="r" if file.endswith("images") else None, allow_pickle=False)
            if list(array.shape) != stored["shapes"][file]:
                raise ValueError(f"its shape is {list(array.shape)}, not {stored['shapes'][file]} as in {PROVENANCE}")
        except FileNotFoundError:
            # Without its record the workflow prepares the dataset again.
            raise DamagedFile(folder / PROVENANCE, f"{path.name} beside it is missing; {_remedy(folder)}") from None
        except (ValueError, EOFError, MemoryError, SyntaxError, TokenError) as error:  # numpy parses a header as Python
            if verify and isinstance(error, MemoryError):
                raise  # the digest was right: it is the machine's fault
            raise DamagedFile(path, f"{error}; {_remedy(folder)}") from None
        parts[file] = array
    return Arrays(**parts, classes=stored["classes"], origin=stored["origin"], where=str(folder))


def content_digest(folder: Path) -> str:
    """Return 16 hexadecimal digits of the stored arrays and class names: every run has them in its record."""
    stored = record(folder)
    return digest({"sha256": stored["sha256"], "classes": stored["classes"]})


def content_digest_if_known(folder: Path) -> str | None:
    """Return `content_digest`, or None if the dataset is not prepared or its record is damaged."""
    try:
        return content_digest(folder)
    except StaleOutput:
        return None


def _remedy(folder: Path) -> str:
    return f"run snakemake, or python -m benchmark prepare STUDY {folder.name.rsplit('-', 1)[0]}"
