from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.methods import METHODS
from benchmark.names import Cell, MethodName, RunName
from benchmark.study.study import Study

CELL = "digits/convnet/random-10"


def table2(**settings):
    return {"tables": {"table2": settings}}


def hyper(pattern, **entries):
    return {"hyperparameters": {pattern: entries}}


def refused(project, change) -> str:
    with pytest.raises(BadInput) as caught:
        project.study(change)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- what is refused, and how it is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "place", "meant", "accepted"),
    [
        ({"trails": 3}, "trails", "trials", "datasets, description"),
        ({"datasets": {"digits": {"sorce": "digits"}}}, "datasets.digits.sorce", "source", "augmentation"),
        (
            {"datasets": {"digits": {"augmentation": {"pading": 1}}}},
            "datasets.digits.augmentation.pading",
            "padding",
            "flip, mean, padding, std",
        ),
        ({"sequential": {"shedule": "restart"}}, "sequential.shedule", "schedule", "forget, schedule"),
        (table2(method=["ft"]), "tables.table2.method", "methods", "caption, cells"),
        (hyper("*", ft={"epoch": 1}), "hyperparameters.*.ft: epoch", "epochs", "batch_size"),
        (hyper("*", coun={"lambd": 1}), "hyperparameters.*.coun: lambd", "lambda", "tau"),
        (hyper("*", training={"epoch": 1}), "hyperparameters.*.training: epoch", "epochs", "batch_size"),
        (hyper("*", fft={"lr": 1}), "hyperparameters.*.fft", "ft", "coun, "),
        (table2(methods=["ft", "salum"]), "tables.table2", "salun", "retrain"),
        (table2(methods=["nott+cl"]), "tables.table2", "not", "ft, "),
        (table2(methods=["coun@tua=0.2"]), "tables.table2: method 'coun@tua=0.2': tua", "tau", "lambda"),
        (table2(cells=["digts/convnet/random-10"]), "tables.table2", "digits", "digits"),
        (table2(cells=["digits/convnt/random-10"]), "tables.table2", "convnet", "resnet18"),
        ({"datasets": {"digits": {"source": "digts"}}}, "datasets.digits.source", "digits", "parquet"),
        (table2(kind="unlerning"), "tables.table2.kind", "unlearning", "predictions"),
    ],
)
def test_an_unknown_name_is_refused_with_its_place_a_suggestion_and_what_is_accepted(
    empty, change, place, meant, accepted
):
    message = refused(empty, change)
    assert message.startswith(f"config/tiny.yaml: {place}")
    assert f"did you mean {meant!r}?" in message
    assert accepted in message.split("Accepted: ")[1]


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ({"trials": "abc"}, "trials", "'abc'"),
        ({"trials": 0}, "trials", "0"),
        ({"trials": 1.5}, "trials", "1.5"),
        ({"trials": 1001}, "trials", "1001"),
        ({"threads": 1001}, "threads", "1001"),
        ({"seed": -1}, "seed", "-1"),
        ({"precision": "float16"}, "precision", "'float16'"),
        ({"members": "last"}, "members", "'last'"),
        ({"report_epoch": "first"}, "report_epoch", "'first'"),
        ({"resample": "split"}, "resample", "'split'"),
        ({"resample": ["splits"]}, "resample.0", "'splits'"),
        ({"resample": ["split", "split"]}, "resample", "'split' is listed twice"),
        ({"datasets": "digits"}, "datasets", "'digits'"),
        ({"datasets": {"digits": "x"}}, "datasets.digits", "'x'"),
        ({"datasets": {"Digits": {"source": "digits"}}}, "datasets", "'Digits'"),
        ({"datasets": {"digits": {"subset": 0}}}, "datasets.digits.subset", "0"),
        ({"datasets": {"digits": {"augmentation": {"mean": [1, 2]}}}}, "datasets.digits.augmentation", "mean has 2"),
        ({"datasets": {"digits": {"augmentation": {"std": [0]}}}}, "datasets.digits.augmentation", "std is [0.0]"),
        (table2(cells=CELL), "tables.table2.cells", f"'{CELL}'"),
        (table2(cells=["digits/convnet"]), "tables.table2.cells", "'digits/convnet'"),
        (table2(cells=["digits/convnet/random-0"]), "tables.table2.cells", "'random-0'"),
        (table2(cells=["digits/../random-10"]), "tables.table2", "'digits/../random-10/"),
        (table2(cells=[CELL, CELL]), "tables.table2.cells", f"{CELL!r} is listed twice"),
        (table2(cells=[]), "tables.table2.cells", "empty"),
        (table2(methods=[]), "tables.table2.methods", "empty"),
        (table2(methods=["ft", "ft"]), "tables.table2.methods", "'ft' is listed twice"),
        (table2(methods=["coun", "ft+cl"]), "tables.table2.methods", "'coun' is listed twice"),
        (table2(methods=["f t"]), "tables.table2.methods", "'f t'"),
        (table2(methods=["NegGrad+"]), "tables.table2.methods: method 'NegGrad+'", "did you mean 'neggrad-plus'?"),
        (table2(methods=["coun+cl"]), "tables.table2", "'coun' has the contrastive term already"),
        (
            table2(kind="predictions", classes=["3", "8"], cells=["digits/convnet/class-8"]),
            "tables.table2: classes",
            "'8'",
        ),
        (table2(methods=["ft\nx"]), "tables.table2.methods", r"'ft\nx'"),
        (table2(methods=["../ft"]), "tables.table2.methods", "'../ft'"),
        (table2(methods=["ft@lr=1@lr=2"]), "tables.table2.methods", "twice"),
        (table2(methods=["coun@tau=x"]), "tables.table2: method 'coun@tau=x': tau", "'x'"),
        (table2(methods=["coun@tau=-1"]), "tables.table2: method 'coun@tau=-1': tau", "'-1'"),
        (table2(methods=["original@epochs=3"]), "tables.table2: method 'original@epochs=3'", "accepted is 'original'"),
        (table2(trials=9), "tables.table2.trials", "9"),
        (table2(kind="maps"), "tables.table2.kind", "'maps'"),
        ({"tables": {"Table 2": {"kind": "unlearning"}}}, "tables", "'Table 2'"),
        ({"tables": {"all": {"kind": "unlearning", "cells": [CELL], "methods": ["ft"]}}}, "'all'", "target"),
        ({"figures": {"table2": {"kind": "maps", "cells": [CELL], "methods": ["ft"]}}}, "'table2'", "both"),
        (hyper("*", ft={"lr": 0}), "hyperparameters.*.ft: lr", "0"),
        (hyper("*", ft={"lr": "fast"}), "hyperparameters.*.ft: lr", "'fast'"),
        (hyper("*", ft={"lr": float("nan")}), "hyperparameters.*.ft: lr", "nan"),
        (hyper("*", ft={"lr": float("inf")}), "hyperparameters.*.ft: lr", "inf"),
        (hyper("*", ft={"momentum": 1}), "hyperparameters.*.ft: momentum", "1"),
        (hyper("*", ft={"batch_size": 1}), "hyperparameters.*.ft: batch_size", "1"),
        (hyper("*", ft={"schedule": "linear"}), "hyperparameters.*.ft: schedule", "'linear'"),
        (hyper("*", training={"epochs": 0}), "hyperparameters.*.training: epochs", "0"),
        (hyper("*", ft=3), "hyperparameters.*.ft", "3"),
        (hyper("*", **{"ft+cl": {"lr": 1}}), "hyperparameters.*.ft+cl", "'coun'"),
        (hyper("*", **{"coun@tau=1": {"lr": 1}}), "hyperparameters.*.coun@tau=1", "'coun'"),
        # Refused though no output shows SalUn.
        (hyper("*", salun={"threshold": 2}), "hyperparameters.*.salun: threshold", "2"),
        (hyper("*", **{"neggrad-plus": {"beta": 0}}), "hyperparameters.*.neggrad-plus: beta", "0"),
        (hyper("digits/vit/*", ft={"lr": 1}), "hyperparameters.digits/vit/*", "matches no cell"),
        (hyper("digits/convnet", ft={"lr": 1}), "hyperparameters.digits/convnet", "matches no cell"),
        ({"plugins": "x.py"}, "plugins", "'x.py'"),
        ({"plugins": ["nowhere.py"]}, "plugins", "no such file"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(empty, change, place, value):
    message = refused(empty, change)
    assert message.startswith(f"config/tiny.yaml: {place}") and value in message


def test_a_needed_key_that_is_missing_is_named(empty):
    assert refused(empty, {"datasets": None}) == "config/tiny.yaml: datasets: missing; it is needed"


def test_all_faults_are_counted(empty):
    assert refused(empty, {"trials": 0, "seed": -1, "threads": 0}).endswith("(2 more)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trials: 1\ntrials: 2\n", "line 2: key 'trials' is given twice"),
        ("datasets:\n  digits: {source: digits, source: digits}\n", "key 'source' is given twice"),
        ("trials: [1\n", "not readable as YAML"),
        ("- a\n- b\n", "holds list"),
        ("", "holds NoneType"),
        ("? [a, b]\n: 1\n", "a key must be plain text"),
        ("x: !!python/object/apply:os.system ['touch executed']\n", "not readable as YAML"),
        ("trials: \x00\n", "not readable as YAML"),
    ],
)
def test_a_file_that_is_no_mapping_of_settings_is_refused(empty, text, told):
    write(text)
    with pytest.raises(BadInput) as caught:
        Study.load("tiny")
    assert str(caught.value).startswith("config/tiny.yaml: ") and told in str(caught.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("name", ["../tiny", "a/b", "", "a b", "x.yaml", "tiny\n", "; ls"])
def test_a_study_name_that_is_no_plain_word_is_refused(empty, name):
    empty.study()
    with pytest.raises(BadInput, match="accepted is the name of a file"):
        Study.load(name)


def test_an_unknown_study_is_refused_with_those_that_exist(empty):
    empty.study()
    with pytest.raises(BadInput, match=r"unknown study 'tinny'; did you mean 'tiny'\? Accepted: tiny"):
        Study.load("tinny")


# --- extends ---------------------------------------------------------------------------------------------------------


def write(text: str, name: str = "tiny") -> None:
    paths.CONFIG.mkdir(exist_ok=True)
    paths.study_file(name).write_text(text, encoding="utf-8")


def test_extends_merges_mappings_and_replaces_everything_else(empty):
    parent = empty.study({"description": "parent"}, name="parent")
    write("extends: parent\ntrials: 5\ndatasets: {digits: {subset: 99}}\ntables: {table2: {methods: [not]}}\n")
    child = Study.load("tiny")
    assert (child.name, child.trials, child.description) == ("tiny", 5, "parent")
    assert child.datasets["digits"].subset == 99 and child.datasets["digits"].test_subset == 60
    assert child.tables["table2"].methods == ["not"] and child.tables["table2"].cells == [CELL]
    assert child.tables.keys() == parent.tables.keys() and child.seed == parent.seed


def test_null_removes_what_was_inherited(empty):
    empty.study(name="parent")
    write("extends: parent\nseed: null\ntables: {table8: null}\nhyperparameters: {'*': {training: null}}\n")
    child = Study.load("tiny")
    assert child.seed == 0 and list(child.tables) == ["table2"]
    assert child.run("digits/convnet/original/trial-0").settings.epochs == 182


def test_a_study_can_extend_one_that_extends(empty):
    empty.study(name="a")
    write("extends: a\ntrials: 4\n", "b")
    write("extends: b\nseed: 9\n", "c")
    assert (Study.load("c").trials, Study.load("c").seed) == (4, 9)


@pytest.mark.parametrize("texts", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_a_circle_is_refused(empty, texts):
    for name, parent in texts.items():
        write(f"extends: {parent}\n", name)
    with pytest.raises(BadInput, match="goes round in a circle: a -> "):
        Study.load("a")


def test_extending_a_study_that_is_not_there_is_refused_by_the_file_that_does(empty):
    write("extends: nobody\n")
    with pytest.raises(BadInput, match=r"config/tiny\.yaml: extends: unknown study 'nobody'"):
        Study.load("tiny")


@pytest.mark.parametrize("parent", ["[a]", "3", "../x"])
def test_extending_what_is_no_name_is_refused(empty, parent):
    write(f"extends: {parent}\n")
    with pytest.raises(BadInput):
        Study.load("tiny")


# --- hyperparameters -------------------------------------------------------------------------------------------------


def settings(study, method, cell=CELL):
    return study.run(study.run_name(Cell.parse(cell), method, 0)).settings


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
    assert settings(study, "ft").lr == 0.04
    assert settings(study, "coun").lr == 0.04
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


@pytest.mark.parametrize(
    ("pattern", "reached"),
    [
        ("*", True),
        ("*/*/*", True),
        ("digits/*/random-*", True),
        ("digits/conv*/random-10", True),
        ("digits/convnet/random-10", True),
        ("digits/convnet/class-*", False),
    ],
)
def test_a_pattern_reaches_what_it_matches_part_by_part(empty, pattern, reached):
    assert (settings(empty.study(hyper(pattern, ft={"lr": 0.01})), "ft").lr == 0.01) == reached


def test_every_method_has_settings_within_its_own_bounds_and_the_papers_ranges(empty):
    from benchmark.study.study import Study

    for name in METHODS:
        model = METHODS.get(name).Settings
        defaults = model().model_dump()
        for key, field in model.model_fields.items():
            assert field.description, f"{name}.{key} has no documentation"
            if (extra := field.json_schema_extra) and (paper := extra["paper_range"]):
                assert paper[0] <= defaults[key] <= paper[1], f"{name}.{key}"
    assert Study.model_fields["hyperparameters"].description


# --- names of runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("coun", "coun"),
        ("ft+cl", "coun"),
        ("coun@tau=0.1", "coun"),
        ("coun@tau=0.10", "coun"),
        ("coun@tau=1e-1", "coun"),
        ("coun@tau=0.2", "coun@tau=0.2"),
        ("coun@tau=.2", "coun@tau=0.2"),
        ("coun@lambda=2.0", "coun@lambda=2"),
        ("coun@lambda=2", "coun@lambda=2"),
        ("coun@tau=0.2@batch_size=64", "coun@batch_size=64@tau=0.2"),
        ("coun@batch_size=32@tau=0.2", "coun@tau=0.2"),
        ("ft+cl@tau=0.2", "coun@tau=0.2"),
        ("coun@tau=0.00001", "coun@tau=1e-05"),
        ("coun@cl_transform=CHJGN", "coun@cl_transform=CHJGN"),
        ("coun@cl_transform=CHN", "coun"),
        ("salun@freeze=False", "salun@freeze=false"),
        ("salun@freeze=true", "salun"),
        ("salun@order=shuffled", "salun@order=shuffled"),
        ("not+cl@lambda=1", "not+cl"),
    ],
)
def test_a_run_has_one_name(empty, written, canonical):
    study = empty.study()
    assert study.run_name(Cell.parse(CELL), written, 1) == RunName("digits", "convnet", "random-10", canonical, 1)
    assert study.run(f"{CELL}/{canonical}/trial-1").name.method == canonical
    if MethodName.parse(written) != MethodName.parse(canonical):
        with pytest.raises(BadInput, match="in this study that run is called"):
            study.run(RunName("digits", "convnet", "random-10", str(MethodName.parse(written)), 1))


