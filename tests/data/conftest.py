from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


def png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every path of the project is relative: a test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pixels() -> np.ndarray:
    """Twelve images of 8x8 RGB that differ in every pixel."""
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


Shard = Callable[..., Path]


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    """Write a parquet shard in Hugging Face's layout."""

    def write(
        file: str,
        images: list[bytes],
        labels: list[int],
        names: object = ("cat", "sea dog"),
        image="img",
        label="label",
    ) -> Path:
        folder = tmp_path / "shards"
        folder.mkdir(exist_ok=True)
        table = pa.table({image: [{"bytes": payload, "path": None} for payload in images], label: labels})
        if names is not None:
            told = {"info": {"features": {image: {"_type": "Image"}, label: {"names": list(names)}}}}
            table = table.replace_schema_metadata({b"huggingface": json.dumps(told).encode()})
        pq.write_table(table, folder / file)
        return folder

    return write


@pytest.fixture
def image_folder(tmp_path: Path, pixels: np.ndarray) -> Path:
    """``train`` and ``test`` with classes cat and dog, three images each."""
    images = iter(pixels)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "pictures" / split / name).mkdir(parents=True)
            for number in range(3):
                path = tmp_path / "pictures" / split / name / f"{number}.png"
                path.write_bytes(png(next(images)))
    return tmp_path / "pictures"
