"""Images in the order of their content: the same arrays from whatever source."""

import numpy as np
import pytest

from benchmark.data import store
from benchmark.data.arrays import Arrays
from benchmark.errors import BadInput
from benchmark.paths import LOCAL_DATASETS
from benchmark.registry import SOURCES
from benchmark.settings import DatasetSettings
from benchmark.study.reading import with_local_datasets

LABELS = np.arange(12) % 3


@pytest.fixture
def sources(pixels):
    """Two sources of the same images, in two orders."""
    for name, order in (("first", np.arange(12)), ("second", np.random.default_rng(1).permutation(12))):

        def read(_, settings, order=order):
            images, labels = pixels[order], LABELS[order]
            return Arrays(images, labels, images[:6], labels[:6], ["a", "b", "c"], {"source": settings.source})

        SOURCES.add(name, read)


def prepared(source, **settings):
    folder = store.prepare("mine", DatasetSettings(source=source, subset=6, **settings))
    return folder, store.load(folder)


def test_the_order_of_content_depends_on_images_and_labels_alone(pixels):
    order = np.random.default_rng(5).permutation(12)
    by_content = store.by_content(pixels, LABELS)
    again = store.by_content(pixels[order], LABELS[order])
    assert sorted(by_content) == list(range(12))
    assert np.array_equal(pixels[by_content], pixels[order][again])
    assert np.array_equal(LABELS[by_content], LABELS[order][again])
    assert (np.diff(LABELS[by_content]) < 0).any()  # not sorted by class


def test_two_sources_of_the_same_images_give_the_same_arrays(sources):
    first, arrays = prepared("first", order="content")
    digest = store.content_hash(first)
    train = arrays.train_images.copy()
    second, _ = prepared("second", order="content", path="elsewhere")
    assert first == second  # one name, so that runs are the same runs
    assert np.array_equal(store.load(second).train_images, train)
    # The test sets of these sources differ, and that shows.
    assert store.content_hash(second) != digest


def test_in_the_order_of_the_source_they_are_told_apart(sources):
    assert prepared("first")[0] != prepared("second")[0]


def test_the_order_of_the_source_is_what_it_was_before_there_was_a_choice():
    # The name that results committed before were made with.
    assert store.provenance("digits", DatasetSettings(source="digits")) == "1289577b299e"


def test_a_machine_says_where_its_images_are():
    data = {"datasets": {"cifar10": {"source": "official", "subset": 5}, "digits": {"source": "digits"}}}
    assert with_local_datasets(data) == data
    LOCAL_DATASETS.parent.mkdir(parents=True)
    LOCAL_DATASETS.write_text("cifar10: {source: parquet, path: images/cifar10}\nother: {source: folder}\n")
    local = with_local_datasets(data)["datasets"]
    assert local["cifar10"] == {"source": "parquet", "path": "images/cifar10", "subset": 5}
    assert local["digits"] == {"source": "digits"} and "other" not in local
    LOCAL_DATASETS.write_text("cifar10: {subset: 3}\n")
    with pytest.raises(BadInput, match="accepted below a dataset's name are source, path, train, test"):
        with_local_datasets(data)