@given(st.floats(1e-8, 1e8), st.floats(0, 1e8), st.integers(2, 10**9))
def test_a_setting_in_a_name_is_the_setting_of_the_run(tmp_path_factory, tau, lambda_, batch_size):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.getbasetemp())
        study = _study()
        name = study.run_name(Cell.parse(CELL), f"coun@tau={tau}@lambda={lambda_}@batch_size={batch_size}", 0)
        found = study.run(str(name)).settings
    assert (found.tau, found.lambda_, found.batch_size) == (tau, lambda_, batch_size)


def _study(cache: list[Study] = []) -> Study:  # noqa: B006 (reading it once is the point)
    if not cache:
        write(
            "datasets: {digits: {source: digits}}\n"
            f"tables: {{t: {{kind: unlearning, cells: [{CELL}], methods: [ft]}}}}\n"
        )
        cache.append(Study.load("tiny"))
    return cache[0]


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


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"{CELL}/original/trial-0", "is called 'digits/convnet/original/trial-0'"),
        ("digits/convnet/original/trial-1", "is called 'digits/convnet/original/trial-0'"),
        (f"{CELL}/original@epochs=1/trial-0", "every run starts from the same Original"),
        (f"{CELL}/ft/trial-2", "the study has 2 trials"),
        ("digts/convnet/random-10/ft/trial-0", "unknown dataset 'digts'; did you mean 'digits'?"),
        ("digits/convnt/random-10/ft/trial-0", "unknown architecture 'convnt'; did you mean 'convnet'?"),
        (f"{CELL}/fft/trial-0", "unknown method 'fft'; did you mean 'ft'?"),
        (f"{CELL}/retrain+cl/trial-0", "'retrain' takes no contrastive term. Accepted: ft+cl, "),
        (f"{CELL}/ft+cl/trial-0", f"is called '{CELL}/coun/trial-0'"),
    ],
)
def test_a_run_that_the_study_cannot_have_is_refused(empty, name, told):
    with pytest.raises(BadInput) as caught:
        empty.study().run(name)
    assert told in str(caught.value)


