"""What Snakemake plans to do, and what it leaves alone."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import paths
from benchmark.data.store import content_hash
from benchmark.files import write_json, write_record
from benchmark.study.study import Study
from tests.conftest import environment
from tests.places import run_folder, split_file

CELL = "digits/convnet/random-10"
CLASS = "digits/convnet/class-8"
ORIGINAL = "digits/convnet/original/trial-0"


def runs(jobs):
    """The names of the runs among planned jobs."""
    return {file.removeprefix("results/runs/").rpartition("/")[0].rpartition("-")[0] for file in jobs.get("run", ())}


def weights(jobs):
    """The names of the runs whose weights are planned."""
    return runs({"run": jobs.get("weights", ())})


def names(*methods, cell=CELL):
    return {ORIGINAL if method == "original" else f"{cell}/{method}/trial-0" for method in methods}


def drawn(jobs):
    """The names of the tables and figures among planned jobs."""
    return {rule.removeprefix("draw_") for rule in jobs if rule.startswith("draw_")}


# --- from scratch ----------------------------------------------------------------------------------------------------


def test_a_table_needs_no_run_that_it_does_not_show(fresh, planned):
    jobs = planned(fresh, "table2")
    assert runs(jobs) == names("original", "retrain", "ft", "salun", "coun")
    assert jobs["split"] == {str(split_file("tiny"))} and weights(jobs) == names("original")
    assert jobs.keys() == {"prepare_digits", "split", "run", "weights", "draw_table2"}
    assert planned(fresh, "hyperparameters").keys() == {"draw_hyperparameters"}


def test_maps_need_the_runs_they_show_and_their_weights(fresh, planned):
    jobs = planned(fresh, "figure1")
    assert runs(jobs) == weights(jobs) == names("retrain") | names("retrain", cell=CLASS)
    assert len(jobs["embed"]) == 2 and drawn(jobs) == {"figure1"}


def test_no_target_is_everything(fresh, planned):
    jobs, study = planned(fresh), Study.load("tiny")
    assert runs(jobs) == {str(run.name) for run in study.runs()}
    assert drawn(jobs) == set(study.outputs)
    assert jobs["collect"] == {"results/tiny-metrics.parquet"} and jobs["page"] == {"figures/tiny/index.html"}


def test_a_table_over_datasets_asks_each_for_its_own_splits_alone(fresh, planned):
    letters = {"source": "digits", "subset": 100, "augmentation": {"mean": [0.5], "std": [0.5]}}
    cells = [CELL, "letters/convnet/class-8"]
    stages = {"kind": "stages", "cells": ["digits/convnet/sequential-2x15"], "methods": ["ft"]}
    tables = {"table2": {"cells": cells}}
    fresh.study({"trials": 1, "datasets": {"letters": letters}, "tables": tables, "figures": {"figure6": stages}})
    jobs = planned(fresh, "table2")
    assert jobs["split"] == {str(split_file("tiny")), str(split_file("tiny", "class-8", dataset="letters"))}
    assert jobs.keys() >= {"prepare_digits", "prepare_letters"}
    # A sequential figure needs the Retrain of each stage.
    assert runs(planned(fresh, "figure6")) == names("original") | {
        "digits/convnet/sequential-2x15/ft/trial-0",
        "digits/convnet/random-15/retrain/trial-0",
        "digits/convnet/random-30/retrain/trial-0",
    }


# --- when everything is there ----------------------------------------------------------------------------------------


def test_ages_places_and_what_snakemake_remembers_decide_nothing(finished, planned, tmp_path, monkeypatch):
    assert planned(finished, "all") == {}
    files = [path for path in Path().rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for age, path in enumerate(files):
        os.utime(path, (1e9 + age, 1e9 + age))
    assert planned(finished, "all") == {}
    # Moved, cloned without images, weights and memory.
    shutil.move(finished.root, tmp_path / "moved")
    moved = type(finished)(tmp_path / "moved")
    monkeypatch.chdir(moved.root)
    assert planned(moved, "all") == {}
    shutil.rmtree(paths.DATA)
    shutil.rmtree(".snakemake")
    for path in paths.RESULTS.rglob(paths.MODEL):
        path.unlink()
    assert planned(moved, "all") == {} and planned(moved, "table2", "figure3") == {}


def test_another_lambda_for_coun_runs_its_cells_again_and_changed_back_nothing(finished, planned, shown):
    finished.study(shown, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    jobs = planned(finished, "all")
    assert runs(jobs) == names("coun") | names("coun", "coun@tau=0.2", cell=CLASS)
    assert drawn(jobs) == {"table2", "table8", "hyperparameters", "figure3"} and len(jobs["embed"]) == 2
    assert weights(jobs) == names("coun") | names("coun", cell=CLASS)  # of Original they are there
    assert planned(finished, "figure1", "figure11", "figure4", "table9") == {}
    finished.study(shown)
    assert planned(finished, "all") == {}


def test_only_what_a_change_concerns_is_planned(finished, planned, shown):
    finished.study(shown, {"description": "New words", "threads": 2})
    assert planned(finished, "all") == {}
    finished.study(shown, {"tables": {"table2": {"caption": "New words"}}})
    jobs = planned(finished, "all")
    assert drawn(jobs) == {"table2"} and jobs.keys() == {"draw_table2", "collect", "page"}
    finished.study(shown, {"hyperparameters": {"*": {"retrain": {"lr": 0.2}}}})
    jobs = planned(finished, "all")
    assert runs(jobs) == names("retrain") | names("retrain", cell=CLASS) and not drawn(jobs) & {"figure11", "figure3"}
    finished.study(shown, {"hyperparameters": {"*/*/original": {"training": {"lr": 0.2}}}})
    jobs = planned(finished, "all")
    assert runs(jobs) > names("original", "ft", "salun", "coun") and names("retrain").isdisjoint(runs(jobs))
    finished.study(shown, {"trials": 2})
    jobs = planned(finished, "all")
    assert runs(jobs) and all(name.endswith("/trial-1") for name in runs(jobs)) and "embed" not in jobs
    finished.study(shown, {"seed": 2})
    jobs = planned(finished, "all")
    assert runs(jobs) == {str(run.name) for run in Study.load("tiny").runs()}
    assert len(jobs["split"]) == 2 and "prepare_digits" not in jobs
    finished.study(shown, {"datasets": {"digits": {"subset": 150}}})
    assert "prepare_digits" in planned(finished, "table9")


def test_a_study_that_extends_another_trains_what_is_new_alone(finished, planned):
    table = {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "not", "coun"]}
    paths.study_file("mine").write_text(json.dumps({"extends": "tiny", "tables": {"mine": table}}), encoding="utf-8")
    jobs = planned(finished, "mine", study="mine")
    assert runs(jobs) == names("not") and drawn(jobs) == {"mine"} and "split" not in jobs


def test_what_is_deleted_is_planned_with_what_shows_it(finished, planned):
    paths.table("tiny", "table2", ".tex").unlink()
    assert planned(finished, "table2") == {"draw_table2": {"paper_tables/tiny/table2.tex"}}
    # One file of several that a job makes together.
    (run_folder("tiny", f"{CELL}/salun/trial-0") / paths.SAMPLES).unlink()
    (Study.load("tiny").dataset_folder("digits") / "train_labels.npy").unlink()
    jobs = planned(finished, "all")
    assert runs(jobs) == names("salun") and drawn(jobs) == {"table2"} and jobs["collect"] and jobs["page"]
    assert "prepare_digits" in jobs
    assert planned(finished, "table8", "figure4") == {}
    # Original: what starts from it is finished, and needs nothing.
    shutil.rmtree(run_folder("tiny", ORIGINAL))
    jobs = planned(finished, "all")
    assert runs(jobs) == names("original", "salun") and weights(jobs) == names("original")
    split_file("tiny").unlink()
    assert planned(finished, "all")["split"] == {str(split_file("tiny"))}


def test_weights_are_made_again_only_where_something_needs_them(finished, planned):
    for path in paths.RESULTS.rglob(paths.MODEL):
        path.unlink()
    shutil.rmtree(paths.DATA)
    assert planned(finished, "all") == {}
    shutil.rmtree(run_folder("tiny", f"{CELL}/salun/trial-0"))
    jobs = planned(finished, "all")
    assert (runs(jobs), weights(jobs)) == (names("salun"), names("original")) and jobs["prepare_digits"]
    next((paths.RESULTS / "maps").rglob("ft/trial-0-*.parquet")).unlink()
    jobs = planned(finished, "figure3")
    assert len(jobs["embed"]) == 1 and len(weights(jobs)) == 2 and runs(jobs) == set()


def test_other_images_under_the_same_name_are_refused_until_their_runs_are_set_aside(finished, shown, planned):
    study = finished.study(shown)
    folder = study.dataset_folder("digits")
    for run in study.runs():
        record = paths.run(run.place) / paths.RUN
        content = {"fingerprint": run.fingerprint, "slice": run.slice, "stamp": {"data": content_hash(folder)}}
        write_json(record, content | {"sha256": {}})
    assert planned(finished, "all") == {}
    facts = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    facts["classes"][0] = "zero"
    facts.pop("digest")
    write_record(folder / "provenance.json", facts)
    done = finished.snakemake("all", "--dry-run", "--config", "study=tiny")
    said = done.stdout + done.stderr
    message = f"holds other images ({content_hash(folder)}) than {len(study.runs())} finished runs"
    assert done.returncode != 0 and message in said
    assert finished.command("verify", "tiny").returncode == 2
    assert runs(planned(finished, "all")) == {str(run.name) for run in study.runs()}


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all", "--config", "study=tinny"), "unknown study 'tinny'; did you mean 'tiny'?"),
        (("all", "--config", "study=../tiny"), "study '../tiny': accepted is the name of a file config/<name>.yaml"),
        (("table3", "--config", "study=tiny"), "table3"),
        ((f"results/runs/{CELL}/ft;touch x/trial-0-01234567/run.json", "--config", "study=tiny"), "ft;touch x"),
        (("results/runs/digits/../x/ft/trial-0-01234567/run.json", "--config", "study=tiny"), "x/ft/trial-0"),
    ],
)
def test_a_wrong_call_is_refused_by_name(fresh, arguments, message):
    done = fresh.snakemake(*arguments)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and message in said and "Traceback" not in said
    assert not Path("x").exists() and not paths.RUNS.exists()


def test_a_mistake_in_a_study_is_its_one_line(fresh):
    file = paths.study_file("tiny")
    file.write_text(file.read_text().replace("methods:", "method:", 1))
    done = fresh.snakemake("all", "--dry-run", "--config", "study=tiny")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert "config/tiny.yaml: tables.table2.method: unknown key 'method'; did you mean 'methods'?" in said


@pytest.mark.parametrize("wanted", ["--unlock", "--list-rules"])
def test_what_needs_no_number_of_cores_is_done_without_one(finished, wanted):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", wanted, "--config", "study=tiny"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
