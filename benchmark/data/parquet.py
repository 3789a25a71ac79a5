"""Image parquet: a column of encoded images and one of labels, which are whole numbers or texts.

Hugging Face's layout needs no settings: images as {bytes, path}, and class names in the metadata.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.data.arrays import MOST_CLASSES, TRAIN_AND_TEST, Arrays, Labels, Split, check_labels, clean_classes
from benchmark.data.images import decode_all, source_folder
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

COLUMNS = {"image": ("img", "image"), "label": ("label", "fine_label")}
ROWS, BUFFER = 1024, 1 << 20  # images and bytes read at a time


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return the images of all shards that match the patterns ``train`` and ``test``, in the order of the files' names.

    Classes are those of the metadata, else those that the study names, else the texts of the training labels in
    alphabetical order, else the numbers from 0 on. Images of different sizes need ``size``. Raises `BadInput`, naming
    file and row, if anything is wrong.
    """
    check_columns(name, settings)
    train, test = shards(name, settings)
    metadata_names = _metadata_names(train[0], settings)  # `benchmark.data.store` renames these
    classes = (settings.classes if metadata_names is None else None) or _class_names(train, test, settings)
    origin = {"source": "parquet", "train": [shard.name for shard in train], "test": [shard.name for shard in test]}
    train_split, test_split = (_read_split(shards, classes, settings) for shards in (train, test))
    return Arrays(*train_split, *test_split, clean_classes(classes, str(train[0])), origin, name)


def shards(name: str, settings: DatasetSettings) -> tuple[list[Path], list[Path]]:
    """Return the files of training and of test images; raise `BadInput` if there is none of either, or one of both."""
    folder = source_folder(name, settings)
    train, test = (_shards(folder, getattr(settings, split), f"datasets.{name}.{split}") for split in TRAIN_AND_TEST)
    if shared := sorted({*train} & {*test}):
        accepted = "accepted are patterns that share no file"
        raise BadInput(f"datasets.{name}.test: {shared[0]} is a file of training images too: {accepted}")
    return train, test


def check_columns(name: str, settings: DatasetSettings) -> None:
    """Raise `BadInput` if a file has no column of images or of labels, or cannot be read, or as `shards` does."""
    for shard in itertools.chain(*shards(name, settings)):
        with _opened(shard) as file:
            for content in COLUMNS:
                _column(shard, file.schema_arrow, settings, content, f"datasets.{name}.")


def count(shards: Sequence[Path]) -> int:
    """Return how many images files have; raise `BadInput` for one that cannot be read."""
    total = 0
    for shard in shards:
        with _opened(shard) as file:
            total += file.metadata.num_rows
    return total


def _shards(folder: Path, pattern: str, where: str) -> list[Path]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts or not pattern:
        raise BadInput(f"{where}: {pattern!r}: accepted is a pattern below the folder, without '..'")
    shards = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not shards:
        raise BadInput(f"{where}: no file in {folder} matches {pattern!r}")
    return shards


@contextlib.contextmanager
def _opened(shard: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(shard, buffer_size=BUFFER) as file:
            yield file
    except (pa.ArrowException, UnicodeDecodeError, OSError, MemoryError) as error:
        raise BadInput(f"{shard}: is not a readable parquet file ({' '.join(str(error).split())[:200]})") from None


def _column(shard: Path, schema: pa.Schema, settings: DatasetSettings, content: str, where: str = "") -> str:
    chosen = getattr(settings, f"{content}_column")
    accepted = (chosen,) if chosen else COLUMNS[content]
    for column in accepted:
        if (count := schema.names.count(column)) > 1:
            raise BadInput(f"{shard}: {count} columns are called {column!r}; accepted is one")
        if count:
            return str(column)
    columns = ", ".join(schema.names)
    if chosen:
        raise BadInput(f"{where}{content}_column: {chosen!r}: {shard} has no such column: accepted are {columns}")
    names = " or ".join(accepted)
    raise BadInput(f"{shard}: no column {names} among {columns}: accepted is one, or the setting '{content}_column'")


def _class_names(train: Sequence[Path], test: Sequence[Path], settings: DatasetSettings) -> list[str]:
    names = _metadata_names(train[0], settings)
    for shard in (*train[1:], *test):
        if _metadata_names(shard, settings) != names:
            raise BadInput(f"{shard}: class names differ from those of {train[0]}: all shards must agree")
    if names is not None:
        return names
    if len({pa.types.is_integer(_labels(shard, settings).type) for shard in (*train, *test)}) > 1:
        raise BadInput(f"{train[0].parent}: labels are integers in some shards and texts in others: all must agree")
    values = {value for shard in train for value in _labels(shard, settings).unique().to_pylist()} - {None}
    if all(isinstance(value, int) for value in values):
        largest = max(values, default=-1)
        if largest >= MOST_CLASSES:
            raise BadInput(f"{train[0]}: label {largest}; accepted are 0 to {MOST_CLASSES - 1}, or texts")
        return [str(number) for number in range(largest + 1)]
    return sorted(values)


def _metadata_names(shard: Path, settings: DatasetSettings) -> list[str] | None:
    """Return the class names that the datasets library wrote into a shard's metadata, or None."""
    with _opened(shard) as file:
        schema = file.schema_arrow
    label = _column(shard, schema, settings, "label")
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{shard}: class names in the metadata are {names!r}: accepted is a list of texts")
    return names


def _read_split(shards: Sequence[Path], classes: Sequence[str], settings: DatasetSettings) -> Split:
    labels = np.concatenate([_numbers(shard, _labels(shard, settings), classes) for shard in shards])
    images = (image for shard in shards for image in _images(shard, settings))
    return decode_all(len(labels), images, settings.size), labels


def _images(shard: Path, settings: DatasetSettings) -> Iterator[tuple[str, bytes]]:
    """Yield the shard and row of each image, as text, and its bytes, reading a few rows at a time."""
    with _opened(shard) as file:
        batches = file.iter_batches(ROWS, columns=[_column(shard, file.schema_arrow, settings, "image")])
        for row, value in enumerate(value for batch in batches for value in batch.column(0).to_pylist()):
            payload = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(payload, bytes):
                where = f"{shard} row {row}"
                raise BadInput(f"{where}: image holds no bytes; accepted is a struct {{bytes, path}}, or bytes")
            yield f"{shard} row {row}", payload


def _labels(shard: Path, settings: DatasetSettings) -> pa.ChunkedArray:
    with _opened(shard) as file:
        labels = file.read(columns=[label := _column(shard, file.schema_arrow, settings, "label")])[label]
        if pa.types.is_dictionary(labels.type):  # as pandas writes categories
            labels = labels.cast(labels.type.value_type)
        labels.validate(full=True)  # texts may be in another encoding than UTF-8
    is_text = pa.types.is_string(labels.type) or pa.types.is_large_string(labels.type)
    if not (is_text or pa.types.is_integer(labels.type)) or labels.null_count:
        actual = f"{labels.type} with {labels.null_count} missing"
        raise BadInput(f"{shard}: labels are {actual}; accepted are integers, or texts")
    return labels


def _numbers(shard: Path, labels: pa.ChunkedArray, classes: Sequence[str]) -> Labels:
    if not pa.types.is_integer(labels.type):
        positions = pc.index_in(labels, pa.array(classes, labels.type))
        for row in np.flatnonzero(positions.is_null().to_numpy())[:1]:
            raise BadInput(f"{shard} row {row}: label {labels[row].as_py()!r}; accepted are {', '.join(classes)}")
        labels = positions
    numbers = labels.to_numpy().astype(np.int64)
    check_labels(numbers, len(classes), str(shard))
    return numbers
