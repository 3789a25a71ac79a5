"""Folders of images: how they are read, and studies that train on one."""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import ExifTags, Image

from benchmark.data import folder, store
from benchmark.data.images import decode, differ_in_size
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings
from benchmark.study.prepare import prepare, split
from benchmark.study.study import Study
from benchmark.workflow.preflight import check_all, check_images, check_unchanged
from tests.data.conftest import encoded, folder_settings
from tests.test_reading import write


def test_folder_gives_the_pixels_back_sorted_and_may_lack_test_images_of_a_class(image_folder, pixels):
    for hidden_or_text in ("notes.txt", "._0.png"):  # macOS writes such files beside images on other file systems
        (image_folder / "train" / "cat" / hidden_or_text).write_text("no image")
    arrays = folder.read("pictures", folder_settings(image_folder))
    assert np.array_equal(arrays.train_images, pixels[:6]) and np.array_equal(arrays.test_images, pixels[6:])
    assert arrays.train_labels.tolist() == [0, 0, 0, 1, 1, 1] and arrays.classes == ["cat", "dog"]
    assert store.record(store.prepare("pictures", folder_settings(image_folder)))["grouped_by_class"] == [
        "train",
        "test",
    ]
    shutil.rmtree(image_folder / "test" / "dog")
    assert folder.read("pictures", folder_settings(image_folder)).test_labels.tolist() == [0, 0, 0]


def test_a_prepared_folder_says_which_image_stands_where_in_a_subset_and_another_order_too(image_folder):
    bad = os.fsencode(image_folder / "train" / "cat") + b"/\xff, odd.png"  # not UTF-8, and with a comma
    shutil.copy(next((image_folder / "train" / "cat").glob("*.png")), bad)
    for changes in ({}, {"subset": 4}, {"order": "content"}):
        settings = folder_settings(image_folder).model_copy(update=changes)
        prepared = store.prepare("mine", settings)
        table = pd.read_csv(prepared / "train_files.csv")
        arrays = store.load(prepared)
        assert table["index"].tolist() == list(range(len(arrays.train_labels)))
        assert [arrays.classes[label] for label in arrays.train_labels] == [*table["file"].str.split("/").str[1]]
        for index, file in table[~table["file"].str.contains("odd")].itertuples(index=False):
            image = np.asarray(Image.open(image_folder / file).convert("RGB"))
            assert np.array_equal(image, arrays.train_images[index])
        (prepared / "train_files.csv").unlink()  # as a dataset that was prepared before has none
        assert store.prepare("mine", settings) == prepared and (prepared / "train_files.csv").is_file()


def own(
    image_folder: Path,
    cell: str = "mine/convnet/random-50",
    members: str = "random",
    batch_size: int = 2,
    **settings: object,
) -> Study:
    """Write a study of a folder, and read it."""
    study = {
        "members": members,
        "hyperparameters": {"*": {"training": {"batch_size": 2}, "unlearning": {"batch_size": batch_size}}},
        "datasets": {"mine": {"source": "folder", "path": str(image_folder), **settings}},
        "tables": {"t": {"kind": "unlearning", "cells": [cell], "methods": ["ft"]}},
    }
    write(json.dumps(study), "own")
    return Study.load("own")


def test_a_class_that_has_all_test_images_is_not_forgotten(image_folder):
    shutil.rmtree(image_folder / "test" / "dog")
    study = own(image_folder, "mine/convnet/class-cat")
    prepare(study, "mine")
    with pytest.raises(
        BadInput, match="scenario 'class-cat' of mine: all test images are of its class: accepted is a class"
    ):
        split(study, "mine", "class-cat", 0)
    study = own(image_folder, "mine/convnet/class-dog")
    assert split(study, "mine", "class-dog", 0).is_file()


def test_what_does_not_suit_the_prepared_images_is_refused(image_folder):
    message = r"own\.yaml: members: 'first': the train and test images of mine are grouped.*accepted for them: 'random'"
    with pytest.raises(BadInput, match=message):
        prepare(own(image_folder, members="first"), "mine")
    with pytest.raises(BadInput, match=message):  # before any image is read
        check_images(own(image_folder, members="first"), ["mine"])
    assert prepare(own(image_folder), "mine").is_dir()
    with pytest.raises(BadInput, match=r"own\.yaml: mine/vgg16/random-50: VGG-16: images of \d+x\d+ pixels: accepted"):
        prepare(own(image_folder, "mine/vgg16/random-50"), "mine")


