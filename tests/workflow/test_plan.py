"""What Snakemake plans to do, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.data.store import content_hash
from benchmark.files import write_json, write_parquet, write_record
from benchmark.study.study import Study
from tests.conftest import environment

CELL = "digits/convnet/random-10"
ORIGINAL = "digits/convnet/original/trial-0"


def runs(jobs):
    """The names of the runs among planned jobs."""
    found = jobs.get("run", set()) | jobs.get("run_and_keep", set())
    return {file.removeprefix("results/tiny/runs/").rpartition("/")[0] for file in found}


def names(*methods, cell=CELL):
    return {ORIGINAL if method == "original" else f"{cell}/{method}/trial-0" for method in methods}


def drawn(jobs):
    """The names of the tables and figures among planned jobs."""
    return {file.rpartition("/")[2].partition(".")[0] for rule in ("table", "figure") for file in jobs.get(rule, set())}


# --- from scratch ----------------------------------------------------------------------------------------------------


def test_a_table_needs_no_run_that_it_does_not_show(fresh, planned):
    jobs = planned(fresh, "table2")
    assert runs(jobs) == names("original", "retrain", "ft", "salun", "coun")
    assert runs(jobs) == {str(run.name) for run in Study.load("tiny").runs(["table2"])}
    assert jobs["split"] == {"results/tiny/splits/digits/random-10/trial-0.parquet"}
    assert drawn(jobs) == {"table2"} and len(jobs["prepare_digits"]) == 1
    assert jobs.keys() == {"prepare_digits", "split", "run", "run_and_keep", "table"}


def test_a_table_of_hyperparameters_needs_no_run(fresh, planned):
    assert planned(fresh, "hyperparameters").keys() == {"table"}


def test_maps_need_the_runs_they_show_and_these_keep_their_weights(fresh, planned):
    jobs = planned(fresh, "figure1")
    assert runs(jobs) == names("retrain") | names("retrain", cell="digits/convnet/class-8") and "run" not in jobs
    assert len(jobs["embed"]) == 2 and drawn(jobs) == {"figure1"}


@pytest.mark.slow
def test_improvement_needs_each_method_with_and_without_the_term(fresh, planned):
    assert runs(planned(fresh, "figure4")) == names("original", "retrain", "neggrad-plus", "neggrad-plus+cl")


def test_no_target_is_everything(fresh, planned):
    jobs = planned(fresh)
    study = Study.load("tiny")
    assert runs(jobs) == {str(run.name) for run in study.runs()}
    assert drawn(jobs) == set(study.outputs)
    assert jobs["collect"] == {"results/tiny-metrics.parquet"}
    assert jobs["page"] == {"figures/tiny/index.html"}


@pytest.mark.slow
def test_any_run_can_be_asked_for_by_its_file(fresh, planned):
    methods = ("neggrad-plus+cl", "coun@batch_size=64@tau=0.2", "coun@lambda=1e-05")
    jobs = planned(fresh, *(f"results/tiny/runs/{CELL}/{method}/trial-0/run.json" for method in methods))
    assert runs(jobs) == names("original", *methods)


@pytest.mark.slow
def test_a_study_without_figures_or_collected_maps(fresh, planned):
    fresh.study({"figures": None})
    jobs = planned(fresh, "all")
    assert "figure" not in jobs and "embed" not in jobs


def test_a_table_over_datasets_asks_each_for_its_own_splits_alone(fresh, planned):
    letters = {"source": "digits", "subset": 100, "augmentation": {"mean": [0.5], "std": [0.5]}}
    cells = [CELL, "letters/convnet/class-8"]
    fresh.study({"datasets": {"letters": letters}, "tables": {"table2": {"cells": cells}}})
    jobs = planned(fresh, "table2")
    assert jobs["split"] == {
        "results/tiny/splits/digits/random-10/trial-0.parquet",
        "results/tiny/splits/letters/class-8/trial-0.parquet",
    }
    assert jobs.keys() >= {"prepare_digits", "prepare_letters"}


def test_a_sequential_figure_needs_the_retrain_of_each_stage(fresh, planned):
    stages = {"kind": "stages", "cells": ["digits/convnet/sequential-2x15"], "methods": ["ft"]}
    fresh.study({"trials": 1, "figures": {"figure6": stages}})
    jobs = planned(fresh, "figure6")
    assert runs(jobs) == names("original") | {
        "digits/convnet/sequential-2x15/ft/trial-0",
        "digits/convnet/random-15/retrain/trial-0",
        "digits/convnet/random-30/retrain/trial-0",
    }


# --- when everything is there ----------------------------------------------------------------------------------------


def test_a_second_call_has_nothing_to_do(finished, planned):
    assert planned(finished, "all") == {}


def test_a_deleted_table_is_drawn_again_and_nothing_else_is_done(finished, planned):
    paths.table("tiny", "table2", ".tex").unlink()
    assert planned(finished, "table2") == {"table": {"paper_tables/tiny/table2.tex"}}
    assert planned(finished, "all") == {"table": {"paper_tables/tiny/table2.tex"}}


def test_another_lambda_for_coun_runs_its_cells_again_and_what_shows_them(finished, planned, shown):
    finished.study(shown, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    jobs = planned(finished, "all")
    class_wise = names("coun", "coun@tau=0.2", cell="digits/convnet/class-8")
    assert runs(jobs) == names("coun") | class_wise
    assert drawn(jobs) == {"table2", "table8", "hyperparameters", "figure3"}
    assert jobs["embed"] == {
        f"results/tiny/maps/{name}.parquet" for name in ("digits/convnet/class-8/coun/trial-0", f"{CELL}/coun/trial-0")
    }
    assert planned(finished, "figure1", "figure11", "figure4", "table9") == {}


def test_what_was_made_by_hand_or_came_with_a_checkout_is_run_again_as_well(finished, planned, shown):
    study = Study.load("tiny")
    for one in study.derived:
        write_parquet(paths.derived("tiny", one), pd.DataFrame({"index": [0]}), study.derived_origin(one))
    shutil.rmtree(".snakemake")  # it notes settings, and knows none of what it did not make
    assert not planned(finished, "table2", "figure3").keys() & {"run", "run_and_keep", "embed"}
    finished.study(shown, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    jobs = planned(finished, "table2", "figure3")
    assert runs(jobs) == names("coun") | names("coun", cell="digits/convnet/class-8")
    assert drawn(jobs) == {"table2", "figure3"} and len(jobs["embed"]) == 2  # not FT's
    # Changed back, they are what they were.
    finished.study(shown)
    assert runs(planned(finished, "table2", "figure3")) == set()


@pytest.mark.parametrize("target", ["figure3", "results/tiny-metrics.parquet"])
def test_what_names_classes_waits_for_the_dataset(finished, planned, target):
    # As in a checkout that holds runs and maps, and no images.
    study = Study.load("tiny")
    for one in study.derived:
        write_parquet(paths.derived("tiny", one), pd.DataFrame({"index": [0]}), study.derived_origin(one))
    shutil.rmtree(study.dataset_folder("digits"))
    paths.figure("tiny", "figure3", ".png").unlink()
    paths.collected("tiny", "metrics").unlink()
    jobs = planned(finished, target)
    assert "prepare_digits" in jobs and not jobs.keys() & {"run", "run_and_keep", "embed"}


@pytest.mark.slow
def test_another_learning_rate_for_retrain_leaves_unlearning_alone(finished, planned, shown):
    finished.study(shown, {"hyperparameters": {"*": {"retrain": {"lr": 0.2}}}})
    jobs = planned(finished, "all")
    assert runs(jobs) == names("retrain") | names("retrain", cell="digits/convnet/class-8")
    assert "figure11" not in drawn(jobs) and "figure3" not in drawn(jobs)


def test_another_seed_is_another_study(finished, planned, shown):
    finished.study(shown, {"seed": 2})
    jobs = planned(finished, "all")
    assert runs(jobs) == {str(run.name) for run in Study.load("tiny").runs()}
    assert len(jobs["split"]) == 2 and "prepare_digits" not in jobs


@pytest.mark.slow
def test_another_caption_draws_its_table_again(finished, planned, shown):
    finished.study(shown, {"tables": {"table2": {"caption": "New words"}}})
    jobs = planned(finished, "all")
    assert drawn(jobs) == {"table2"} and not runs(jobs) and "embed" not in jobs


def test_another_description_or_more_threads_change_nothing(finished, planned, shown):
    finished.study(shown, {"description": "New words", "threads": 2})
    assert planned(finished, "all") == {}


def test_another_recipe_for_original_trains_it_and_all_that_starts_from_it(finished, planned, shown):
    finished.study(shown, {"hyperparameters": {"*/*/original": {"training": {"lr": 0.2}}}})
    jobs = planned(finished, "all")
    changed = names("original", "ft", "salun", "coun", "neggrad-plus", "neggrad-plus+cl")
    assert names("retrain").isdisjoint(runs(jobs)) and runs(jobs) > changed


def test_an_original_that_is_made_again_to_the_same_makes_no_run_again(finished, planned):
    (paths.run("tiny", ORIGINAL) / paths.SAMPLES).unlink()
    paths.table("tiny", "table2", ".tex").unlink()
    jobs = planned(finished, "all")
    assert runs(jobs) == names("original") and "table2" in drawn(jobs)


@pytest.mark.slow
def test_more_trials_add_runs_and_repeat_none(finished, planned, shown):
    finished.study(shown, {"trials": 2})
    jobs = planned(finished, "all")
    assert runs(jobs) and all(name.endswith("/trial-1") for name in runs(jobs))
    assert "embed" not in jobs  # maps are of the first trial


@pytest.mark.slow
def test_a_new_table_adds_only_its_runs(finished, planned, shown):
    table = {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "not", "coun@lambda=3"]}
    finished.study(shown, {"tables": {"table3": table}})
    assert runs(planned(finished, "all")) == names("not", "coun@lambda=3")


def test_a_missing_file_of_a_run_is_made_again_with_what_shows_it(finished, planned):
    (paths.run("tiny", f"{CELL}/salun/trial-0") / paths.SAMPLES).unlink()
    jobs = planned(finished, "all")
    assert runs(jobs) == names("salun") and drawn(jobs) == {"table2"} and jobs["collect"]
    assert drawn(planned(finished, "table8", "figure4")) == set()


def test_a_table_that_a_checkout_brought_without_its_runs_is_made_anew(finished, planned):
    """Whatever ages the checkout gave it: of a study that was edited it would be another's table."""
    shutil.rmtree(paths.RESULTS / "tiny")
    shutil.rmtree(".snakemake")
    for path in Path().rglob("*"):
        if path.is_file() and paths.DATA not in path.parents:
            os.utime(path, (1e9, 1e9))
    jobs = planned(finished, "table2")
    assert runs(jobs) == names("original", "retrain", "ft", "salun", "coun") and drawn(jobs) == {"table2"}
    jobs = planned(finished, "all")
    assert len(runs(jobs)) == len(Study.load("tiny").runs()) and jobs["collect"] and jobs["page"]


