"""What a study is once it is read: what it inherits, its hyperparameters, the names of its runs, their fingerprints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.methods import METHODS
from benchmark.methods.contrastive import CoUn
from benchmark.names import Cell, MethodName, RunName
from benchmark.study.study import Study

CELL = "digits/convnet/random-10"


def hyper(pattern, **entries):
    return {"hyperparameters": {pattern: entries}}


def settings(study, method, cell=CELL):
    return study.run(study.run_name(Cell.parse(cell), method, 0)).settings


def extending(parent: str, text: str, name: str = "tiny") -> Study:
    paths.study_file(name).write_text(f"extends: {parent}\n{text}", encoding="utf-8")
    return Study.load(name)


# --- extends ---------------------------------------------------------------------------------------------------------


def test_extends_merges_mappings_and_replaces_everything_else(empty):
    parent = empty.study({"description": "parent"}, name="parent")
    child = extending("parent", "trials: 5\ndatasets: {digits: {subset: 99}}\ntables: {table2: {methods: [not]}}\n")
    assert (child.name, child.trials, child.description) == ("tiny", 5, "parent")
    assert child.datasets["digits"].subset == 99 and child.datasets["digits"].test_subset == 60
    assert child.tables["table2"].methods == ["not"] and child.tables["table2"].cells == [CELL]
    assert child.tables.keys() == parent.tables.keys() and child.seed == parent.seed
    grandchild = extending("tiny", "seed: 9\n", "small")
    assert (grandchild.trials, grandchild.seed) == (5, 9)


def test_null_removes_what_was_inherited(empty):
    empty.study(name="parent")
    child = extending("parent", "seed: null\ntables: {table8: null}\nhyperparameters: {'*': {training: null}}\n")
    assert child.seed == 0 and list(child.tables) == ["table2"]
    assert child.run("digits/convnet/original/trial-0").settings.epochs == 182


# --- hyperparameters -------------------------------------------------------------------------------------------------


def test_groups_reach_the_methods_they_are_for(empty):
    study = empty.study(hyper("*", training={"weight_decay": 0.1}, unlearning={"weight_decay": 0.2}))
    assert [settings(study, name).weight_decay for name in ("original", "retrain")] == [0.1, 0.1]
    assert [settings(study, name).weight_decay for name in ("ft", "coun", "salun", "not+cl")] == [0.2] * 4


def test_a_method_goes_before_its_group_and_a_later_pattern_before_an_earlier(empty):
    study = empty.study(
        hyper("*", ft={"lr": 0.03}),
        hyper("digits/*/*", unlearning={"lr": 0.04}),
        hyper("digits/convnet/class-8", coun={"lr": 0.09}),
    )
    assert settings(study, "ft").lr == settings(study, "coun").lr == 0.04
    assert settings(study, "coun", "digits/convnet/class-8").lr == 0.09
    # Within one pattern the method's own entry wins.
    assert settings(empty.study(hyper("*", ft={"lr": 0.03})), "ft").lr == 0.03


def test_a_method_with_the_term_has_its_own_entry(empty):
    study = empty.study(hyper("*", **{"not": {"lr": 0.02}, "not+cl": {"lambda": 0.3}}))
    assert settings(study, "not").lr == 0.02
    assert (settings(study, "not+cl").lr, settings(study, "not+cl").lambda_) == (0.05, 0.3)
    assert settings(study, "coun").lambda_ == 1


def test_original_is_reached_by_its_own_place_and_never_by_a_scenario(empty):
    study = empty.study(
        hyper("digits/convnet/original", training={"epochs": 7}),
        hyper("digits/convnet/random-10", training={"lr": 0.3}),
    )
    assert (settings(study, "original").epochs, settings(study, "original").lr) == (7, 0.1)
    assert (settings(study, "retrain").epochs, settings(study, "retrain").lr) == (2, 0.3)


def test_a_pattern_reaches_what_it_matches_part_by_part(empty):
    for pattern in ("*", "*/*/*", "digits/*/random-*", "digits/conv*/random-10", "digits/convnet/random-10"):
        assert settings(empty.study(hyper(pattern, ft={"lr": 0.01})), "ft").lr == 0.01, pattern
    assert settings(empty.study(hyper("digits/convnet/class-*", ft={"lr": 0.01})), "ft").lr == 0.05


def test_every_method_has_settings_within_its_own_bounds_and_the_papers_ranges():
    for name in METHODS:
        model = METHODS.get(name).Settings
        defaults = model().model_dump()
        for key, field in model.model_fields.items():
            assert field.description, f"{name}.{key} has no documentation"
            if (extra := field.json_schema_extra) and (paper := extra["paper_range"]):
                assert paper[0] <= defaults[key] <= paper[1], f"{name}.{key}"
    assert Study.model_fields["hyperparameters"].description


# --- names of runs ---------------------------------------------------------------------------------------------------

CANONICAL = {
    "coun": "coun ft+cl coun@tau=0.1 coun@tau=0.10 coun@tau=1e-1 coun@cl_transform=CHN",
    "coun@tau=0.2": "coun@tau=0.2 coun@tau=.2 coun@batch_size=32@tau=0.2 ft+cl@tau=0.2",
    "coun@lambda=2": "coun@lambda=2.0 coun@lambda=2",
    "coun@batch_size=64@tau=0.2": "coun@tau=0.2@batch_size=64",
    "coun@tau=1e-05": "coun@tau=0.00001",
    "coun@cl_transform=CHJGN": "coun@cl_transform=CHJGN",
    "salun@freeze=false": "salun@freeze=False",
    "salun": "salun@freeze=true",
    "salun@order=shuffled": "salun@order=shuffled",
    "not+cl": "not+cl@lambda=1",
}


def test_a_run_has_one_name(empty):
    study = empty.study()
    for canonical, others in CANONICAL.items():
        assert study.run(f"{CELL}/{canonical}/trial-1").name.method == canonical
        for written in others.split():
            name = study.run_name(Cell.parse(CELL), written, 1)
            assert name == RunName("digits", "convnet", "random-10", canonical, 1), written
            if MethodName.parse(written) != MethodName.parse(canonical):
                with pytest.raises(BadInput, match="in this study that run is called"):
                    study.run(RunName("digits", "convnet", "random-10", str(MethodName.parse(written)), 1))


@pytest.fixture(scope="module")
def read_once(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("once"))
        paths.CONFIG.mkdir()
        table = f"{{kind: unlearning, cells: [{CELL}], methods: [ft]}}"
        paths.study_file("tiny").write_text(f"datasets: {{digits: {{source: digits}}}}\ntables: {{t: {table}}}\n")
        return Study.load("tiny")


@given(st.floats(1e-8, 1e8), st.floats(0, 1e8), st.integers(2, 10**9))
def test_a_setting_in_a_name_is_the_setting_of_the_run(read_once, tau, lambda_, batch_size):
    method = f"coun@tau={tau}@lambda={lambda_}@batch_size={batch_size}"
    found = read_once.run(str(read_once.run_name(Cell.parse(CELL), method, 0))).settings
    assert (found.tau, found.lambda_, found.batch_size) == (tau, lambda_, batch_size)


def test_what_is_canonical_depends_on_the_study(empty):
    study = empty.study(hyper("*", coun={"tau": 0.2}))
    assert study.run_name(Cell.parse(CELL), "coun@tau=0.2", 0).method == "coun"
    assert study.run_name(Cell.parse(CELL), "coun@tau=0.1", 0).method == "coun@tau=0.1"
    assert settings(study, "coun@tau=0.1").tau == 0.1


def test_original_is_one_run_for_every_scenario(empty):
    study = empty.study()
    names = {
        study.run_name(Cell("digits", "convnet", s), "original", t) for s in ("random-10", "class-8") for t in (0, 1)
    }
    assert names == {RunName("digits", "convnet", "", "original", 0)}
    again = empty.study({"resample": ["original"]})
    assert again.run_name(Cell.parse(CELL), "original", 1).trial == 1
    assert again.run(f"{CELL}/ft/trial-1").original == RunName("digits", "convnet", "", "original", 1)


def test_a_run_that_the_study_cannot_have_is_refused(empty):
    study = empty.study()
    for name, message in {
        f"{CELL}/original/trial-0": "is called 'digits/convnet/original/trial-0'",
        "digits/convnet/original/trial-1": "is called 'digits/convnet/original/trial-0'",
        f"{CELL}/original@epochs=1/trial-0": "every run starts from the same Original",
        f"{CELL}/ft/trial-2": "the study has 2 trials",
        "digts/convnet/random-10/ft/trial-0": "unknown dataset 'digts'; did you mean 'digits'?",
        "digits/convnt/random-10/ft/trial-0": "unknown architecture 'convnt'; did you mean 'convnet'?",
        f"{CELL}/fft/trial-0": "unknown method 'fft'; did you mean 'ft'?",
        f"{CELL}/retrain+cl/trial-0": "'retrain' takes no contrastive term. Accepted: ft+cl, ",
        f"{CELL}/ft+cl/trial-0": f"is called '{CELL}/coun/trial-0'",
    }.items():
        with pytest.raises(BadInput) as caught:
            study.run(name)
        assert message in str(caught.value), name


# --- what a run and a study are made of ------------------------------------------------------------------------------


def test_runs_are_the_union_of_what_outputs_show_originals_first(empty):
    study = empty.study({"trials": 1})
    class_8 = [f"digits/convnet/class-8/{method}/trial-0" for method in ("retrain", "ft")]
    original = "digits/convnet/original/trial-0"
    expected = [original, *(f"{CELL}/{method}/trial-0" for method in ("retrain", "ft", "coun")), *class_8]
    assert [str(run.name) for run in study.runs()] == expected
    assert {str(run.name) for run in study.runs(["table8"])} == {original, *class_8}


def test_a_fingerprint_changes_with_what_determines_the_run_and_with_nothing_else(empty, monkeypatch):
    every = ("original", "retrain", "ft", "coun")

    def prints(*change):
        study = empty.study(*change)
        return {name: study.run(study.run_name(Cell.parse(CELL), name, 0)) for name in every}

    before = prints()
    for change, changed in [
        ({}, set()),
        ({"description": "x", "threads": 2, "map_samples": 10, "report_epoch": "best", "trials": 3}, set()),
        (hyper("*", coun={"lambda": 2}), {"coun"}),
        (hyper("*", ft={"lr": 0.01}), {"ft"}),
        (hyper("*", unlearning={"lr": 0.01}), {"ft", "coun"}),
        (hyper("*/*/random-10", training={"lr": 0.01}), {"retrain"}),
        (hyper("*", training={"lr": 0.01}), set(every)),
        (hyper("*/*/original", training={"lr": 0.01}), {"original", "ft", "coun"}),
        ({"seed": 2}, set(every)),
        ({"precision": "bfloat16"}, set(every)),
        ({"datasets": {"digits": {"subset": 100}}}, set(every)),
        ({"datasets": {"digits": {"augmentation": {"padding": 2}}}}, set(every)),
    ]:
        after = prints(change)
        assert {name for name in every if before[name].fingerprint != after[name].fingerprint} == changed, change
        # The place in the pool says which run it is, so another run lies elsewhere.
        assert {name for name in every if before[name].place != after[name].place} == changed, change
    # And with the version of a method's code.
    monkeypatch.setattr(CoUn, "version", CoUn.version + 1)
    assert {name for name, run in prints().items() if before[name].fingerprint != run.fingerprint} == {"coun"}


def test_one_run_of_two_studies_has_one_place(empty):
    one, other = empty.study(), empty.study({"trials": 5, "tables": {"table2": {"methods": ["not"]}}}, name="other")
    name = "digits/convnet/class-8/ft/trial-0"
    assert one.run(name).place == other.run(name).place and one.run(name).place.startswith(f"{name}-")
    splits = [study.split_of(study.run(name)).place for study in (one, other)]
    assert len(set(splits)) == 1 and splits[0].startswith("digits/class-8/trial-0-")


def test_planning_a_study_imports_no_library_that_takes_time(empty):
    empty.study({"figures": {"figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]}}})
    # Each job of the workflow reads the Snakefile anew, and all that it imports.
    heavy = ("torch", "torchvision", "sklearn", "matplotlib", "umap", "openTSNE", "pandas", "PIL", "snakemake")
    code = (
        "import sys; from benchmark.report import captions; from benchmark.study.study import Study; "
        "from benchmark.workflow import options, resources; from benchmark.workflow.targets import Workflow; "
        "study = Study.load('tiny'); study.runs(); Workflow(study).pool; captions.captions(study); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert empty.python(code) == "[]"
