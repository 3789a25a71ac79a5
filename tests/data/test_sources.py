import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from benchmark import paths
from benchmark.data import digits, folder, parquet, store
from benchmark.data.arrays import Arrays
from benchmark.data.images import differ_in_size
from benchmark.errors import BadInput
from benchmark.registry import SOURCES
from benchmark.settings import DatasetSettings
from benchmark.study.prepare import prepare
from benchmark.study.study import Study
from benchmark.workflow.preflight import check_all
from tests.data.conftest import encoded


@pytest.mark.parametrize("source", list(SOURCES))
def test_every_source_keeps_the_contract(source, example):
    assert source in example, f"add an example of source {source!r} to conftest.py"
    name, settings = example[source]
    first, second = (SOURCES.get(source)(name, settings) for _ in range(2))
    assert isinstance(first, Arrays) and first.origin["source"]
    for file in store.FILES:
        assert np.array_equal(getattr(first, file), getattr(second, file))
    loaded = store.load(store.prepare(name, settings), verify=True)
    assert np.array_equal(loaded.train_images, first.train_images)
    assert np.array_equal(loaded.test_labels, first.test_labels)
    assert loaded.classes == first.classes
    assert set(np.unique(first.train_labels)) == set(range(len(first.classes)))
    small = store.load(store.prepare(name, settings.model_copy(update={"size": 12, "subset": len(first.classes)})))
    assert small.train_images.shape[:3] == (len(first.classes), 12, 12)


def test_digits_are_the_librarys_in_a_fixed_split():
    from sklearn.datasets import load_digits

    arrays = digits.read("digits", DatasetSettings(source="digits"))
    assert arrays.train_images.shape == (1197, 8, 8, 1) and arrays.test_images.shape == (600, 8, 8, 1)
    assert np.bincount(arrays.test_labels).tolist() == [60] * 10
    assert arrays.train_images.min() == 0 and arrays.train_images.max() == 255
    # Nothing is lost or doubled: the two parts are the library's images, counts of 0 to 16 times 255 / 16.
    ours = np.concatenate([arrays.train_images, arrays.test_images]).reshape(1797, 64)
    labels = np.concatenate([arrays.train_labels, arrays.test_labels])
    theirs = np.column_stack([load_digits().target, np.rint(load_digits().data * 255 / 16)])
    ours = np.column_stack([labels, ours])
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))
    # Fixed in the code: a change of this value changes every result of the quick study.
    assert hashlib.sha256(arrays.train_labels.tobytes()).hexdigest()[:12] == "cd0bac6b94ec"
    assert len(np.unique(arrays.train_labels[:100])) == 10


def test_parquet_gives_the_pixels_back_with_shards_in_order(photos, shard, pngs, pixels):
    settings = photos()
    shard("train-1.parquet", pngs[4:8], [1, 1, 0, 0])
    arrays = parquet.read("photos", settings)
    assert np.array_equal(arrays.train_images, pixels[:8]) and np.array_equal(arrays.test_images, pixels[8:])
    assert arrays.train_labels.tolist() == [0, 1, 0, 1, 1, 1, 0, 0]
    assert arrays.classes == ["cat", "sea_dog"]


def test_parquet_takes_other_columns_raw_bytes_and_patterns_and_repeats_greyscale_in_three_channels(photos, pixels):
    settings = photos(image="image", label="fine_label", raw=True)
    arrays = parquet.read("photos", settings.model_copy(update={"train": "t?ain-*.parquet", "test": "tes?-*.parquet"}))
    assert np.array_equal(arrays.train_images, pixels[:4]) and np.array_equal(arrays.test_images, pixels[8:])
    grey = pixels[0, :, :, 0]
    arrays = parquet.read("photos", photos([encoded(grey)]))
    assert all(np.array_equal(arrays.train_images[0, :, :, channel], grey) for channel in range(3))


def test_parquet_names_the_file_and_row_of_a_mistake(photos):
    for change, message in (
        ({"image": "picture"}, ": no image column .* accepted are img or image"),
        ({"label": "class"}, ": no label column"),
        ({"images": [b"no image"]}, " row 0: image cannot be decoded"),
        ({"images": [None]}, " row 0: image holds no bytes"),
        ({"labels": [0, 1, 2, 1]}, " row 2: label 2; accepted are 0 to 1"),
        ({"labels": [0, 1, -1, 1]}, " row 2: label -1"),
        ({"labels": [0, 1, 2**62, 1]}, " row 2: label 4611686018427387904"),
        ({"labels": [0, 1, None, 1]}, ": labels are .* 1 missing"),
        ({"labels": ["cat", "dog", "cat", "b"]}, " row 1: label 'dog'; accepted are cat, sea dog"),
        ({"labels": [0.5, 1, 0, 1]}, ": labels are double .* accepted are integers, or texts"),
        ({"names": None, "labels": [0, 1, 2**40, 1]}, ": label 1099511627776; accepted are 0 to 32767, or texts"),
    ):
        with pytest.raises(BadInput, match=rf"train-0\.parquet{message}"):
            parquet.read("photos", photos(**change))


