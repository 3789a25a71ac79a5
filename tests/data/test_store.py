from pathlib import Path

import numpy as np
import pytest

from benchmark.data import store
from benchmark.data.arrays import Arrays
from benchmark.data.images import resize_all
from benchmark.errors import BadInput, DamagedFile, StaleOutput
from benchmark.paths import LOCAL_DATASETS
from benchmark.registry import SOURCES
from benchmark.settings import Augmentation, DatasetSettings
from benchmark.study.reading import with_local_datasets


def digits(**settings) -> DatasetSettings:
    return DatasetSettings(source="digits", **settings)


@pytest.fixture
def folder() -> Path:
    return store.prepare("digits", digits(subset=100, test_subset=50))


def test_provenance_follows_the_arrays_and_not_the_augmentation():
    base = store.fingerprint("digits", digits())
    assert base == "1289577b299e"  # committed results were made with it
    assert base == store.fingerprint("digits", digits(augmentation=Augmentation(padding=1)))
    changed = [digits(subset=10), digits(subset_seed=1), digits(size=16), digits(path="x"), digits(train="a")]
    changed.append(digits(classes=["a", "b"]))
    assert len({base, *(store.fingerprint("digits", settings) for settings in changed)}) == 7
    official = [store.fingerprint("cifar10", DatasetSettings(source="official", path=path)) for path in (None, "disk")]
    assert official[0] == official[1]  # the checksums of archives are known, wherever they lie
    sources = (
        DatasetSettings(source="official", order="content"),
        DatasetSettings(source="parquet", path="disk", order="content"),
    )
    assert len({store.fingerprint("cifar10", settings) for settings in sources}) == 1


def test_arrays_load_back_as_stored_with_a_record_of_settings_origin_and_versions(folder):
    arrays = store.load(folder, verify=True)
    assert folder.name == f"digits-{store.fingerprint('digits', digits(subset=100, test_subset=50))}"
    assert isinstance(arrays.train_images, np.memmap) and not arrays.train_images.flags.writeable
    assert arrays.train_images.shape == (100, 8, 8, 1)
    assert np.bincount(arrays.train_labels).tolist() == [10] * 10
    assert np.bincount(arrays.test_labels).tolist() == [5] * 10
    assert {path.name for path in folder.iterdir()} == {*(f"{file}.npy" for file in store.FILES), "provenance.json"}
    record = store.record(folder)
    assert record["settings"]["subset"] == 100 and "augmentation" not in record["settings"]
    assert record["origin"]["source"] == "sklearn.datasets.load_digits"
    assert record["versions"]["numpy"] == np.__version__
    assert record["grouped_by_class"] == []


def test_a_subset_is_part_of_the_dataset_and_chosen_by_its_seed(folder):
    rows = {image.tobytes() for image in store.load(store.prepare("digits", digits())).train_images}
    assert all(image.tobytes() in rows for image in store.load(folder).train_images)
    before = store.content_digest(folder)
    assert store.content_digest(store.prepare("digits", digits(subset=100, test_subset=50))) == before
    other = store.prepare("digits", digits(subset=100, test_subset=50, subset_seed=1))
    assert store.content_digest(other) != before


def test_too_large_a_subset_and_an_unknown_source_are_refused_by_their_keys():
    with pytest.raises(BadInput, match=r"datasets\.digits\.subset: 5000"):
        store.prepare("digits", digits(subset=5000))
    with pytest.raises(BadInput, match=r"datasets\.d\.source.*did you mean 'digits'"):
        store.prepare("d", DatasetSettings(source="digit"))


def test_a_header_that_python_cannot_read_is_damage(folder):
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes().replace(b"}", b"]", 1))
    with pytest.raises(DamagedFile, match=r"train_images\.npy .*prepare STUDY digits"):
        store.load(folder)


@pytest.mark.parametrize("file", ["provenance.json", "train_images.npy", "test_labels.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut off", "empty"])
def test_a_report_of_damage_says_how_to_rebuild(folder, file, damage):
    path = folder / file
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut off" else b"")
    remaining = {entry: entry.read_bytes() for entry in folder.iterdir()}
    with pytest.raises(StaleOutput, match=rf"{file} .*prepare STUDY digits") as caught:
        store.load(folder)
    # Where an array is missing the record is wrong: without it the workflow prepares the dataset again.
    record = folder / "provenance.json"
    damaged = path if damage != "missing" else None if path == record else record
    assert getattr(caught.value, "path", None) == damaged
    assert {entry: entry.read_bytes() for entry in folder.iterdir()} == remaining
    assert store.load(store.prepare("digits", digits(subset=100, test_subset=50)), verify=True)