# --- what a run and a study are made of ------------------------------------------------------------------------------


def test_runs_are_the_union_of_what_outputs_show_originals_first(empty):
    study = empty.study({"trials": 1})
    assert [str(run.name) for run in study.runs()] == [
        "digits/convnet/original/trial-0",
        *(f"{CELL}/{method}/trial-0" for method in ("retrain", "ft", "coun")),
        *(f"digits/convnet/class-8/{method}/trial-0" for method in ("retrain", "ft")),
    ]
    assert {str(run.name) for run in study.runs(["table8"])} == {
        "digits/convnet/original/trial-0",
        "digits/convnet/class-8/retrain/trial-0",
        "digits/convnet/class-8/ft/trial-0",
    }


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, set()),
        ({"description": "x", "threads": 2, "map_samples": 10, "report_epoch": "best", "trials": 3}, set()),
        (hyper("*", coun={"lambda": 2}), {"coun"}),
        (hyper("*", ft={"lr": 0.01}), {"ft"}),
        (hyper("*", unlearning={"lr": 0.01}), {"ft", "coun"}),
        (hyper("*/*/random-10", training={"lr": 0.01}), {"retrain"}),
        (hyper("*", training={"lr": 0.01}), {"original", "retrain", "ft", "coun"}),
        (hyper("*/*/original", training={"lr": 0.01}), {"original", "ft", "coun"}),
        ({"seed": 2}, {"original", "retrain", "ft", "coun"}),
        ({"precision": "bfloat16"}, {"original", "retrain", "ft", "coun"}),
        ({"datasets": {"digits": {"subset": 100}}}, {"original", "retrain", "ft", "coun"}),
        ({"datasets": {"digits": {"augmentation": {"padding": 2}}}}, {"original", "retrain", "ft", "coun"}),
    ],
)
def test_a_fingerprint_changes_with_what_determines_the_run_and_with_nothing_else(empty, change, changed):
    def prints(study):
        names = [study.run_name(Cell.parse(CELL), method, 0) for method in ("original", "retrain", "ft", "coun")]
        return {name.method: study.run(name).fingerprint for name in names}

    before, after = prints(empty.study()), prints(empty.study(change))
    assert {method for method in before if before[method] != after[method]} == changed


