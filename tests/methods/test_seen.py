"""Which samples each method's training loads, over whole runs."""

from __future__ import annotations

import pytest

from benchmark.data import store
from benchmark.data.splits import forgotten
from benchmark.methods import METHODS
from benchmark.names import CL, MethodName
from benchmark.results import records as results

# Methods that may look at the forget data; every other one, and every one still to come, must not.
SEE_FORGET = {"original", "neggrad-plus", "salun", "bad-teacher", "ssd", "scrub", "cu"}
RETAIN_ONLY = [base for base in METHODS if base not in SEE_FORGET]
RETAIN_ONLY = [
    *RETAIN_ONLY,
    *(str(MethodName.parse(base + CL)) for base in RETAIN_ONLY if METHODS.get(base).contrastive),
]
RETAIN_ONLY = list(dict.fromkeys(RETAIN_ONLY))


@pytest.fixture
def seen(project, monkeypatch):
    """Record every index that is loaded for training, and with which label, in whole runs."""
    from benchmark.training.batches import Images

    load = Images.load
    loaded: list[tuple[int, int]] = []

    def record(self, part, generator):
        loaded.extend(zip(part.index.tolist(), part.label.tolist(), strict=True))
        return load(self, part, generator)

    monkeypatch.setattr(Images, "load", record)

    def run(method: str, scenario: str) -> list[tuple[int, int]]:
        loaded.clear()
        project.run(project.study(), project.name(method, scenario))
        return list(loaded)

    return run


@pytest.fixture
def forget(project):
    study = project.study()
    names = {scenario: project.name("ft", scenario) for scenario in ("random-10", "class-8")}
    return {key: set(forgotten(results.forget(study, study.run(name))).tolist()) for key, name in names.items()}


@pytest.fixture
def labels(project):
    return store.load(project.study().dataset_folder("digits")).train_labels


def test_the_methods_of_the_paper_that_train_on_retain_data_alone():
    assert set(RETAIN_ONLY) >= {"retrain", "ft", "l1-sparse", "l1-sparse+cl", "not", "not+cl", "coun"}


@pytest.mark.parametrize(
    ("method", "scenario"),
    [*((method, "random-10") for method in RETAIN_ONLY), ("retrain", "class-8"), ("coun", "class-8")],
)
def test_no_forget_sample_is_ever_loaded_and_every_retain_sample_is(seen, forget, method, scenario):
    assert {index for index, _ in seen(method, scenario)} == set(range(160)) - forget[scenario]


@pytest.mark.parametrize(
    ("method", "scenario"), [("neggrad-plus", "random-10"), ("neggrad-plus+cl", "class-8"), ("salun", "random-10")]
)
def test_methods_that_climb_or_relabel_load_both(seen, method, scenario):
    assert {index for index, _ in seen(method, scenario)} == set(range(160))


def test_original_loads_everything_once_an_epoch(seen):
    loaded = [index for index, _ in seen("original", "random-10")]
    first, second = loaded[:160], loaded[160:]
    assert sorted(first) == sorted(second) == list(range(160)) and first != second


@pytest.mark.parametrize("method", ["retrain", "ft", "coun", "neggrad-plus"])
def test_labels_are_the_true_ones(seen, labels, method):
    assert all(labels[index] == label for index, label in seen(method, "random-10"))


def test_a_random_scenario_forgets_its_share_and_a_class_all_of_its_class(forget, labels):
    assert len(forget["random-10"]) == 16
    assert forget["class-8"] == {index for index, label in enumerate(labels) if label == 8}


@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_epoch_has_the_same_steps_of_priced_parts_on_every_call_and_another_has_others(project, method):
    method = project.start(project.study(), project.name(method)).method

    def steps(epoch):
        return [{name: (p.index.tolist(), p.label.tolist()) for name, p in s.items()} for s in method.batches(epoch)]

    assert steps(0) == steps(0) and steps(1) == steps(1)
    assert not steps(0) or steps(0) != steps(1)
    for step in steps(0):
        assert all(0 < len(index) <= 32 for index, _ in step.values())
        assert step.keys() <= method.paper_units.keys() & method.executed_units.keys()
