import hashlib

import numpy as np
import pytest

from benchmark.data import digits, parquet, store
from benchmark.data.arrays import Arrays
from benchmark.errors import BadInput
from benchmark.registry import SOURCES
from benchmark.settings import DatasetSettings
from tests.data.conftest import encoded, folder_settings


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
        ({"image": "picture"}, ": no column img or image among picture, .*: accepted is one"),
        ({"label": "class"}, ": no column .* among .*, class: accepted is one"),
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
    with pytest.raises(BadInput, match="no column img or image among picture, animal: accepted is one, or the"):
        parquet.read("photos", numbers.model_copy(update={"image_column": None}))
    with pytest.raises(BadInput, match=r"image_column: 'pic': .*-0\.parquet has no such column: accepted are picture,"):
        parquet.read("photos", numbers.model_copy(update={"image_column": "pic"}))
    assert parquet.count(parquet.shards("photos", numbers)[0]) == 4


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
