"""Which samples each method's training loads, over whole runs, and which steps make an epoch."""

import pytest

from benchmark.data import store
from benchmark.data.splits import forgotten
from benchmark.methods import METHODS
from benchmark.names import CL, MethodName
from benchmark.results import records

# Methods that may see the forget data; no other one may, and no future one.
SEE_FORGET = {"original", "neggrad-plus", "salun", "bad-teacher", "ssd", "scrub", "cu"}
PART_OF_RETAIN = {"bad-teacher", "cu"}
WITH_CL = [base + CL for base in METHODS if METHODS.get(base).contrastive]
ALL_METHODS = list(dict.fromkeys(str(MethodName.parse(name)) for name in [*METHODS, *WITH_CL, "salun@order=shuffled"]))
ALL_SAMPLES = set(range(160))
CASES = [("original", "random-10"), ("retrain", "random-10"), ("retrain", "class-8"), ("coun", "class-8")]
CASES += [("neggrad-plus+cl", "class-8")]
CASES += [(method, "sequential-2x10") for method in ALL_METHODS if method not in ("original", "retrain")]


@pytest.mark.parametrize(("method", "scenario"), CASES)
def test_a_method_loads_only_the_samples_it_may_see_with_their_true_labels(project, shared, method, scenario):
    study, base = project.study(), MethodName.parse(method).base
    frame = records.forget_rows(study, study.run(project.name("ft", scenario)))
    labels = store.load(study.dataset_folder("digits")).train_labels
    loaded_parts = shared.run(method, scenario).loaded
    assert {stage for stage, _ in loaded_parts} == {*range(1, frame["stage"].max() + 1)}
    removed_before: set[int] = set()
    for stage in range(1, frame["stage"].max() + 1):
        parts = [part for number, part in loaded_parts if number == stage]
        removed = set(forgotten(frame, stage=stage).tolist())
        loaded = {index for part in parts for index in part.index.tolist()}
        allowed = ALL_SAMPLES - removed_before if base in SEE_FORGET else ALL_SAMPLES - removed
        if base in PART_OF_RETAIN:
            assert removed - removed_before < loaded < allowed
        else:
            assert loaded == (ALL_SAMPLES if base == "original" else allowed)
        for part in parts:
            pairs = zip(part.index.tolist(), part.label.tolist(), strict=True)
            assert all(labels[index] == label for index, label in pairs if base != "salun" or index not in removed)
        removed_before = removed


@pytest.mark.parametrize(("method", "scenario"), CASES)
def test_an_epoch_repeats_its_steps_of_priced_parts_and_another_epoch_has_others(shared, method, scenario):
    method = shared.run(method, scenario).trainer.method

    def steps(epoch):
        batches = method.batches(epoch)
        return [{name: (part.index.tolist(), part.label.tolist()) for name, part in step.items()} for step in batches]

    assert steps(0) == steps(0) and steps(1) == steps(1)
    assert not steps(0) or steps(0) != steps(1)
    for step in steps(0):
        assert all(0 < len(index) <= 32 for index, _ in step.values())
        assert step.keys() <= method.paper_units.keys() & method.executed_units.keys()
    # Every retain sample once an epoch, where they are gone through.
    retain = [index for step in steps(0) if "retain" in step for index in step["retain"][0]]
    assert not retain or sorted(retain) == method.context.retain.tolist()