def test_a_folder_that_has_changed_is_refused_until_it_is_prepared_again(image_folder, monkeypatch):
    check_all(own(image_folder, subset=6))
    with pytest.raises(BadInput, match=r"own\.yaml: datasets\.mine\.subset: 7: accepted is at most the 6 images there"):
        check_all(own(image_folder, subset=7))
    check_all(own(image_folder))
    prepare(own(image_folder), "mine")
    picture = next((image_folder / "train" / "cat").glob("*.png"))
    shutil.copy(picture, picture.with_name("another.png"))
    changed = r"datasets\.mine\.path: .* 2 classes, 7 training and 6 test images, and had 2 classes, 6 training"
    with pytest.raises(BadInput, match=changed):
        check_all(own(image_folder))
    record = store.record(own(image_folder).dataset_folder("mine"))
    with monkeypatch.context() as patch:  # with `order: content`, the arrays may have come from another source
        patch.setattr(store, "record", lambda _: record | {"origin": {"source": "parquet"}})
        check_all(own(image_folder))
    prepare(own(image_folder), "mine")
    check_all(own(image_folder))
    other = next((image_folder / "train" / "dog").glob("*.png"))
    moved = picture.rename(other.with_name("moved.png"))  # its label was wrong
    other.rename(picture)
    with pytest.raises(BadInput, match=r"own\.yaml: datasets\.mine\.path: .*: images were renamed, moved or replaced"):
        check_all(own(image_folder))
    # In the order of their content, other names of the same images share what was prepared.
    prepared, by_content = own(image_folder).dataset_folder("mine"), own(image_folder, order="content")
    with monkeypatch.context() as patch:
        patch.setattr(Study, "dataset_folder", lambda *_: prepared)
        check_unchanged(by_content)
    prepare(own(image_folder), "mine")
    assert moved.exists()
    check_all(own(image_folder))
    shutil.rmtree(image_folder)  # it is not needed any more
    check_all(own(image_folder))
    with pytest.raises(BadInput, match="batch_size: 99: accepted is at most the 3 retain images"):
        check_all(own(image_folder, batch_size=99))


def test_folder_reads_gif_and_tiff_and_names_what_it_skips(image_folder, pixels, capsys):
    for kind in ("GIF", "TIFF"):
        (image_folder / "train" / "cat" / f"9.{kind}").write_bytes(encoded(pixels[0], kind))
    (image_folder / "train" / "cat" / "deeper").mkdir()
    (image_folder / "train" / "cat" / "deeper" / "a.png").touch()
    (image_folder / "test" / "notes.txt").touch()
    arrays = folder.read("mine", folder_settings(image_folder))
    assert len(arrays.train_images) == 8 and np.array_equal(arrays.train_images[4], arrays.train_images[0])
    skipped = ["test/notes.txt", "train/cat/deeper/a.png"]
    assert arrays.origin["skipped"] == {"files": 2, "such as": skipped}
    assert f"2 files are not {{train,test}}/<class>/<image>, such as {', '.join(skipped)}\n" in capsys.readouterr().err


def test_a_link_to_an_image_that_is_not_there_is_refused(image_folder):
    link = image_folder / "train" / "cat" / "moved.png"
    link.symlink_to("nowhere.png")
    with pytest.raises(BadInput, match=f"{link}: a link to nowhere.png, which is not there"):
        folder.read("mine", folder_settings(image_folder))


def test_folder_names_the_classes_that_have_no_test_images(image_folder, capsys):
    folder.read("mine", folder_settings(image_folder))
    assert not capsys.readouterr().err
    shutil.rmtree(image_folder / "test" / "cat")
    arrays = folder.read("mine", folder_settings(image_folder))
    assert len(arrays.classes) == 2 and arrays.origin["classes without test images"] == ["cat"]
    assert capsys.readouterr().err == f"{image_folder / 'test'}: no images of cat\n"


def test_what_is_transparent_becomes_white_and_a_photograph_is_turned_as_its_camera_says():
    drawing = np.zeros((2, 2, 4), np.uint8)
    drawing[0, 0, 3] = 255  # a black dot on black that nobody sees
    black_dot = [[0, 255], [255, 255]]
    for mode in ("RGBA", "LA", "PA"):
        content = io.BytesIO()
        Image.fromarray(drawing).convert(mode).save(content, "TIFF" if mode == "PA" else "PNG")
        assert decode(content.getvalue(), "")[..., 0].tolist() == black_dot, mode
    exif, content = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by a quarter
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(content, "JPEG", exif=exif)
    assert decode(content.getvalue(), "").shape == (8, 4, 3)
    Path("turned.jpg").write_bytes(content.getvalue())
    Path("upright.png").write_bytes(encoded(np.zeros((8, 4, 3), np.uint8)))
    assert not differ_in_size([Path("turned.jpg"), Path("upright.png")])


def test_images_are_known_to_differ_in_size_by_their_headers(image_folder, pixels):
    files = sorted(image_folder.rglob("*.png"))
    assert not differ_in_size(files)
    files[1].write_bytes(encoded(pixels[0][:-1]))
    assert differ_in_size(files)
    files[0].write_bytes(b"junk")
    with pytest.raises(BadInput, match=f"{files[0].name}: is not an image; accepted are 8-bit PNG"):
        differ_in_size(files)


def test_classes_that_would_get_one_name_are_refused_before_any_image_is_read(image_folder):
    for name in ("a b", "a_b"):
        shutil.copytree(image_folder / "train" / "cat", image_folder / "train" / name)
    with pytest.raises(BadInput, match="classes 'a b' and 'a_b' are both called 'a_b' here"):
        folder.images("mine", folder_settings(image_folder))


def test_folder_says_what_is_missing(image_folder):
    for remove, add, message in (
        ("test", "test/cat", "test holds no images"),
        ("train/cat", "train/cat", "train/cat holds no images"),
        ("train/cat", None, "class 'cat' exists only in test; accepted: dog"),
        ("train", "train", "no class folders"),
        ("train", "train/cat", "one class folder, 'cat'"),
        ("test", None, "has no folder 'test'"),
    ):
        shutil.rmtree(image_folder / remove)
        if add:
            (image_folder / add).mkdir(parents=True)
        with pytest.raises(BadInput, match=message):
            folder.read("pictures", folder_settings(image_folder))
    with pytest.raises(BadInput, match=r"datasets\.pictures\.path is missing"):
        folder.read("pictures", DatasetSettings(source="folder"))
