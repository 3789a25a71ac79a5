"""Which samples each method's training loads, over whole runs."""

from __future__ import annotations

import pytest

from benchmark.data.splits import forgotten
from benchmark.methods import METHODS
from benchmark.names import CL, MethodName
from benchmark.results import records as results

# Methods that may look at the forget data; every other one, and every one still to come, must not.
SEE_FORGET = {"original", "neggrad-plus", "salun", "bad-teacher", "ssd", "scrub", "cu"}
RETAIN_ONLY = [
    str(MethodName.parse(name))
    for base in METHODS
    if base not in SEE_FORGET
    for name in ([base, base + CL] if METHODS.get(base).contrastive else [base])
]


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

    def run(method: str, scenario: str, study=None) -> list[tuple[int, int]]:
        loaded.clear()
        project.run(study or project.study(), project.name(method, scenario))
        return list(loaded)

    return run


@pytest.fixture
def forget(project):
    study = project.study()

    def of(scenario: str) -> set[int]:
        return set(forgotten(results.forget(study, study.run(project.name("ft", scenario)))).tolist())

    return of


def test_the_methods_of_the_paper_that_train_on_retain_data_alone():
    assert set(RETAIN_ONLY) >= {"retrain", "ft", "l1-sparse", "l1-sparse+cl", "not", "not+cl", "coun"}


@pytest.mark.parametrize(
    ("method", "scenario"),
    [*((method, "random-10") for method in dict.fromkeys(RETAIN_ONLY)), ("retrain", "class-8"), ("coun", "class-8")],
)
def test_no_forget_sample_is_ever_loaded_and_every_retain_sample_is(seen, forget, method, scenario):
    indices = {index for index, _ in seen(method, scenario)}
    assert indices & forget(scenario) == set()
    assert indices == set(range(160)) - forget(scenario)


@pytest.mark.parametrize(
    ("method", "scenario"), [("neggrad-plus", "random-10"), ("neggrad-plus+cl", "class-8"), ("salun", "random-10")]
)
def test_methods_that_climb_or_relabel_load_both(seen, forget, method, scenario):
    indices = {index for index, _ in seen(method, scenario)}
    assert indices == set(range(160)) and indices >= forget(scenario)


def test_original_loads_everything_once_an_epoch(project, seen):
    indices = [index for index, _ in seen("original", "random-10")]
    assert sorted(indices[:160]) == sorted(indices[160:]) == list(range(160))
    assert indices[:160] != indices[160:]


@pytest.mark.parametrize("method", ["retrain", "ft", "coun", "neggrad-plus"])
def test_labels_are_the_true_ones(project, seen, method):
    from benchmark.data import store

    labels = store.load(project.study().dataset_folder("digits")).train_labels
    assert all(labels[index] == label for index, label in seen(method, "random-10"))


def test_a_random_scenario_forgets_its_share_and_a_class_all_of_its_class(project, forget):
    from benchmark.data import store

    labels = store.load(project.study().dataset_folder("digits")).train_labels
    assert len(forget("random-10")) == 16
    assert forget("class-8") == {index for index, label in enumerate(labels) if label == 8}


@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_epoch_has_the_same_steps_on_every_call_and_another_has_others(project, method):
    method = project.start(project.study(), project.name(method)).method

    def steps(epoch):
        return [
            {name: (part.index.tolist(), part.label.tolist()) for name, part in step.items()}
            for step in method.batches(epoch)
        ]

    assert steps(0) == steps(0) and steps(1) == steps(1)
    assert not steps(0) or steps(0) != steps(1)


@pytest.mark.parametrize("method", list(METHODS))
def test_no_batch_is_larger_than_the_batch_size_and_every_part_has_a_price(project, method):
    method = project.start(project.study(), project.name(method)).method
    for step in method.batches(0):
        assert all(0 < len(part.index) <= 32 for part in step.values())
        assert step.keys() <= method.paper_units.keys() & method.executed_units.keys()
