"""Image parquet in Hugging Face's layout: an image column of {bytes, path}, a label column, names in the metadata."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.arrays import SPLITS, Arrays, Labels, Split, check_labels, clean_classes
from benchmark.data.images import decode_all, source_folder
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")


def read(name: str, settings: DatasetSettings) -> Arrays:
    """Return the images of all shards that match the patterns ``train`` and ``test``, in the order of the files' names.

    Images that differ in size need ``size``. What is wrong raises `BadInput` with file and row.
    """
    folder = source_folder(name, settings)
    train, test = (_shards(folder, getattr(settings, split), f"datasets.{name}.{split}") for split in SPLITS)
    classes = _class_names(train[0])
    for shard in (*train[1:], *test):
        if _class_names(shard) != classes:
            raise BadInput(f"{shard}: class names differ from those of {train[0]}: all shards must agree")
    origin = {"source": "parquet", "train": [shard.name for shard in train], "test": [shard.name for shard in test]}
    of_train, of_test = (_read_split(shards, len(classes), settings.size) for shards in (train, test))
    return Arrays(*of_train, *of_test, clean_classes(classes, str(train[0])), origin, name)


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
        with pq.ParquetFile(shard) as file:
            yield file
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise BadInput(f"{shard}: is no readable parquet file ({' '.join(str(error).split())[:200]})") from None


def _column(shard: Path, schema: pa.Schema, accepted: tuple[str, ...], what: str) -> str:
    for column in accepted:
        if column in schema.names:
            return column
    raise BadInput(f"{shard}: no {what} column among {', '.join(schema.names)}; accepted are {' or '.join(accepted)}")


def _class_names(shard: Path) -> list[str]:
    with _opened(shard) as file:
        schema = file.schema_arrow
    label = _column(shard, schema, LABEL_COLUMNS, "label")
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise BadInput(
            f"{shard}: schema metadata hold no class names: accepted is the key 'huggingface' with JSON "
            f"info.features.{label}.names, a list of texts, as the datasets library writes it"
        ) from None
    return names


def _read_split(shards: list[Path], classes: int, size: int | None) -> Split:
    payloads: list[bytes] = []
    places: list[str] = []
    labels: list[Labels] = []
    for shard in shards:
        with _opened(shard) as file:
            image = _column(shard, file.schema_arrow, IMAGE_COLUMNS, "image")
            label = _column(shard, file.schema_arrow, LABEL_COLUMNS, "label")
            table = file.read(columns=[image, label])
        labels.append(_labels(shard, table[label], classes))
        for row, value in enumerate(table[image].to_pylist()):
            place = f"{shard} row {row}"
            payload = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(payload, bytes):
                raise BadInput(f"{place}: image holds no bytes; accepted is a struct {{bytes, path}}, or bytes")
            places.append(place)
            payloads.append(payload)
    return decode_all(payloads, places, size), np.concatenate(labels)


def _labels(shard: Path, column: pa.ChunkedArray, classes: int) -> Labels:
    if not pa.types.is_integer(column.type) or column.null_count:
        raise BadInput(f"{shard}: labels are {column.type} with {column.null_count} missing; accepted are integers")
    labels = column.to_numpy().astype(np.int64)
    check_labels(labels, classes, str(shard))
    return labels
