"""A study once it is read: what it inherits, its hyperparameters, and its runs and their names."""

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.methods import METHODS
from benchmark.names import Cell, MethodName, RunName
from benchmark.study.study import Study
from tests.project import CELL, ORIGINAL


def hyper(pattern, **entries):
    return {"hyperparameters": {pattern: entries}}


def settings(study, method, cell=CELL):
    return study.run(study.run_name(Cell.parse(cell), method, 0)).settings


def extending(parent: str, text: str, name: str = "tiny") -> Study:
    paths.study_file(name).write_text(f"extends: {parent}\n{text}", encoding="utf-8")
    return Study.load(name)


def test_extends_merges_mappings_replaces_everything_else_and_null_removes(empty):
    parent = empty.study({"description": "parent"}, name="parent")
    child = extending("parent", "trials: 5\ndatasets: {digits: {subset: 99}}\ntables: {table2: {methods: [not]}}\n")
    assert (child.name, child.trials, child.description) == ("tiny", 5, "parent, with changes")
    assert child.datasets["digits"].subset == 99 and child.datasets["digits"].test_subset == 60
    assert child.tables["table2"].methods == ["not"] and child.tables["table2"].cells == [CELL]
    assert child.tables.keys() == parent.tables.keys() and child.seed == parent.seed
    grandchild = extending("tiny", "seed: 9\n", "small")
    assert (grandchild.trials, grandchild.seed) == (5, 9)
    null = "seed: null\ndatasets: {digits: {subset: null}}\ntables: {table8: null}\n"
    child = extending("parent", f"{null}hyperparameters: {{'*': {{training: null}}}}\n")
    assert child.seed == 0 and list(child.tables) == ["table2"] and child.datasets["digits"].subset is None
    assert child.run(ORIGINAL).settings.epochs == 182


def test_only_selects_among_inherited_outputs_and_the_rest_is_still_checked(empty):
    empty.study(hyper("digits/convnet/class-8", ft={"lr": 0.3}), name="parent")
    more = f"tables: {{more: {{kind: power, cells: [{CELL}], methods: [ft, not]}}}}"
    child = extending("parent", f"only: [table2, more]\n{more}")
    assert list(child.outputs) == ["table2", "more"]
    assert {run.name.scenario for run in child.runs()} == {"", "random-10"}
    assert child.run(f"{CELL}/ft/trial-0").fingerprint == Study.load("parent").run(f"{CELL}/ft/trial-0").fingerprint
    assert list(extending("tiny", "only: null\n", "all").outputs) == ["table2", "table8", "more"]
    with pytest.raises(BadInput, match="matches no cell"):
        extending("parent", "only: [table2]\nhyperparameters: {digits/vit/*: {ft: {lr: 1}}}\n")


def test_a_low_learning_rate_is_accepted_where_another_entry_makes_it_right(empty):
    settings = {"unlearning": {"final_lr": 0}, "ft": {"lr": 5e-5}, "coun": {"lr": 6e-5}}
    assert empty.study(hyper("*", **settings)).run(f"{CELL}/coun/trial-0").settings.final_lr == 0


def test_retrain_of_a_stage_takes_its_hyperparameters_from_random_removal(empty):
    staged = {"figures": {"stages": {"kind": "stages", "cells": ["digits/convnet/sequential-2x10"], "methods": ["ft"]}}}
    study = empty.study(staged, hyper("*/*/random-20", training={"epochs": 9}))
    epochs = {run.name.scenario: run.settings.epochs for run in study.runs() if run.name.method == "retrain"}
    assert epochs["random-20"] == 9 and epochs["random-10"] != 9