def test_a_method_of_another_version_is_another_run(empty, monkeypatch):
    from benchmark.methods.contrastive import CoUn

    def prints(study):
        return [study.run(f"{CELL}/{method}/trial-0").fingerprint for method in ("ft", "coun")]

    before = prints(empty.study())
    monkeypatch.setattr(CoUn, "version", CoUn.version + 1)
    after = prints(empty.study())
    assert before[0] == after[0] and before[1] != after[1]


def test_reading_a_study_imports_no_deep_learning_library(empty):
    empty.study({"figures": {"figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]}}})
    heavy = ("torch", "torchvision", "sklearn", "matplotlib", "umap", "openTSNE", "pyarrow", "PIL", "snakemake")
    code = (
        "import sys; from benchmark.study.study import Study; from benchmark.workflow.targets import Workflow; "
        "study = Study.load('tiny'); study.runs(); Workflow(study).pool; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert empty.python(code) == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)),
        "a0: &a0 {x: 1, y: 2}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 30)),
        "tables: &tables {table2: *tables}\n",
        "plugins: &plugins [*plugins]\n",
    ],
    ids=["lists", "mappings", "a mapping in itself", "a list in itself"],
)
def test_aliases_that_stand_for_endlessly_many_values_are_refused_at_once(empty, text):
    empty.study()
    paths.study_file("tiny").write_text(text)
    with pytest.raises(BadInput, match=r"^config/tiny.yaml: .*(100,000 values|not readable)"):
        Study.load("tiny")