def test_a_younger_original_makes_no_run_again(finished, planned):
    later = time.time() + 100
    for file in (paths.RUN, paths.MODEL):
        os.utime(paths.run("tiny", ORIGINAL) / file, (later, later))
    assert runs(planned(finished, "all")) == set()


@pytest.mark.slow
def test_data_prepared_again_to_the_same_make_no_run_again(finished, planned):
    later = time.time() + 100
    os.utime(Study.load("tiny").dataset_folder("digits") / "provenance.json", (later, later))
    assert planned(finished, "all") == {}


@pytest.mark.slow
def test_another_subset_is_prepared_beside_the_first(finished, planned, shown):
    finished.study(shown, {"datasets": {"digits": {"subset": 150}}})
    jobs = planned(finished, "table9")
    assert len(jobs["prepare_digits"]) == 1 and runs(jobs) == names(
        "original", "retrain", "neggrad-plus", "neggrad-plus+cl"
    )


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("all", "--config", "study=tinny"), "unknown study 'tinny'; did you mean 'tiny'?"),
        (("all", "--config", "study=../tiny"), "study '../tiny': accepted is the name of a file config/<name>.yaml"),
        (("table3", "--config", "study=tiny"), "table3"),
        (("figures/tiny/figure2.pdf", "--config", "study=tiny"), "figures/tiny/figure2.pdf"),
        ((f"results/tiny/runs/{CELL}/fft/trial-0/run.json", "--config", "study=tiny"), "fft"),
        ((f"results/tiny/runs/{CELL}/ft;touch x/trial-0/run.json", "--config", "study=tiny"), "ft;touch x"),
        (("results/tiny/runs/digits/convnet/../x/ft/trial-0/run.json", "--config", "study=tiny"), "x/ft/trial-0"),
    ],
)
def test_a_wrong_call_is_refused_by_name(fresh, arguments, told):
    done = fresh.snakemake(*arguments)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and told in said and "Traceback" not in said
    assert not Path("x").exists() and not Path("results/tiny/runs").exists()


