"""Every reader refuses hostile input in one line, runs none of it and writes only into the data folder."""

import os
import pickle
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmark.data import store
from benchmark.data.images import decode
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings
from tests.data.conftest import encoded, folder_settings


class Payload:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.fixture(autouse=True)
def _nothing_else_is_written(tmp_path):
    """Whatever a test feeds in, only ``data`` and the test's own files are there afterwards."""
    yield
    written = {path.name for path in tmp_path.iterdir()}
    assert written <= {"data", "shards", "pictures", "downloads"}, written


def refused(name: str, settings: DatasetSettings) -> str:
    with pytest.raises(BadInput) as caught:
        store.prepare(name, settings)
    message = str(caught.value)
    assert "\n" not in message and not list(Path("data").glob("*/provenance.json"))
    return message


IMAGES = {
    "NaN": b"Pf\n8 8\n-1.0\n" + np.full((8, 8), np.nan, "<f4").tobytes(),  # a float image
    "16 bits": encoded(np.full((8, 8), 40000, np.uint16)),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(executed) (w) file closefile\n%%EOF\n",
    "a bomb": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0),
    "many pixels": encoded(np.zeros((7072, 7072), np.uint8)),
    "pickle": pickle.dumps(Payload()),
    "nothing": b"",
    "cut off": encoded(np.full((64, 64, 3), 9, np.uint8))[:60],
}


def test_a_file_that_is_no_image_is_refused_by_its_place(photos, pngs, image_folder):
    for image in IMAGES.values():
        assert "train-0.parquet row 1: image" in refused("photos", photos([pngs[0], image]))
        (image_folder / "train" / "cat" / "1.png").write_bytes(image)
        assert "train/cat/1.png" in refused("pictures", folder_settings(image_folder))


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(BadInput, match=r"a\.png: .*it has 7072x7072 pixels, and 50,000,000 are the most"):
        decode(IMAGES["many pixels"], "a.png")


def test_colours_of_more_than_eight_bits_are_refused_as_greys_are():
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)  # one pixel of 16-bit RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + struct.pack(">3H", 1992, 2298, 2307))), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    with pytest.raises(BadInput, match=r"a\.png: .*pixels are of mode RGB, or have more than 8 bits"):
        decode(png, "a.png")


def test_a_file_that_is_no_parquet_shard_is_refused_by_name(photos):
    settings = photos()
    path = Path(settings.path, "train-0.parquet")
    intact = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).data_page_offset
    for damaged in (
        b"",
        b"PAR1PAR1",
        b"PAR1" + bytes(100) + struct.pack("<I", 2**31 - 1) + b"PAR1",  # a huge footer
        b"PAR1" + b"\xff" * 1000 + struct.pack("<I", 1000) + b"PAR1",  # a huge header
        np.random.default_rng(0).bytes(5000),
        intact[: len(intact) // 2],
        intact[:start] + b"\xff" * 40 + intact[start + 40 :],  # a page of something else
    ):
        path.write_bytes(damaged)
        assert "train-0.parquet" in refused("photos", settings)


def test_texts_in_another_encoding_and_two_columns_of_one_name_are_refused(photos, pngs):
    settings = photos(names=None, labels=["cat", "dog"] * 2, test_labels=["cat", "dog"] * 2)
    offsets = np.arange(0, 15, 3, dtype=np.int32)
    latin = pa.Array.from_buffers(pa.string(), 4, [None, pa.py_buffer(offsets), pa.py_buffer(b"ca\xe9" * 4)])
    images, labels = pa.array(pngs[:4]), pa.array(["cat", "dog"] * 2)
    for columns, names, message in (
        ([images, latin], ["img", "label"], "is not a readable parquet file (.*UTF8"),
        ([latin, labels], ["img", "label"], "is not a readable parquet file (.*utf-8"),
        ([images, labels, labels], ["img", "label", "label"], "2 columns are called 'label'; accepted is one"),
        ([images, images, labels], ["img", "img", "label"], "2 columns are called 'img'; accepted is one"),
    ):
        pq.write_table(pa.Table.from_arrays(columns, names), Path(settings.path, "train-0.parquet"))
        assert re.search(rf"train-0\.parquet: {message}".replace("(", r"\("), refused("photos", settings))


def test_a_pattern_that_leaves_the_folder_is_refused(photos):
    for pattern in ("../*.parquet", "/etc/*", "a/../../*", ""):
        message = refused("photos", photos().model_copy(update={"train": pattern}))
        assert message.startswith("datasets.photos.train")


def test_malformed_class_names_are_refused_and_none_leads_out_of_its_folder(photos):
    for names in ("catdog", [1, 2], {"a": 1}, ["cat", "cat"], ["", "x"]):
        assert "class" in refused("photos", photos(names=names))
    settings = photos(names=["../../etc", "; touch executed"])
    assert store.load(store.prepare("photos", settings)).classes == ["______etc", "__touch_executed"]


def test_a_malformed_batch_is_refused_even_with_the_right_checksum(published):
    member, black = "cifar-10-batches-py/data_batch_2", np.zeros((4, 3072), np.uint8)
    for batch in (
        {"data": np.full((4, 3072), np.nan), "labels": [0, 1, 0, 1]},
        {"data": black, "labels": [0, 1, 7, 1]},
        {"data": black, "labels": [0.5, 1, 0, 1]},
        {"data": black[:, :9], "labels": [0, 1, 0, 1]},
        {"data": black},
        {"data": [Payload()], "labels": [0]},
        [1, 2],
        Payload(),
    ):
        path = published("cifar10", lambda members, batch=batch: members.update({member: pickle.dumps(batch)}))
        refused("cifar10", DatasetSettings(source="official", path=str(path.parent)))