def test_plain_parquet_takes_the_columns_and_classes_that_the_study_names(photos, pixels):
    plain = {"image": "picture", "label": "animal", "names": None, "raw": True}
    columns = {"image_column": "picture", "label_column": "animal"}
    texts = photos(labels=["cat", "sea dog", "cat", "ant"], test_labels=["cat"] * 4, **plain).model_copy(update=columns)
    for named, classes, labels in (
        (None, ["ant", "cat", "sea_dog"], [1, 2, 1, 0]),
        (["sea dog", "cat", "ant"], ["sea_dog", "cat", "ant"], [1, 0, 1, 2]),
    ):
        arrays = parquet.read("photos", texts.model_copy(update={"classes": named}))
        assert (arrays.classes, arrays.train_labels.tolist()) == (classes, labels)
        assert np.array_equal(arrays.train_images, pixels[:4])
    numbers = photos(labels=[0, 2, 0, 1], **plain).model_copy(update=columns)
    assert parquet.read("photos", numbers).classes == ["0", "1", "2"]
    assert parquet.read("photos", numbers.model_copy(update={"classes": ["a", "b", "c"]})).classes == ["a", "b", "c"]
    with pytest.raises(BadInput, match="no image column among picture, animal; accepted are img or image, or the one"):
        parquet.read("photos", numbers.model_copy(update={"image_column": None}))


def test_a_study_can_name_the_classes_of_any_source(image_folder):
    named = folder_settings(image_folder).model_copy(update={"classes": ["Felis catus", "Canis"]})
    assert store.load(store.prepare("pictures", named)).classes == ["Felis_catus", "Canis"]
    with pytest.raises(BadInput, match=r"datasets\.pictures\.classes: 1 names: accepted are 2, one a class"):
        store.prepare("pictures", named.model_copy(update={"classes": ["cat"]}))


def test_a_class_name_never_stands_for_another_class(image_folder, photos):
    with pytest.raises(BadInput, match=r"classes: 'sea_dog' stands where the source has 'cat'"):
        store.prepare("photos", photos().model_copy(update={"classes": ["sea dog", "cat"]}))
    wolf = photos().model_copy(update={"classes": ["wolf", "sea dog"]})
    assert store.load(store.prepare("photos", wolf)).classes == ["wolf", "sea_dog"]
    for classes in (["dog", "cat"], ["dog", "wolf"]):
        named = folder_settings(image_folder).model_copy(update={"classes": classes})
        with pytest.raises(BadInput, match=r"classes: 'dog' stands where the source has 'cat': accepted are new names"):
            store.prepare("pictures", named)


def test_no_shard_is_both_training_and_test_and_all_have_labels_of_one_type(photos):
    overlapping = photos().model_copy(update={"train": "*.parquet"})
    with pytest.raises(BadInput, match=r"photos\.test: .*/test-0\.parquet is a file of training images too"):
        parquet.read("photos", overlapping)
    for labels, test_labels in ((["a", "b", "a", "b"], [0, 1, 0, 1]), ([0, 1, 0, 1], ["a", "b", "a", "b"])):
        mixed = photos(labels=labels, test_labels=test_labels, names=None)
        with pytest.raises(BadInput, match="labels are integers in some shards and texts in others"):
            parquet.read("photos", mixed)


def test_a_source_that_does_not_return_arrays_is_refused():
    SOURCES.add("odd", lambda name, settings: [])
    message = r"data source 'odd' returns list: accepted is a benchmark\.data\.arrays\.Arrays"
    with pytest.raises(BadInput, match=message):
        store.prepare("x", DatasetSettings(source="odd"))


def test_shards_must_agree_on_sizes_unless_one_is_given_and_on_their_classes(photos, shard, pngs):
    settings = photos([*pngs[:3], encoded(np.zeros((10, 6, 3), np.uint8))])
    with pytest.raises(BadInput, match=r"row 3: image is 6x10 .* 8x8: sizes must agree, or set 'size'"):
        parquet.read("photos", settings)
    assert parquet.read("photos", settings.model_copy(update={"size": 8})).train_images.shape == (4, 8, 8, 3)
    shard("train-1.parquet", pngs[:2], [0, 1], names=["cat", "dog"])
    with pytest.raises(BadInput, match=r"train-1\.parquet: class names differ"):
        parquet.read("photos", settings)


def test_parquet_without_files_is_refused(shard, pngs):
    shards = shard("train-0.parquet", pngs[:4], [0, 1, 0, 1])
    for path, message in (
        (str(shards), r"datasets\.photos\.test: no file in .* matches 'test-\*\.parquet'"),
        ("nowhere", "there is no folder nowhere"),
        (None, r"datasets\.photos\.path is missing"),
    ):
        with pytest.raises(BadInput, match=message):
            parquet.read("photos", DatasetSettings(source="parquet", path=path))


def folder_settings(path: Path) -> DatasetSettings:
    return DatasetSettings(source="folder", path=str(path))