def test_a_mistake_in_a_study_is_its_one_line(fresh):
    file = paths.study_file("tiny")
    file.write_text(file.read_text().replace("methods:", "method:", 1))
    done = fresh.snakemake("all", "--dry-run", "--config", "study=tiny")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    assert "config/tiny.yaml: tables.table2.method: unknown key 'method'; did you mean 'methods'?" in said


@pytest.mark.parametrize(("method", "told"), [("coun@tua=0.1", "did you mean 'tau'"), ("original", "is called")])
def test_a_run_that_cannot_be_is_refused_with_the_studys_own_words(fresh, method, told):
    done = fresh.snakemake(f"results/tiny/runs/{CELL}/{method}/trial-0/run.json", "--config", "study=tiny")
    assert done.returncode != 0 and told in done.stdout + done.stderr


def test_other_images_under_the_same_name_make_every_run_of_them_again(finished, shown, planned):
    study = finished.study(shown)
    for run in study.runs():
        record = paths.run("tiny", run.name) / paths.RUN
        told = json.loads(record.read_text(encoding="utf-8"))
        write_json(record, told | {"stamp": {"data": content_hash(study.dataset_folder("digits"))}})
    finished.snakemake("all", "--touch", "--forceall", "--config", "study=tiny", check=True)
    assert planned(finished, "all") == {}
    folder = study.dataset_folder("digits")
    told = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    told["sha256"]["train_images"] = "0" * 64
    told.pop("digest")
    write_record(folder / "provenance.json", told)
    again = planned(finished, "all")
    assert runs(again) == {str(run.name) for run in study.runs()} and again["split"]


