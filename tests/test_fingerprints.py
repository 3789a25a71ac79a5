"""What the fingerprints of runs and of outputs depend on: what is trained and drawn again after a change."""

import pytest
import yaml

from benchmark import paths
from benchmark.methods.contrastive import CoUn
from benchmark.names import Cell
from benchmark.study.plan import SCALE_FRAMES
from benchmark.workflow.targets import StudyFiles
from tests.project import CELL
from tests.test_study import hyper

JUDGED, ALL = {"claims", "verdicts"}, {"table2", "table8", "claims", "verdicts", "theory"}
# What is drawn again after a change that changes no run.
REDRAWN = [
    ({"description": "another"}, set()),
    ({"labels": {}}, set()),
    ({"labels": {"ft": "Fine-tuning"}}, ALL),
    ({"colours": {"ft": "#123456"}}, ALL),
    ({"margin": 1.0}, set()),
    ({"margin": 2.0}, JUDGED),
    ({"view_pairs": 2}, JUDGED | {"theory"}),
    ({"one_code": True}, ALL),
    ({"report_epoch": "best"}, ALL),
]


def test_a_change_redraws_what_it_shows_in_and_nothing_else(empty):
    theory = {"kind": "theory", "cells": [CELL], "methods": ["ft"]}
    tables = {"theory": theory, **{name: {"kind": name} for name in JUDGED}}
    before = empty.study({"tables": tables})
    for change, redrawn in REDRAWN:
        after = empty.study({"tables": tables}, change)
        names = {name for name in ALL if before.output_fingerprint(name) != after.output_fingerprint(name)}
        assert names == redrawn and before.outputs.keys() == after.outputs.keys() == ALL, change
        assert [run.fingerprint for run in before.runs()] == [run.fingerprint for run in after.runs()], change
        assert (before.fingerprint == after.fingerprint) == (not redrawn), change


def test_another_description_redraws_the_page(empty):
    plain, described = empty.study(), empty.study({"description": "another"})
    assert plain.receipt("page") != described.receipt("page")
    assert StudyFiles(plain).page != StudyFiles(described).page


def test_a_table_of_a_search_is_redrawn_when_the_search_has_found_more(empty):
    paths.TUNED.mkdir(parents=True)
    tables = {"search": {"kind": "search", "cells": [CELL], "methods": ["ft"]}}

    def fingerprint(candidates: int) -> str:
        found = {"hyperparameters": {CELL: {"ft": {"lr": 0.1}}}, "found": {CELL: {"ft": {"candidates": candidates}}}}
        paths.tuned("tiny").write_text(yaml.safe_dump(found))
        return empty.study({"tuned": "tiny", "tables": tables}).output_fingerprint("search")

    assert fingerprint(5) != fingerprint(6)


def test_outputs_whose_captions_speak_of_tuning_are_redrawn_when_it_begins_or_changes(empty):
    paths.TUNED.mkdir(parents=True)
    fingerprints = {empty.study().output_fingerprint("table2")}
    for about in ({}, {"hold_out": 10}):  # the value is the study's own, so no run changes
        found = {"about": about, "hyperparameters": {CELL: {"ft": {"momentum": 0.9}}}}
        paths.tuned("tiny").write_text(yaml.safe_dump(found))
        fingerprints.add(empty.study({"tuned": "tiny"}).output_fingerprint("table2"))
    assert len(fingerprints) == 3


def test_a_table_of_several_studies_may_show_its_own(empty):
    tables = {"scale": {"kind": "scale", "cells": [CELL], "methods": ["ft"], "studies": ["tiny"]}}
    before, other = empty.study({"tables": tables}), empty.study({"tables": tables}, hyper("*", ft={"lr": 0.07}))
    receipts = before.receipt("scale"), before.receipt("collected")
    assert other.receipt("scale") != receipts[0]
    own = [paths.gathered("tiny", frame) for frame in SCALE_FRAMES]
    assert StudyFiles(before).shown_by("scale") == own and not own[0].exists()  # so that they are made first
    own[0].parent.mkdir(exist_ok=True)
    own[0].write_text("gathered")
    assert (before.receipt("scale"), before.receipt("collected")) == receipts


def test_a_setting_added_to_a_method_later_counts_only_where_it_is_not_at_its_default(empty):
    slices = [empty.study().run(f"{CELL}/l1-sparse{text}/trial-0").origin for text in ("", "@l1_decay=false")]
    assert "l1_decay" not in slices[0]["settings"] and slices[1]["settings"]["l1_decay"] is False


