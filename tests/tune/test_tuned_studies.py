"""What is trained for tuning beside a study's own runs, and studies that have the values found."""

import re
from functools import partial

import numpy as np
import pytest
import yaml

from benchmark import paths
from benchmark.data.splits import read_split
from benchmark.errors import BadInput
from benchmark.names import Cell, RunName
from benchmark.report import facts
from benchmark.study.prepare import split
from benchmark.study.study import Study
from benchmark.study.tuning import tuned_cells
from benchmark.tune.journal import Journal
from benchmark.tune.tuned_file import write
from benchmark.workflow.cost import cost, run_cost
from benchmark.workflow.unused import used
from tests.pool import run_folder
from tests.project import CELL, ORIGINAL
from tests.tune.conftest import FT, SEQUENTIAL, STAGES, TUNE, pretend


def test_tuning_trains_nothing_that_a_table_shows(tiny):
    tuning = Study.load("tiny-tuning")
    reported = {run_folder(tiny, run) for run in tiny.runs()}
    assert not reported & {run_folder(tuning, run) for run in tuning.runs()}
    assert tuning.seed != tiny.seed
    assert not {run.fingerprint for run in tiny.runs()} & {run.fingerprint for run in tuning.runs()}
    drawn = [read_split(split(study, "digits", "random-10", 0))["index"].to_numpy() for study in (tiny, tuning)]
    assert not np.array_equal(*drawn)


@pytest.mark.parametrize(("key", "value"), [("keep_twins", True), ("precision", "bfloat16"), ("members", "random")])
def test_what_is_trained_for_tuning_is_trained_and_measured_as_the_study_is(project, key, value):
    project.study(TUNE, {key: value})
    assert getattr(Study.load("tiny-tuning"), key) == value


def test_hyperparameters_of_tuning_win_over_the_studys_own(project):
    own = {"hyperparameters": {"*/*/random-10": {"ft": {"lr": 0.08}}}}
    project.study(TUNE, own, {"tune": {"hyperparameters": {CELL: {"ft": {"lr": 0.02}}}}})
    assert Study.load("tiny-tuning").run(f"{CELL}/ft/trial-0").settings.lr == 0.02


@pytest.mark.parametrize("seed", [{}, {"seed": 5}])
def test_the_runs_of_tuning_have_a_cost_and_no_search_of_their_own(project, seed):
    study = project.study(TUNE, {"tune": seed})
    assert cost(Study.load("tiny-tuning"), 1.0)["output"].tolist() == ["tuning-1", "all"]
    assert cost(study, 1.0)["output"].tolist() == ["table2", "all", "tune"]


def test_a_search_costs_its_budget_of_candidates_and_one_original_and_retrain(project):
    study, tuning = project.study(TUNE, FT), Study.load("tiny-tuning")
    costs = {run.name.method: np.array(run_cost(tuning, run)) for run in tuning.runs()}
    search = cost(study, 1.0).set_index("output").loc["tune"]
    expected = costs["original"] + costs["retrain"] + 3 * costs["ft"]
    assert search["runs"] == 5 and search[["pflops", "pflops_executed"]].tolist() == pytest.approx(expected)


def test_a_study_that_leaves_no_image_to_tune_with_is_a_study_all_the_same(project):
    batches = {"*": {group: {"batch_size": 8} for group in ("training", "unlearning")}}
    table = {"table2": {"cells": ["digits/convnet/random-95"], "methods": ["ft"]}}
    study = project.study(TUNE, {"hyperparameters": batches, "tables": table})
    assert cost(study, 1.0)["output"].tolist() == ["table2", "all"] and used(*paths.studies())
    with pytest.raises(BadInput, match=r"config/tiny\.yaml: tune\.hold_out: 10: digits/convnet/random-95 forgets 95 %"):
        Study.load("tiny-tuning")


def test_all_methods_are_tuned_but_original_and_variants(project):
    tables = {"table2": {"methods": ["original", "coun", "neggrad-plus+cl", "ft@lr=0.1"]}}
    study = project.study(TUNE, {"tables": tables})
    # Neither Original nor a variant is tuned.
    assert tuned_cells(study) == {CELL: ["coun", "neggrad-plus+cl", "ft"]}


def test_the_runs_of_tuning_forget_what_the_study_forgets(project):
    (project.root / "mine.csv").write_text("1\n2\n3\n")
    cell = "digits/convnet/listed-mine"
    project.study(TUNE, {"lists": {"mine": "mine.csv"}, "tables": {"table2": {"cells": [cell]}}})
    assert Study.load("tiny-tuning").run(f"{cell}/ft/trial-0")