@pytest.mark.parametrize("wanted", ["--unlock", "--list-rules"])
def test_what_needs_no_number_of_cores_is_done_without_one(finished, wanted):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", wanted, "--config", "study=tiny"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


# --- a checkout that holds runs, without data and weights -------------------------------------------------------------


def test_runs_that_are_there_are_not_made_again_where_data_and_weights_are_not(finished, planned):
    shutil.rmtree(paths.DATA)
    shutil.rmtree(paths.RESULTS / "tiny" / "splits")
    shutil.rmtree(".snakemake")  # nor does it know what made them
    for path in [*paths.RESULTS.rglob(paths.MODEL), *paths.RESULTS.glob("tiny-*")]:
        path.unlink()
    shutil.rmtree(paths.TABLES / "tiny")
    shutil.rmtree(paths.run("tiny", f"{CELL}/salun/trial-0"))
    study = Study.load("tiny")
    kept = {str(name) for name in study.kept}
    jobs = planned(finished, "table2", "table9")
    # The one that is missing, and what its weights are missing of.
    assert runs(jobs) == {f"{CELL}/salun/trial-0", ORIGINAL} | (names("retrain", "ft", "coun") & kept)
    assert names("neggrad-plus", "neggrad-plus+cl").isdisjoint(runs(jobs))


def test_a_whole_study_is_drawn_from_its_runs_without_weights(finished, planned):
    study = Study.load("tiny")
    for one in study.derived:
        write_parquet(paths.derived("tiny", one), pd.DataFrame({"index": [0]}), study.derived_origin(one))
    shutil.rmtree(paths.DATA)
    shutil.rmtree(".snakemake")
    for path in [*paths.RESULTS.rglob(paths.MODEL), *paths.RESULTS.glob("tiny-*")]:
        path.unlink()
    shutil.rmtree(paths.TABLES / "tiny")
    jobs = planned(finished, "all")
    # The dataset is prepared for the names of its classes alone.
    assert runs(jobs) == set() and "embed" not in jobs and jobs["prepare_digits"]
    assert jobs["collect"] and "table2" in drawn(jobs)
    # For a run that is not the study's there has to be Original again, and for that its data.
    jobs = planned(finished, f"results/tiny/runs/{CELL}/not/trial-0/run.json")
    assert runs(jobs) == names("original", "not") and jobs["prepare_digits"]


def test_maps_that_are_there_are_not_made_again_where_weights_are_not(finished, planned):
    study = Study.load("tiny")
    for one in study.derived:
        file = paths.derived("tiny", one)
        write_parquet(file, pd.DataFrame({"index": [0]}), study.derived_origin(one))
        os.utime(file, (1, 1))  # in a checkout nothing is older than anything else on purpose
    shutil.rmtree(".snakemake")
    for path in paths.RESULTS.rglob(paths.MODEL):
        path.unlink()
    for name in ("figure1", "figure3"):
        paths.figure("tiny", name, ".pdf").unlink()
    jobs = planned(finished, "figure1", "figure3")
    assert runs(jobs) == set() and drawn(jobs) == {"figure1", "figure3"} and "embed" not in jobs
    # Nor are mapped runs made again where Original is, for a run that is missing.
    shutil.rmtree(paths.run("tiny", f"{CELL}/salun/trial-0"))
    paths.table("tiny", "table2", ".tex").unlink()
    assert runs(planned(finished, "table2", "figure1", "figure3")) == names("salun", "original")
    # One that was made from another run is made again, and with it the weights that it needs.
    changed = next(one for one in study.derived if str(one.run.name) == f"{CELL}/ft/trial-0")
    origin = study.derived_origin(changed) | {"run": "another"}
    write_parquet(paths.derived("tiny", changed), pd.DataFrame({"index": [0]}), origin)
    os.utime(paths.derived("tiny", changed), (1, 1))
    jobs = planned(finished, "figure1", "figure3")
    assert jobs["embed"] == {str(paths.derived("tiny", changed))} and runs(jobs) >= names("ft")


def test_a_split_that_is_lost_is_drawn_again_and_no_run_with_it(finished, planned):
    study = Study.load("tiny")
    lost = study.split_file(study.run(f"{CELL}/coun/trial-0"))
    lost.unlink()
    again = planned(finished, "table2")
    assert again["split"] == {str(lost)} and drawn(again) == {"table2"} and runs(again) == set()
