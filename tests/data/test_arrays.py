import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.arrays import Arrays, clean_classes, stratified
from benchmark.errors import BadInput
from benchmark.names import Scenario


def test_class_names_fit_a_path_and_neither_collide_nor_are_empty():
    names = clean_classes(["sea dog", "a/b", "x-ray", "-edge", "a--b", "-"], "x")
    assert names == ["sea_dog", "a_b", "x-ray", "_edge", "a_-b", "_"]
    for names in (["a b", "a_b"], ["", "b"]):
        with pytest.raises(BadInput, match="file"):
            clean_classes(names, "file")


def test_class_names_of_any_script_stay_apart():
    names = ["汽车", "飞机", "caf\u00e9", "кот"]
    assert clean_classes(["汽车", "飞机", "cafe\u0301", "кот"], "x") == names
    assert [Scenario(f"class-{name}").class_name for name in names] == names


@given(st.text(min_size=1, max_size=28))
def test_every_class_name_makes_a_scenario(name):
    (clean,) = clean_classes([name], "x")
    assert Scenario(f"class-{clean}").class_name == clean
    assert clean_classes([clean], "x") == [clean]


def test_arrays_that_do_not_fit_together_are_refused():
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    arrays = Arrays(images, labels, images[:2], labels[:2], ["cat", "dog"])
    assert arrays.image_shape == (3, 8, 8)  # channels first
    for change, message in (
        ({"train_images": images[..., :2]}, "C = 1 or 3"),
        ({"train_images": images.astype(np.float32)}, "float32"),
        ({"train_images": images[:0], "train_labels": labels[:0]}, "empty"),
        ({"train_labels": np.array([0, 1, 2, 1])}, "row 2: label 2; accepted are 0 to 1"),
        ({"train_labels": labels[:2]}, "int64"),
        ({"test_images": np.zeros((2, 9, 8, 3), np.uint8)}, "agree"),
        ({"classes": ["cat", "sea dog"]}, "class 'sea dog' holds other characters; .* such as 'sea_dog'"),
        ({"train_files": ["a.png"]}, "1 names of training files; accepted are 0 or 4"),
        ({"classes": ["cat"]}, "accepted are 2 to 32768"),
        ({"classes": [str(number) for number in range(32769)]}, "32769 class"),  # samples hold labels as int16
    ):
        with pytest.raises(BadInput, match=message):
            dataclasses.replace(arrays, **change)


def test_a_subset_is_even_over_classes_and_in_order():
    labels = np.repeat(np.arange(3), [50, 50, 4])
    chosen = stratified(labels, 34, np.random.default_rng(0), "x")
    assert np.bincount(labels[chosen]).tolist() == [15, 15, 4]  # the small class gives all, the others share the rest
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, stratified(labels, 34, np.random.default_rng(0), "x"))
    assert not np.array_equal(chosen, stratified(labels, 34, np.random.default_rng(1), "x"))
    for count in (2, 105):
        with pytest.raises(BadInput, match=r"datasets\.d\.subset"):
            stratified(labels, count, np.random.default_rng(0), "datasets.d.subset")