RULES = [
    # Groups reach the methods they are for.
    ({"*": {"training": {"momentum": 0.1}}}, "momentum", {"original retrain": 0.1, "ft coun salun not+cl": 0.9}),
    ({"*": {"unlearning": {"momentum": 0.2}}}, "momentum", {"original retrain": 0.9, "ft coun salun not+cl": 0.2}),
    # A method goes before its group, and a later pattern before an earlier.
    ({"*": {"ft": {"lr": 0.03}}}, "lr", {"ft": 0.03, "coun": 0.05}),
    ({"*": {"ft": {"lr": 0.03}}, "digits/*/*": {"unlearning": {"lr": 0.04}}}, "lr", {"ft coun": 0.04}),
    ({"digits/*/*": {"unlearning": {"lr": 0.04}}, CELL: {"coun": {"lr": 0.09}}}, "lr", {"ft": 0.04, "coun": 0.09}),
    # A method with the term has its own entry.
    ({"*": {"not": {"lr": 0.02}, "not+cl": {"lambda": 0.3}}}, "lr", {"not": 0.02, "not+cl": 0.05}),
    ({"*": {"not": {"lr": 0.02}, "not+cl": {"lambda": 0.3}}}, "lambda_", {"not+cl": 0.3, "coun": 1}),
    # Original is reached by its own place and never by a scenario.
    ({"digits/convnet/original": {"training": {"epochs": 7}}}, "epochs", {"original": 7, "retrain": 2}),
    ({CELL: {"training": {"lr": 0.3}}}, "lr", {"original": 0.1, "retrain": 0.3}),
    # A pattern reaches what it matches part by part.
    *(
        ({pattern: {"ft": {"lr": 0.01}}}, "lr", {"ft": 0.01})
        for pattern in ("*", "*/*/*", "digits/*/random-*", "digits/conv*/random-10", CELL)
    ),
    ({"digits/convnet/class-*": {"ft": {"lr": 0.01}}}, "lr", {"ft": 0.05}),
]


def test_patterns_groups_and_methods_reach_what_they_are_for(empty):
    for hyperparameters, key, expected in RULES:
        study = empty.study({"hyperparameters": hyperparameters})
        for methods, value in expected.items():
            values = {method: getattr(settings(study, method), key) for method in methods.split()}
            assert values == dict.fromkeys(values, value), (hyperparameters, key)


def test_tuned_values_come_last_in_their_cell(empty):
    paths.TUNED.mkdir(parents=True)
    paths.tuned("tiny").write_text(f"hyperparameters: {{{CELL}: {{ft: {{lr: 0.3}}}}}}\n")
    empty.study(hyper(CELL, coun={"tau": 0.2}), name="parent")
    tuned = extending("parent", "tuned: tiny\nhyperparameters: {digits/*/class-8: {ft: {lr: 0.2}}}\n")
    assert (settings(tuned, "ft").lr, settings(tuned, "coun").tau) == (0.3, 0.2)
    own = extending("tiny", "hyperparameters: {digits/*/*: {ft: {lr: 0.1}}}\n", "child")  # a child's own values win
    assert settings(own, "ft").lr == 0.1
    refused = rf"tiny\.yaml: hyperparameters\.{CELL}: tuned values would take this place, and 'digits/\*/\*' further"
    with pytest.raises(BadInput, match=refused):
        extending("parent", "tuned: tiny\nhyperparameters: {digits/*/*: {ft: {lr: 0.1}}}\n")


def test_every_method_has_settings_within_its_own_bounds_and_the_papers_ranges():
    for name in METHODS:
        model = METHODS.get(name).Settings
        defaults = model().model_dump()
        for key, field in model.model_fields.items():
            assert field.description, f"{name}.{key} has no documentation"
            if (extra := field.json_schema_extra) and (paper := extra.get("paper_range")):
                assert paper[0] <= defaults[key] <= paper[1], f"{name}.{key}"
    assert Study.model_fields["hyperparameters"].description


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


def test_a_run_has_one_name_however_it_is_spelled(empty):
    study = empty.study()
    for canonical, spellings in CANONICAL.items():
        assert study.run(f"{CELL}/{canonical}/trial-1").name.method == canonical
        for spelling in spellings.split():
            name = study.run_name(Cell.parse(CELL), spelling, 1)
            assert name == RunName("digits", "convnet", "random-10", canonical, 1), spelling
            if MethodName.parse(spelling) != MethodName.parse(canonical):
                with pytest.raises(BadInput, match="in this study that run is called"):
                    study.run(RunName("digits", "convnet", "random-10", str(MethodName.parse(spelling)), 1))