def test_a_fingerprint_changes_with_what_determines_the_run_and_with_nothing_else(empty, monkeypatch):
    methods = ("original", "retrain", "ft", "coun")

    def runs(*change):
        study = empty.study(*change)
        return {name: study.run(study.run_name(Cell.parse(CELL), name, 0)) for name in methods}

    before = runs()
    for change, changed in [
        ({}, set()),
        ({"description": "x", "threads": 2, "map_samples": 10, "report_epoch": "best", "trials": 3}, set()),
        (hyper("*", coun={"lambda": 2}), {"coun"}),
        (hyper("*", ft={"lr": 0.01}), {"ft"}),
        (hyper("*", unlearning={"lr": 0.01}), {"ft", "coun"}),
        (hyper("*/*/random-10", training={"lr": 0.01}), {"retrain"}),
        (hyper("*", training={"lr": 0.01}), set(methods)),
        (hyper("*/*/original", training={"lr": 0.01}), {"original", "ft", "coun"}),
        ({"seed": 2}, set(methods)),
        ({"precision": "bfloat16"}, set(methods)),
        ({"datasets": {"digits": {"subset": 100}}}, set(methods)),
        ({"datasets": {"digits": {"augmentation": {"padding": 2}}}}, set(methods)),
    ]:
        after = runs(change)
        assert {name for name in methods if before[name].fingerprint != after[name].fingerprint} == changed, change
        # The path in the pool says which run it is, so another run lies elsewhere.
        assert {name for name in methods if before[name].pool_path != after[name].pool_path} == changed, change
    # It changes with the version of a method's code too.
    monkeypatch.setattr(CoUn, "version", CoUn.version + 1)
    assert {name for name, run in runs().items() if before[name].fingerprint != run.fingerprint} == {"coun"}


def test_a_run_that_two_studies_share_has_one_path(empty):
    first, second = empty.study(), empty.study({"trials": 5, "tables": {"table2": {"methods": ["not"]}}}, name="other")
    name = "digits/convnet/class-8/ft/trial-0"
    assert first.run(name).pool_path == second.run(name).pool_path and first.run(name).pool_path.startswith(f"{name}-")
    splits = [study.split_of(study.run(name)).pool_path for study in (first, second)]
    assert len(set(splits)) == 1 and splits[0].startswith("digits/class-8/trial-0-")


def test_a_run_is_the_same_whether_its_name_or_the_study_gives_a_setting(empty):
    varied = empty.study()
    own = empty.study({"hyperparameters": {"*/*/class-8": {"coun": {"tau": 0.3}}}}, name="own")
    name = "digits/convnet/class-8/coun/trial-0"
    runs = [varied.run(name.replace("coun", "coun@tau=0.3")), own.run(name)]
    assert runs[0].fingerprint == runs[1].fingerprint and runs[0].pool_path == runs[1].pool_path
    assert runs[0].pool_path.startswith(f"{name}-") and runs[0].pool_path != varied.run(name).pool_path
    derived = [study.derive("maps", run, "class-8").pool_path for study, run in zip((varied, own), runs, strict=True)]
    assert derived[0] == derived[1]


def test_an_output_is_drawn_again_where_only_the_names_of_its_runs_have_changed(empty):
    def planned(tau):
        table = {"table2": {"methods": ["coun@tau=0.1", "coun@tau=0.3"]}}
        return empty.study({"hyperparameters": {"*": {"coun": {"tau": tau}}}, "tables": table})

    first, second = planned(0.1), planned(0.3)
    runs = [study.runs_of("table2") for study in (first, second)]
    assert [run.fingerprint for run in runs[0]] == [run.fingerprint for run in runs[1]]
    assert [run.shown_as for run in runs[0]] != [run.shown_as for run in runs[1]]
    assert first.output_fingerprint("table2") != second.output_fingerprint("table2")
    assert first.fingerprint != second.fingerprint


UNLEARNING = {"hyperparameters": {"*": {"unlearning": {"epochs": 3}}}}
DETERMINING = [
    {},
    {"members": "random"},
    {"seed": 2},
    {"precision": "bfloat16"},
    {"hold_out": 10},
    {"keep_twins": True},
]
DETERMINING += [{"datasets": {"digits": {"subset": 150}}}, {"datasets": {"digits": {"size": 12}}}, UNLEARNING]


def test_all_that_determines_a_result_is_in_its_fingerprint(empty):
    fingerprints = [empty.study(change).run(f"{CELL}/ft/trial-0").fingerprint for change in DETERMINING]
    assert len(set(fingerprints)) == len(DETERMINING)


def test_the_fingerprint_of_original_says_which_images_its_trial_holds_out(empty):
    studies = (empty.study({"hold_out": 10, "resample": drawn}) for drawn in (["original", "split"], ["original"]))
    both, alone = (study.run("digits/convnet/original/trial-1").fingerprint for study in studies)
    assert both != alone


@pytest.mark.parametrize("change", [{"hold_out": 10}, {"keep_twins": True}])
def test_a_split_lies_elsewhere_if_the_study_draws_it_otherwise(empty, change):
    plain, changed = (empty.study(part).split("digits", "class-8", 0).pool_path for part in ({}, change))
    assert plain != changed