def test_impossible_settings_and_missing_tuned_files_are_named(project):
    with pytest.raises(BadInput, match=r"tuned: config/tuned/other\.yaml is missing: 'python -m benchmark tune other'"):
        project.study({"tuned": "other"})
    with pytest.raises(BadInput, match="is not the name of a study"):
        project.study({"tuned": "../other"})
    paths.TUNED.mkdir(parents=True)
    paths.tuned("other").write_text("hyperparameters: {cifar10/vit/random-10: {ft: {lr: 0.1}}}\n")
    with pytest.raises(
        BadInput, match=r"tuned: other: has values for cifar10/vit/random-10 alone: accepted are .* digits/"
    ):
        project.study({"tuned": "other"})
    of_stage = SEQUENTIAL.replace("sequential-2x10", "random-20")  # where Retrain alone is trained
    paths.tuned("other").write_text(f"hyperparameters: {{{of_stage}: {{ft: {{lr: 0.1}}}}}}\n")
    with pytest.raises(BadInput, match=f"has values for {of_stage} alone: accepted are "):
        project.study({"tuned": "other", "figures": STAGES})
    project.study(TUNE, {"figures": STAGES, "tune": {"seed": 1}})
    with pytest.raises(BadInput, match=r"tune\.seed: 1 is the study's own"):
        Study.load("tiny-tuning")
    misspelt = {"digits/convnet/randm-10": {"ft": {"lr": 0.1}}}
    wrong = r"^config/tiny\.yaml: tune\.hyperparameters\.digits/convnet/random-10\.ft: lr: True: accepted are numbers"
    for change, message in [
        ({"hyperparameters": {CELL: {"ft": {"lr": True}}}}, wrong),
        ({"reuse": {"sequential-2x10": "random-20"}}, "unknown tuned scenario 'random-20'"),
        ({"reuse": {"sequental-2x10": "random-10"}}, r"tune\.reuse: .*'sequental-2x10'"),
        ({"reuse": {"random-10": "random-10"}}, r"tune\.reuse\.random-10: it is tuned itself"),
        ({"hyperparameters": misspelt}, rf"tune\.hyperparameters\.{next(iter(misspelt))}: matches no tuned cell"),
    ]:
        with pytest.raises(BadInput, match=message):
            project.study(TUNE, {"figures": STAGES, "tune": change})
    paths.study_file("tiny-tuning").write_text("extends: tiny\n")
    with pytest.raises(BadInput, match=r"config/tiny-tuning\.yaml: what is trained to tune 'tiny' has that name"):
        project.study(TUNE)


def test_a_study_that_shows_its_own_search_can_begin_it(project):
    search = {"search": {"kind": "search", "cells": [CELL], "methods": ["ft"]}}
    with pytest.raises(BadInput, match="is missing: 'python -m benchmark tune tiny' makes it"):
        project.study(TUNE, {"tuned": "tiny", "tables": search})
    pretend(count=3)
    write(Journal(Study.load("tiny", tuned=False)))
    assert "search" in Study.load("tiny").tables


def test_a_study_may_leave_the_tuned_table_out(project):
    tables = {"table3": {"kind": "unlearning", "cells": ["digits/convnet/random-50"], "methods": ["ft"]}}
    reuse = {"reuse": {"sequential-2x10": "random-10"}}
    project.study(TUNE, {"figures": STAGES, "tables": tables, "tune": reuse})
    paths.study_file("part").write_text("extends: tiny\nonly: [table3]\n")
    assert used(*paths.studies()) and list(Study.load("part").tables) == ["table3"]


def test_the_runs_of_tuning_and_those_without_tuned_values_are_used(project):
    project.study(TUNE)
    pretend(count=3)
    write(Journal(Study.load("tiny")))
    tuned = project.study(TUNE, {"tuned": "tiny"})
    untuned = run_folder(tuned.untuned, f"{CELL}/ft/trial-0")
    assert untuned != run_folder(tuned, f"{CELL}/ft/trial-0")
    assert {untuned, run_folder("tiny-tuning", ORIGINAL)} <= used(*paths.studies())