def test_a_changed_pixel_is_found_on_request_a_changed_shape_always_and_a_pickle_is_never_read(folder):
    images = np.load(folder / "train_images.npy")
    images[0, 0, 0, 0] += 1
    np.save(folder / "train_images.npy", images)
    store.load(folder)
    with pytest.raises(DamagedFile, match="SHA-256"):
        store.load(folder, verify=True)
    np.save(folder / "train_labels.npy", np.zeros(7, np.int64))
    with pytest.raises(DamagedFile, match="shape"):
        store.load(folder)
    np.save(folder / "train_images.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedFile, match=r"train_images\.npy .*Python objects"):
        store.load(folder)


def test_a_file_whose_digest_is_right_is_not_damaged_where_memory_runs_out(folder, monkeypatch):
    def fail(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(MemoryError):
        store.load(folder, verify=True)
    with pytest.raises(DamagedFile):  # a damaged header may ask for any amount
        store.load(folder)


def test_other_images_or_labels_do_not_take_the_place_of_those_prepared(pixels):
    def either(_, settings):
        first = int(settings.path)
        names = [f"{first}-{number}.png" for number in range(first, 12)]
        return Arrays(pixels[first:], LABELS[first:], pixels[:6], LABELS[:6], ["a", "b", "c"], train_files=names)

    SOURCES.add("either", either)
    settings = DatasetSettings(source="either", path="0", order="content")
    folder = store.prepare("mine", settings)
    with pytest.raises(BadInput, match=f"^datasets.mine: {folder} holds other images, from path 0: delete that folder"):
        store.prepare("mine", settings.model_copy(update={"path": "3"}))
    assert len(store.load(folder, verify=True).train_labels) == 12
    assert ",0-11.png\n" in (folder / store.TRAIN_FILES).read_text()
    named = settings.model_copy(update={"label_column": "coarse"})
    assert store.fingerprint("mine", named) != store.fingerprint("mine", settings)


def test_stored_arrays_stay_while_the_source_gives_the_same(pixels):
    images = pixels[:6]
    SOURCES.add("changing", lambda *_: Arrays(pixels.copy(), LABELS, images, LABELS[:6], ["a", "b", "c"]))
    settings = DatasetSettings(source="changing")
    folder = store.prepare("mine", settings)
    before = (folder / "train_images.npy").stat().st_ino
    assert store.prepare("mine", settings) == folder
    assert (folder / "train_images.npy").stat().st_ino == before
    pixels[0] = 255 - pixels[0]
    assert store.prepare("mine", settings) == folder
    assert (folder / "train_images.npy").stat().st_ino != before
    assert np.array_equal(store.load(folder, verify=True).train_images, pixels)


def test_a_failed_preparation_leaves_no_complete_folder(folder, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    (folder / "test_labels.npy").unlink()
    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        store.prepare("digits", digits(subset=100, test_subset=50))
    assert not (folder / "provenance.json").exists()


LABELS = np.arange(12) % 3


@pytest.fixture
def sources(pixels):
    """Two sources of the same images, in two orders."""
    for name, order in (("first", np.arange(12)), ("second", np.random.default_rng(1).permutation(12))):

        def read(_, settings, name=name, order=order):
            images, labels = pixels[order], LABELS[order]
            images = resize_all(images, settings.size if name == "first" else None)
            test = resize_all(pixels[:6], settings.size if name == "first" else None)
            return Arrays(images, labels, test, LABELS[:6], ["a", "b", "c"], {"source": settings.source})

        SOURCES.add(name, read)


def prepared(source, **settings):
    folder = store.prepare("mine", DatasetSettings(source=source, subset=6, **settings))
    return folder, store.load(folder)


def test_two_sources_of_the_same_images_give_the_same_arrays(sources):
    first, arrays = prepared("first", order="content")
    digest = store.content_digest(first)
    assert (np.diff(arrays.train_labels) < 0).any()  # not sorted by class
    train = arrays.train_images.copy()
    second, _ = prepared("second", order="content", path="elsewhere")
    assert first == second  # one name, so that runs are the same runs
    assert np.array_equal(store.load(second).train_images, train)
    # Also where one source has resized its images before they are put in order, as those that decode files do.
    resize = {"order": "content", "size": 5}
    resized = [prepared(name, path=name, **resize)[1].train_images.copy() for name in ("first", "second")]
    assert np.array_equal(*resized)
    assert store.content_digest(second) == digest
    # In the order of their source they are told apart.
    assert prepared("first")[0] != prepared("second")[0]


def test_a_machine_can_say_where_its_images_are():
    data = {"datasets": {"cifar10": {"source": "official", "subset": 5}, "digits": {"source": "digits"}}}
    assert with_local_datasets(data) == data
    LOCAL_DATASETS.parent.mkdir(parents=True)
    LOCAL_DATASETS.write_text("cifar10: {source: parquet, path: images/cifar10}\nother: {source: folder}\n")
    local = with_local_datasets(data)["datasets"]
    assert local["cifar10"] == {"source": "parquet", "path": "images/cifar10", "subset": 5}
    assert local["digits"] == {"source": "digits"} and "other" not in local
    for text, message in [
        (
            "cifar10: {pth: images}\n",
            "cifar10.pth: unknown key 'pth'; did you mean 'path'. Accepted: checksum, image_column",
        ),
        ("cifar10: images\n", "cifar10: 'images': accepted below a dataset's name are source, path, train, test"),
    ]:
        LOCAL_DATASETS.write_text(text)
        with pytest.raises(BadInput, match=message):
            with_local_datasets(data)
