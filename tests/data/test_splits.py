from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data import splits
from benchmark.data.splits import forgotten, held_out, read_split, split_frame
from benchmark.errors import BadInput, DamagedFile, StaleOutput
from benchmark.files import write_parquet, written_origin
from benchmark.names import Scenario
from benchmark.study.prepare import split

CLASSES = ["cat", "dog", "ship", "truck"]
TRAIN = np.random.default_rng(5).integers(0, 4, 203)
TEST = np.random.default_rng(6).integers(0, 4, 80)


def frame_of(name: str, seed: int = 0, labels: np.ndarray = TRAIN) -> pd.DataFrame:
    return split_frame(labels, TEST, CLASSES, Scenario(name), np.random.default_rng(seed))


def draw(name: str, seed: int = 0, labels: np.ndarray = TRAIN) -> np.ndarray:
    return forgotten(frame_of(name, seed, labels))


@given(st.integers(1, 99), st.integers(1, 99), st.integers(20, 400))
def test_random_splits_nest(small, large, count):
    small, large = sorted((small, large))
    labels = np.arange(count) % 4

    def indices(percent: int) -> set[int]:
        if not 0 < (count * percent + 50) // 100 < count:
            return set()
        return set(draw(f"random-{percent}", 1, labels).tolist())

    assert indices(small) <= indices(large) or not indices(large)
    assert len(indices(large)) in ((count * large + 50) // 100, 0)


def test_a_random_split_is_sorted_rounded_and_seeded_and_a_class_split_is_the_whole_class():
    indices = draw("random-10")
    assert len(indices) == 20 and len(np.unique(indices)) == 20 and (np.diff(indices) > 0).all()
    assert len(draw("random-50")) == 102  # 101.5 rounds up
    assert np.array_equal(indices, draw("random-10"))
    assert not np.array_equal(indices, draw("random-10", seed=1))
    assert np.array_equal(draw("class-ship"), np.flatnonzero(TRAIN == 2))
    for name, test in (("class-ship", np.flatnonzero(TEST == 2)), ("random-10", [])):
        frame = frame_of(name)
        assert np.array_equal(forgotten(frame, "test"), test) and (frame["stage"] == 1).all()


def test_stages_of_a_sequence_are_the_random_splits():
    frame = frame_of("sequential-5x10")
    for stage in range(1, 6):
        assert np.array_equal(forgotten(frame, stage=stage), draw(f"random-{10 * stage}"))
    assert np.array_equal(draw("sequential-5x10"), draw("random-50"))
    assert not frame["index"].duplicated().any()


@given(st.integers(1, 60), st.integers(0, 39), st.sampled_from(["random", "class"]))
def test_held_out_images_are_never_forgotten_and_change_no_other_split(percent, hold_out, kind):
    scenario = Scenario(f"random-{percent}" if kind == "random" else "class-ship")
    held = held_out(len(TRAIN), hold_out, np.random.default_rng(0))
    frame = split_frame(TRAIN, TEST, CLASSES, scenario, np.random.default_rng(0), hold_out)
    assert len(held) == (len(TRAIN) * hold_out + 50) // 100
    assert np.array_equal(forgotten(frame), np.setdiff1d(draw(scenario.name), held))
    assert np.array_equal(forgotten(frame, "held-out"), held[TRAIN[held] == 2] if kind == "class" else [])
    assert kind == "class" or np.array_equal(forgotten(frame), draw(scenario.name))


def test_unknown_classes_and_empty_forget_or_retain_sets_are_refused():
    for count, scenario, message in (
        (5, "class-truk", "scenario 'class-truk': unknown class 'truk'; did you mean 'truck'"),
        (5, "class-dog", "forgets none"),
        (5, "class-cat", "forgets all 5"),
        (5, "random-1", "forgets none"),
        (5, "random-99", "forgets all 5"),
        (20, "sequential-9x2", "at some stage"),
    ):
        with pytest.raises(BadInput, match=message):
            draw(scenario, labels=np.zeros(count, np.int64))


SCORES = "# of a test\nindex,score\n" + "".join(
    f"{index},{score}\n" for index, score in reversed([*enumerate([0.5, "", -0.1, 0.9, 0.5, 0.0, 1.0, "", 0.2, 0.3])])
)


def test_a_file_chooses_the_forgotten_samples_or_is_refused_by_name():
    path = Path("file.csv")
    for scenario, text, expected in (
        ("listed-mine", "# what somebody asked for\n7\n2\n\n3\n", [2, 3, 7]),
        ("memorised-30", SCORES, [0, 3, 6]),
        ("typical-25", SCORES, [2, 5, 8]),
    ):
        path.write_text(text)
        chosen = splits.chosen_by(path, Scenario(scenario), 10)
        assert chosen.tolist() == expected, scenario
        rng = np.random.default_rng(0)
        frame = split_frame(TRAIN[:10], TEST, CLASSES, Scenario(scenario), rng, 30, chosen)
        held = held_out(10, 30, np.random.default_rng(0))
        assert forgotten(frame).tolist() == np.setdiff1d(expected, held).tolist()
    for scenario, text, message in (
        ("listed-mine", "1\n10\n", "file.csv: 10: the 10 training images are numbered from 0 to 9"),
        ("listed-mine", "1\n-2\n", "file.csv: -2: the 10 training"),
        ("listed-mine", "1\n4\n1\n", "file.csv: 1 is listed twice"),
        ("listed-mine", "# none\n1.5\n", "file.csv: line 2: '1.5': accepted is an index a line"),
        ("listed-mine", "index\n1\n", "file.csv: line 1: 'index': accepted is an index a line"),
        ("listed-mine", "1,2\n", "line 1: '1,2': accepted is an index a line"),
        ("listed-mine", "# none\n", "file.csv: empty: accepted is an index a line"),
        ("listed-mine", f"1\n{10**22}\n", f"file.csv: {10**22}: the 10 training"),
        ("typical-20", "index,score\n1\n", "line 2: '1': accepted is a heading index,score"),
        ("typical-20", "index,score\n1,low\n", "line 2: '1,low': accepted is"),
        ("typical-20", "index,score\n", "heading index,score: accepted is a heading index,score and a line"),
        ("typical-20", SCORES[:-6], "file.csv: 9 scores: there are 10 training images"),
        ("typical-20", "index\n1\n", "accepted is a heading index,score"),
        ("typical-20", "score,index\n" + "0.5,1\n" * 10, "heading score,index: accepted is a heading index,score"),
        ("typical-20", "index,memorisation\n1,low\n", "heading index,memorisation: accepted"),
        ("memorised-90", SCORES, "9 samples are wanted, 8 of 10 have a score"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput, match=message):
            splits.chosen_by(path, Scenario(scenario), 10)


def test_twins_are_equal_images_of_which_only_one_is_forgotten():
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)
    images[3], images[5], images[2] = images[0], images[4], images[1]
    # 0 has a twin in 3, 1 only in a held-out image; 4 and 5 are both forgotten.
    train, test = splits.equal_images(images, images[[1, 6, 6]])
    counts = {"twins": 1, "twins_forget_test": 1, "twins_retain_test": 1}
    assert splits.twins(train, test, np.array([0, 1, 4, 5]), np.array([3, 6])) == counts


def test_copies_are_forgotten_together_and_splits_still_nest():
    groups, held = np.arange(len(TRAIN)) // 2, held_out(len(TRAIN), 10, np.random.default_rng(0))

    def drawn(name: str) -> set[int]:
        rng = np.random.default_rng(0)
        return set(forgotten(split_frame(TRAIN, TEST, CLASSES, Scenario(name), rng, 10, None, groups)).tolist())

    small, large = drawn("random-10"), drawn("sequential-2x10")
    assert small < large and set(draw("random-10")) < small and not small & set(held)
    retained = np.setdiff1d(np.arange(len(TRAIN)), [*small, *held])
    assert splits.twins(groups, groups[:0], np.array(sorted(small)), retained)["twins"] == 0
    assert len(drawn("class-cat")) == (np.delete(TRAIN, held) == 0).sum()


def test_a_split_file_reads_back_as_written_and_other_columns_are_refused():
    for name in ("random-10", "class-cat", "sequential-3x5"):
        frame = frame_of(name)
        write_parquet(Path("a/split.parquet"), frame)
        pd.testing.assert_frame_equal(read_split(Path("a/split.parquet")), frame)
    path = Path("split.parquet")
    with pytest.raises(StaleOutput, match="missing"):
        read_split(path)
    write_parquet(path, pd.DataFrame({"split": ["train"], "row": [1]}))
    with pytest.raises(DamagedFile, match="accepted are split, index, stage"):
        read_split(path)


def test_a_larger_split_forgets_all_that_a_smaller_one_forgets(project):
    study = project.study()
    scenarios = ("random-10", "random-50", "sequential-2x10")
    drawn = {scenario: read_split(split(study, "digits", scenario, 0)) for scenario in scenarios}
    first = set(forgotten(drawn["random-10"]))
    assert first == set(forgotten(drawn["sequential-2x10"], stage=1)) and len(first) == 16
    assert first < set(forgotten(drawn["sequential-2x10"])) < set(forgotten(drawn["random-50"]))


def test_a_study_that_keeps_twins_together_forgets_both(project, monkeypatch):
    monkeypatch.setattr(splits, "equal_images", lambda *_: [np.arange(160) // 2, np.full(60, -1)])
    file = split(project.study({"keep_twins": True}), "digits", "random-10", 0)
    index = read_split(file)["index"]
    assert len(index) > 16 and set(index) == {twin for image in index for twin in (image, image ^ 1)}
    assert written_origin(file)["twins"] == 0
    file = split(project.study(), "digits", "random-10", 0)
    assert len(read_split(file)) == 16 and written_origin(file)["twins"] > 0