def test_what_only_leaves_out_is_used_unless_it_does_not_fit_the_study(project):
    study = project.study()
    own = run_folder(study, f"{CELL}/ft/trial-0")
    left = {"left": {"kind": "unlearning", "cells": [CELL], "methods": ["ft"]}}
    none = {"none": {"kind": "unlearning", "cells": [CELL], "methods": ["ft@steps=1"]}}
    other = {"other": {"kind": "unlearning", "cells": [CELL], "methods": ["not"]}}
    hiding = project.study({"tables": left | none | other, "only": ["other"]})
    assert own not in {run_folder(hiding, str(run.name)) for run in hiding.runs()}
    assert {own, run_folder(hiding, f"{CELL}/not/trial-0")} <= used(*paths.studies())


def test_what_a_table_that_only_leaves_out_is_tuned_with_is_used(project):
    other = {"other": {"kind": "unlearning", "cells": ["digits/convnet/random-50"], "methods": ["ft"]}}
    project.study(TUNE, {"tables": other})
    reference = run_folder("tiny-tuning", "digits/convnet/random-50/retrain/trial-0")
    project.study(TUNE, {"tables": other, "only": ["table2"]})
    assert "random-50" not in str(Study.load("tiny-tuning").runs()) and reference in used(*paths.studies())


def test_a_study_that_sets_tuned_to_null_has_its_own_values_again(project):
    untuned_lr = project.study(TUNE).run(f"{CELL}/ft/trial-0").settings.lr
    pretend(count=3)
    write(Journal(Study.load("tiny")))
    tuned = project.study(TUNE, {"tuned": "tiny"})
    assert tuned.run(f"{CELL}/ft/trial-0").settings.lr != untuned_lr
    paths.study_file("child").write_text("extends: tiny\ntuned: null\n")
    child = Study.load("child")
    assert child.run(f"{CELL}/ft/trial-0").settings.lr == untuned_lr and not child.includes_tuned
    paths.study_file("child").write_text("extends: tiny\n")
    assert Study.load("child").run(f"{CELL}/ft/trial-0").fingerprint == tuned.run(f"{CELL}/ft/trial-0").fingerprint


def test_a_caption_says_which_values_were_searched_with_other_settings(project):
    project.study(TUNE)
    pretend(count=6)
    path = write(Journal(Study.load("tiny")))
    output = {"kind": "unlearning", "cells": [CELL], "methods": ["original", "ft", "coun"]}

    def caption(**changes):
        study = project.study(TUNE, {"tuned": "tiny", "tables": {"table2": output}, **changes})
        return facts.tuned(study, [Cell.parse(CELL)], output["methods"]), study.output_fingerprint("table2")

    as_searched, fingerprint = caption()
    tuned = partial(facts.tuned, Study.load("tiny"), [Cell.parse(CELL)])
    assert tuned(["original", "retrain"]) == ""
    assert tuned(["ft", "ft@lr=0.2"]) == f"{as_searched}; what a method’s name sets takes precedence"
    assert as_searched.endswith("images held out of their training data")
    ft, all_methods = ({CELL: {name: {"momentum": 0.8}}} for name in ("ft", "unlearning"))
    assert caption(hyperparameters={CELL: {"unlearning": {"evaluate_every": 2}}})[0] == as_searched
    otherwise = "had other settings than this table, such as epochs"
    assert caption(hyperparameters=ft)[0] == f"{as_searched}; the search for FT in random 10 % {otherwise}"
    assert caption(hyperparameters=all_methods)[0] == f"{as_searched}; the search for random 10 % {otherwise}"
    # A tuned file of an earlier version says nothing of them; with or without them, a table is another one.
    path.write_text(re.sub(" +settings: .*\n", "", path.read_text()))
    assert caption(hyperparameters=ft)[0] == as_searched and caption()[1] == fingerprint


def test_a_scenario_that_reuses_another_gets_the_values_of_that_one_alone(project):
    another = "digits/convnet/random-50"
    outputs = {"tables": {"table2": {"cells": [CELL, another], "methods": ["ft"]}}, "figures": STAGES}
    own = {"hyperparameters": {another: {"ft": {"lr": 0.09}}}}
    study = project.study(TUNE, outputs, own, {"tune": {"budget": 1, "reuse": {"sequential-2x10": "random-10"}}})
    pretend(count=2)
    tuned = yaml.safe_load(write(Journal(study)).read_text())["hyperparameters"]
    assert tuned[SEQUENTIAL] == tuned[CELL] != tuned[another]
    assert project.study(TUNE, outputs, {"tuned": "tiny"}).run(RunName.parse(f"{SEQUENTIAL}/ft/trial-0"))