@pytest.fixture
def unchanged(empty):
    return empty.study()


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@given(st.floats(1e-8, 1e8), st.floats(0, 1e8), st.integers(2, 10**9))
def test_a_setting_in_a_name_is_the_setting_of_the_run(unchanged, tau, lambda_, batch_size):
    method = f"coun@tau={tau}@lambda={lambda_}@batch_size={batch_size}"
    run = unchanged.run(str(unchanged.run_name(Cell.parse(CELL), method, 0)))
    assert (run.settings.tau, run.settings.lambda_, run.settings.batch_size) == (tau, lambda_, batch_size)


def test_the_canonical_name_depends_on_the_study(empty):
    study = empty.study(hyper("*", coun={"tau": 0.2}))
    written = ("coun@tau=0.2", "coun@tau=0.1")
    assert [study.run_name(Cell.parse(CELL), name, 0).method for name in written] == ["coun", "coun@tau=0.1"]


def test_original_is_one_run_for_every_scenario(empty):
    study = empty.study()
    cells = [Cell("digits", "convnet", scenario) for scenario in ("random-10", "class-8")]
    names = {study.run_name(cell, "original", trial) for cell in cells for trial in (0, 1)}
    assert names == {RunName("digits", "convnet", "", "original", 0)}
    resampled = empty.study({"resample": ["original"]})
    assert resampled.run_name(Cell.parse(CELL), "original", 1).trial == 1
    assert resampled.run(f"{CELL}/ft/trial-1").original == RunName("digits", "convnet", "", "original", 1)


def test_a_run_that_the_study_cannot_have_is_refused(empty):
    study = empty.study()
    for name, message in {
        f"{CELL}/original/trial-0": "is called 'digits/convnet/original/trial-0'",
        "digits/convnet/original/trial-1": "is called 'digits/convnet/original/trial-0'",
        f"{CELL}/original@epochs=1/trial-0": "every run starts from the same Original",
        f"{CELL}/ft/trial-2": "the study has 2 trials",
        f"{CELL}/fft/trial-0": "unknown method 'fft'; did you mean 'ft'?",
        f"{CELL}/retrain+cl/trial-0": "'retrain' takes no contrastive term. Accepted: ft+cl, ",
        f"{CELL}/ft+cl/trial-0": f"is called '{CELL}/coun/trial-0'",
    }.items():
        with pytest.raises(BadInput) as caught:
            study.run(name)
        assert message in str(caught.value), name


def test_runs_are_all_that_outputs_show_with_originals_first(empty):
    study = empty.study({"trials": 1})
    class_8 = [f"digits/convnet/class-8/{method}/trial-0" for method in ("retrain", "ft")]
    expected = [ORIGINAL, *(f"{CELL}/{method}/trial-0" for method in ("retrain", "ft", "coun")), *class_8]
    assert [str(run.name) for run in study.runs()] == expected
    assert {str(run.name) for run in study.runs(["table8"])} == {ORIGINAL, *class_8}


def test_planning_a_study_imports_no_slow_library(empty):
    empty.study({"figures": {"figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]}}})
    # Each job of the workflow reads the Snakefile anew, and all that it imports.
    heavy = ("torch", "torchvision", "sklearn", "matplotlib", "umap", "openTSNE", "pandas", "PIL", "snakemake")
    code = (
        "import sys; from benchmark.report import snakemake_report; from benchmark.study.study import Study; "
        "from benchmark.workflow import resources; from benchmark.workflow.targets import StudyFiles; "
        "study = Study.load('tiny'); study.runs(); StudyFiles(study).pool; snakemake_report.captions(study); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert empty.python(code) == "[]"
