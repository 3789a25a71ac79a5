"""Small files in each source's true layout: parquet shards, an image folder, the official archives."""

import dataclasses
import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmark.data import official
from benchmark.settings import DatasetSettings

Members = dict[str, bytes]
WNIDS = ["n01443537", "n01629819"]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the test's own folder: all paths of a project are relative."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pixels() -> np.ndarray:
    """Twelve images of 8x8 RGB that differ in every pixel."""
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def pngs(pixels: np.ndarray) -> list[bytes]:
    return [encoded(image) for image in pixels]


@pytest.fixture
def shard(tmp_path: Path) -> Callable[..., Path]:
    """Write a parquet shard in Hugging Face's layout; return its folder."""

    def write(file: str, images: list[Any], labels: list[Any], **options: Any) -> Path:
        image, label = options.get("image", "img"), options.get("label", "label")
        folder = tmp_path / "shards"
        folder.mkdir(exist_ok=True)
        structs = images if options.get("raw") else [{"bytes": payload, "path": None} for payload in images]
        table = pa.table({image: structs, label: labels})
        if names := options.get("names", ["cat", "sea dog"]):
            features = {"info": {"features": {image: {"_type": "Image"}, label: {"names": names}}}}
            table = table.replace_schema_metadata({b"huggingface": json.dumps(features).encode()})
        pq.write_table(table, folder / file)
        return folder

    return write


@pytest.fixture
def photos(shard: Callable[..., Path], pngs: list[bytes]) -> Callable[..., DatasetSettings]:
    """Write a training and a test shard of four images each, as ``shard`` does; return the dataset's settings."""

    def write(images: Sequence[Any] = (), labels: Sequence[Any] = (0, 1, 0, 1), **options: Any) -> DatasetSettings:
        shard("train-0.parquet", [*images, *pngs[len(images) : 4]], list(labels), **options)
        folder = shard("test-0.parquet", pngs[8:], options.get("test_labels", [0, 1, 0, 1]), **options)
        return DatasetSettings(source="parquet", path=str(folder))

    return write


@pytest.fixture
def image_folder(tmp_path: Path, pngs: list[bytes]) -> Path:
    """A folder of ``train`` and ``test`` with classes cat and dog, three images each."""
    images = iter(pngs)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "pictures" / split / name).mkdir(parents=True)
            for number in range(3):
                (tmp_path / "pictures" / split / name / f"{number}.png").write_bytes(next(images))
    return tmp_path / "pictures"


def folder_settings(path: Path) -> DatasetSettings:
    return DatasetSettings(source="folder", path=str(path))


def _cifar(name: str) -> Members:
    """Four images a batch; batch number k holds the value k in every pixel of red, 10 k of green, 20 k of blue."""
    ten = name == "cifar10"
    folder = "cifar-10-batches-py" if ten else "cifar-100-python"
    files = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"] if ten else ["train", "test"]
    batches: dict[str, Any] = {}
    for number, file in enumerate(files, 1):
        data = np.tile(np.repeat(np.array([1, 10, 20], np.uint8) * number, 1024), (4, 1))
        labels = {"labels": [0, 1, 1, 0]} if ten else {"fine_labels": [0, 1, 1, 0], "coarse_labels": [0] * 4}
        batches[file] = {"data": data, "filenames": ["x.png"] * 4, **labels}
    names = {"label_names": ["airplane", "truck"]} if ten else {"fine_label_names": ["apple", "aquarium fish"]}
    batches["batches.meta" if ten else "meta"] = names
    return {f"{folder}/{file}": pickle.dumps(batch, 2) for file, batch in batches.items()}  # the published protocol


def _tinyimagenet(_name: str) -> Members:
    """Two classes, stored in reverse; training image j of class k is grey level 50 k + 10 j, one file greyscale."""
    root, members = "tiny-imagenet-200", {}
    for k, wnid in reversed(list(enumerate(WNIDS))):
        members[f"{root}/train/{wnid}/{wnid}_boxes.txt"] = b""
        for j, shape in enumerate([(64, 64, 3), (64, 64)]):
            image = np.full(shape, 50 * k + 10 * j, np.uint8)
            members[f"{root}/train/{wnid}/images/{wnid}_{j}.JPEG"] = encoded(image, "JPEG")
    for j in range(2):
        members[f"{root}/val/images/val_{j}.JPEG"] = encoded(np.full((64, 64, 3), 100 + j, np.uint8), "JPEG")
    rows = [f"val_{j}.JPEG\t{wnid}\t0\t0\t9\t9\n" for j, wnid in enumerate(reversed(WNIDS))]
    members[f"{root}/val/val_annotations.txt"] = "".join(rows).encode()
    members[f"{root}/test/images/test_0.JPEG"] = encoded(np.zeros((64, 64, 3), np.uint8), "JPEG")
    return members


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write an archive in the official layout and make its checksum the official one; return its path."""

    def write(name: str, edit: Callable[[Members], object] = lambda members: None, link: str | None = None) -> Path:
        members = _tinyimagenet(name) if name == "tinyimagenet" else _cifar(name)
        edit(members)
        path = tmp_path / "downloads" / official.ARCHIVES[name].file
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                for member, payload in members.items():
                    archive.writestr(member, payload)
                if link:
                    entry = zipfile.ZipInfo(link)
                    entry.external_attr = 0o120777 << 16
                    archive.writestr(entry, "/etc")
        else:
            with tarfile.open(path, "w:gz") as archive:
                for member, payload in members.items():
                    entry = tarfile.TarInfo(member)
                    entry.size = len(payload)
                    archive.addfile(entry, io.BytesIO(payload))
                if link:
                    entry = tarfile.TarInfo(link)
                    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
                    archive.addfile(entry)
        described = dataclasses.replace(official.ARCHIVES[name], md5=hashlib.md5(path.read_bytes()).hexdigest())
        monkeypatch.setitem(official.ARCHIVES, name, described)
        return path

    return write


@pytest.fixture
def example(photos, image_folder, published) -> dict[str, tuple[str, DatasetSettings]]:
    """A dataset's name and settings for every source; a new source needs a line here."""
    return {
        "digits": ("digits", DatasetSettings(source="digits")),
        "parquet": ("photos", photos()),
        "folder": ("pictures", folder_settings(image_folder)),
        "official": ("cifar10", DatasetSettings(source="official", path=str(published("cifar10").parent))),
    }