def test_folder_gives_the_pixels_back_sorted_and_may_lack_test_images_of_a_class(image_folder, pixels):
    (image_folder / "train" / "cat" / "notes.txt").write_text("no image")
    arrays = folder.read("pictures", folder_settings(image_folder))
    assert np.array_equal(arrays.train_images, pixels[:6]) and np.array_equal(arrays.test_images, pixels[6:])
    assert arrays.train_labels.tolist() == [0, 0, 0, 1, 1, 1] and arrays.classes == ["cat", "dog"]
    assert store.record(store.prepare("pictures", folder_settings(image_folder)))["sorted_by_class"] is True
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
        assert [arrays.classes[label] for label in arrays.train_labels] == [
            file.split("/")[1] for file in table["file"]
        ]
        readable = table[~table["file"].str.contains("odd")]
        for index, file in readable.itertuples(index=False):
            assert np.array_equal(
                np.asarray(Image.open(image_folder / file).convert("RGB")), arrays.train_images[index]
            )
        (prepared / "train_files.csv").unlink()  # as a dataset that was prepared before has none
        assert store.prepare("mine", settings) == prepared and (prepared / "train_files.csv").is_file()


def test_what_does_not_suit_the_prepared_images_is_refused(image_folder):
    shutil.rmtree(image_folder / "test" / "dog")  # with as many test images every retain sample would be a member
    paths.CONFIG.mkdir()
    table = {"kind": "unlearning", "cells": ["mine/convnet/random-50"], "methods": ["ft"]}
    small = {"*": {"training": {"batch_size": 2}, "unlearning": {"batch_size": 2}}}
    study = {
        "hyperparameters": small,
        "datasets": {"mine": {"source": "folder", "path": str(image_folder)}},
        "tables": {"t": table},
    }
    paths.study_file("own").write_text(yaml.safe_dump(study))
    message = r"own\.yaml: members: 'first': mine is sorted by class.*accepted for it: 'random'"
    with pytest.raises(BadInput, match=message):
        prepare(Study.load("own"), "mine")
    study |= {"members": "random"}
    paths.study_file("own").write_text(yaml.safe_dump(study))
    assert prepare(Study.load("own"), "mine").is_dir()
    table["cells"] = ["mine/vgg16/random-50"]
    paths.study_file("own").write_text(yaml.safe_dump(study))
    with pytest.raises(BadInput, match=r"own\.yaml: mine/vgg16/random-50: VGG-16: images of \d+x\d+ pixels: accepted"):
        prepare(Study.load("own"), "mine")


def test_a_folder_that_has_changed_since_it_was_prepared_is_refused_until_it_is_prepared_again(image_folder):
    paths.CONFIG.mkdir()
    study = {
        "members": "random",
        "hyperparameters": {"*": {"training": {"batch_size": 2}, "unlearning": {"batch_size": 2}}},
        "datasets": {"mine": {"source": "folder", "path": str(image_folder)}},
        "tables": {"t": {"kind": "unlearning", "cells": ["mine/convnet/random-50"], "methods": ["ft"]}},
    }
    paths.study_file("own").write_text(yaml.safe_dump(study))
    check_all(Study.load("own"))
    prepare(Study.load("own"), "mine")
    picture = next((image_folder / "train" / "cat").glob("*.png"))
    shutil.copy(picture, picture.with_name("another.png"))
    changed = r"datasets\.mine\.path: .* 2 classes, 7 training and 6 test images, and had 2 classes, 6 training"
    with pytest.raises(BadInput, match=changed):
        check_all(Study.load("own"))
    prepare(Study.load("own"), "mine")
    check_all(Study.load("own"))
    shutil.rmtree(image_folder)  # it is not needed any more
    check_all(Study.load("own"))
    study["hyperparameters"]["*"]["unlearning"]["batch_size"] = 99
    paths.study_file("own").write_text(yaml.safe_dump(study))
    with pytest.raises(BadInput, match="batch_size: 99: accepted is at most the 4 retain images"):
        check_all(Study.load("own"))


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
    assert f"2 files are no {{train,test}}/<class>/<image>, such as {', '.join(skipped)}\n" in capsys.readouterr().err


def test_folder_names_the_classes_that_have_no_test_images(image_folder, capsys):
    folder.read("mine", folder_settings(image_folder))
    assert not capsys.readouterr().err
    shutil.rmtree(image_folder / "test" / "cat")
    assert len(folder.read("mine", folder_settings(image_folder)).classes) == 2
    assert capsys.readouterr().err == f"{image_folder / 'test'}: no images of cat\n"


def test_images_are_known_to_differ_in_size_by_their_headers(image_folder, pixels):
    files = sorted(image_folder.rglob("*.png"))
    assert not differ_in_size(files)
    files[1].write_bytes(encoded(pixels[0][:-1]))
    assert differ_in_size(files)
    files[0].write_bytes(b"junk")
    with pytest.raises(BadInput, match=f"{files[0].name}: is no image; accepted are 8-bit PNG"):
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
