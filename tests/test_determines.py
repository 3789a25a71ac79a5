"""A fingerprint holds all that determines a result, splits nest, and a study holds what it seems to."""

import shutil

import numpy as np
import pytest
import yaml

from benchmark import paths
from benchmark.data import splits
from benchmark.data.splits import forgotten, read_split
from benchmark.errors import BadInput
from benchmark.files import written_origin
from benchmark.study.prepare import split
from benchmark.study.study import Study
from tests.mutations import MUTATIONS, ROOT, mutated
from tests.project import CELL, STUDY

UNLEARNING = {"hyperparameters": {"*": {"unlearning": {"epochs": 3}}}}
CHANGES = [{}, {"members": "random"}, {"seed": 2}, {"precision": "bfloat16"}, {"hold_out": 10}, {"keep_twins": True}]
CHANGES += [{"datasets": {"digits": {"subset": 150}}}, {"datasets": {"digits": {"size": 12}}}, UNLEARNING]


def test_all_that_determines_a_result_is_in_its_fingerprint(empty):
    fingerprints = [empty.study(change).run(f"{CELL}/ft/trial-0").fingerprint for change in CHANGES]
    assert len(set(fingerprints)) == len(CHANGES)


def test_the_fingerprint_of_original_says_which_images_its_trial_holds_out(empty):
    studies = (empty.study({"hold_out": 10, "resample": drawn}) for drawn in (["original", "split"], ["original"]))
    both, alone = (study.run("digits/convnet/original/trial-1").fingerprint for study in studies)
    assert both != alone


@pytest.mark.parametrize("change", [{"hold_out": 10}, {"keep_twins": True}])
def test_a_split_lies_elsewhere_if_the_study_draws_it_otherwise(empty, change):
    plain, changed = (empty.study(part).split("digits", "class-8", 0).pool_path for part in ({}, change))
    assert plain != changed


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


WRONG = [
    ("lr: 0.05", "lr: yes", "lr: 'yes': "),
    ("lr: 0.05", "lr: true", "lr: True: accepted are numbers"),
    ("lr: 0.05", "lr: 1:30", "lr: '1:30': "),
    ("epochs: 2", "epochs: 100000000000", "epochs: 100000000000: "),
    ("seed: 1", f"seed: {10**20}", f"seed: {10**20}: accepted are numbers"),
    ("- 0.305", "- true", "mean: True: accepted are numbers"),
    ("table8:", "t" * 130 + ":", "at most 120 characters"),
    ("- ft", "- ft@lr=" + "0" * 130 + "1", "137 characters: accepted are at most 120"),
    ("class-8", "class-" + "八" * 40, "126 bytes: accepted are at most 120"),
    ("seed: 1", "description: " + "x" * 2_000_000, "bytes; accepted are at most 2,000,000"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG, ids=[wrong[:20] for _, wrong, _ in WRONG])
def test_values_that_are_no_numbers_or_too_long_are_refused_when_the_study_is_read(empty, right, wrong, message):
    paths.CONFIG.mkdir()
    text = yaml.safe_dump(STUDY, sort_keys=False)
    assert right in text
    paths.study_file("tiny").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=r"^config/tiny\.yaml: ") as caught:
        Study.load("tiny")
    assert message in str(caught.value)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="study 'quick': no folder config here: accepted is a checkout"):
        Study.load("quick")


def test_every_listed_mutation_applies_to_this_code(tmp_path):
    shutil.copytree(ROOT / "benchmark", tmp_path / "benchmark")
    for mutation in MUTATIONS:
        assert (ROOT / "tests" / mutation.tests).is_file()
        before = mutated(tmp_path, mutation)
        (tmp_path / "benchmark" / mutation.file).write_text(before, encoding="utf-8")
