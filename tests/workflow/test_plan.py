"""What Snakemake plans to do, and what it leaves alone."""

import json
import os
import random
import re
import shutil
from pathlib import Path

from benchmark import paths
from benchmark.data.store import content_digest
from benchmark.files import write_json, write_record
from benchmark.study.study import Study
from tests.pool import made_up_record, run_folder, split_file
from tests.project import CELL, ORIGINAL, Project, call
from tests.workflow.conftest import SHOWN, planned

CLASS, MINE = "digits/convnet/class-8", "mine/convnet/random-10"


def runs(jobs, study="tiny"):
    """Return the names, in a study, of the runs among planned jobs."""
    names_of = {str(paths.run(run.pool_path)): str(run.name) for run in Study.load(study).runs()}
    return {names_of[file.rpartition("/")[0]] for file in jobs.get("run", ())}


def weights(jobs, study="tiny"):
    """Return the names, in a study, of the runs whose weights are planned."""
    return runs({"run": jobs.get("weights", ())}, study)


def names(*methods, cell=CELL):
    return {ORIGINAL if method == "original" else f"{cell}/{method}/trial-0" for method in methods}


def drawn(jobs):
    """Return the names of the tables and figures among planned jobs."""
    return {rule.removeprefix("draw_") for rule in jobs if rule.startswith("draw_")}


def test_a_table_needs_no_run_that_it_does_not_show(fresh):
    jobs = planned(fresh, "table2", "hyperparameters")  # the latter shows none
    assert runs(jobs) == names("original", "retrain", "ft", "salun", "coun")
    assert jobs["split"] == {str(split_file("tiny"))} and weights(jobs) == names("original")
    assert jobs.keys() == {"prepare_digits", "split", "run", "weights", "draw_table2", "draw_hyperparameters"}


def test_maps_need_the_runs_they_show_and_their_weights(fresh):
    jobs = planned(fresh, "figure1")
    assert weights(jobs) == names("retrain") | names("retrain", cell=CLASS)
    assert runs(jobs) == weights(jobs) | {ORIGINAL}  # which shows what has collapsed
    assert len(jobs["embed"]) == 2 and drawn(jobs) == {"figure1"}


def test_maps_of_original_alone_need_the_split_that_they_mark(fresh):
    fresh.study({"figures": {"alone": {"kind": "maps", "cells": [CELL], "methods": ["original"]}}, "only": ["alone"]})
    jobs = planned(fresh, "alone")
    assert jobs["split"] == {str(split_file("tiny"))} and weights(jobs) == {ORIGINAL} and len(jobs["embed"]) == 1


def test_without_a_target_everything_is_planned(fresh):
    jobs, study = planned(fresh), Study.load("tiny")
    assert runs(jobs) == {str(run.name) for run in study.runs()}
    assert drawn(jobs) == set(study.outputs)
    assert jobs["collect"] == {"results/tiny-metrics.parquet"} and jobs["page"] == {"figures/tiny/index.html"}


def test_a_table_over_datasets_needs_only_each_datasets_own_splits(fresh):
    letters = {"source": "digits", "subset": 100, "augmentation": {"mean": [0.5], "std": [0.5]}}
    tables = {"table2": {"cells": [CELL, "letters/convnet/class-8"], "methods": ["not"]}}
    stages = {"kind": "stages", "cells": ["digits/convnet/sequential-2x15"], "methods": ["ft"]}
    fresh.study({"trials": 1, "datasets": {"letters": letters}, "tables": tables, "figures": {"figure6": stages}})
    jobs = planned(fresh, "table2", "figure6")
    splits = [split_file("tiny"), split_file("tiny", "class-8", dataset="letters")]
    splits += [split_file("tiny", scenario) for scenario in ("random-15", "random-30", "sequential-2x15")]
    assert jobs["split"] == {str(file) for file in splits}
    assert jobs.keys() >= {"prepare_digits", "prepare_letters"}
    # A sequential figure needs the Retrain of each stage.
    assert {run for run in runs(jobs) if "15" in run or "30" in run} == {
        "digits/convnet/sequential-2x15/ft/trial-0",
        "digits/convnet/random-15/retrain/trial-0",
        "digits/convnet/random-30/retrain/trial-0",
    }


def test_the_ages_of_files_their_place_and_snakemakes_memory_decide_nothing(finished, tmp_path, monkeypatch):
    assert planned(finished, "all") == {}
    files = [path for path in Path().rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for age, path in enumerate(files):
        os.utime(path, (1e9 + age, 1e9 + age))
    shutil.move(finished.root, tmp_path / "moved")
    moved = Project(tmp_path / "moved")
    monkeypatch.chdir(moved.root)
    assert planned(moved, "all") == {}
    # Cloned without images, weights and memory.
    shutil.rmtree(paths.DATA)
    shutil.rmtree(".snakemake")
    for path in paths.RESULTS.rglob(paths.MODEL):
        path.unlink()
    assert planned(moved, "all", "table2", "figure3") == {}


def test_another_lambda_for_coun_runs_its_cells_again_and_changed_back_nothing(finished):
    finished.study(SHOWN, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    jobs = planned(finished, "all")
    assert runs(jobs) == names("coun") | names("coun", "coun@tau=0.2", cell=CLASS)
    assert drawn(jobs) == {"table2", "table8", "hyperparameters", "figure3"} and len(jobs["embed"]) == 2
    assert weights(jobs) == names("coun") | names("coun", cell=CLASS)  # Original's exist
    finished.study(SHOWN)
    assert planned(finished, "all") == {}


def test_only_what_a_change_concerns_is_planned(finished):
    def after(change):
        finished.study(SHOWN, change)
        return planned(finished, "all")

    assert after({"threads": 2}) == {}
    assert after({"description": "New words"}).keys() == {"page"}  # whose heading it is
    assert after({"tables": {"table2": {"caption": "New words"}}}).keys() == {"draw_table2", "collect", "page"}
    jobs = after({"hyperparameters": {"*": {"retrain": {"lr": 0.2}}}})
    assert runs(jobs) == names("retrain") | names("retrain", cell=CLASS) and not drawn(jobs) & {"figure11", "figure3"}
    jobs = after({"trials": 2})
    assert runs(jobs) and all(name.endswith("/trial-1") for name in runs(jobs)) and "embed" not in jobs
    jobs = after({"seed": 2})
    assert runs(jobs) == {str(run.name) for run in Study.load("tiny").runs()}
    assert len(jobs["split"]) == 2 and "prepare_digits" not in jobs
    # tests/test_fingerprints.py covers which other changes change which run.
    assert "prepare_digits" in after({"datasets": {"digits": {"subset": 150}}})


def test_a_study_that_extends_another_trains_only_what_is_new(finished):
    table = {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "not", "coun"]}
    paths.study_file("mine").write_text(json.dumps({"extends": "tiny", "tables": {"mine": table}}), encoding="utf-8")
    jobs = planned(finished, "mine", study="mine")
    assert runs(jobs, "mine") == names("not") and drawn(jobs) == {"mine"} and "split" not in jobs


def test_a_deleted_file_is_planned_with_what_shows_it(finished):
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
    split_file("tiny").unlink()
    jobs = planned(finished, "all")
    assert runs(jobs) == names("original", "salun") and weights(jobs) == names("original")
    assert jobs["split"] == {str(split_file("tiny"))}


def test_weights_are_made_again_only_where_something_needs_them(finished):
    for path in paths.RESULTS.rglob(paths.MODEL):
        path.unlink()
    shutil.rmtree(paths.DATA)
    shutil.rmtree(run_folder("tiny", f"{CELL}/salun/trial-0"))
    jobs = planned(finished, "all")
    assert (runs(jobs), weights(jobs)) == (names("salun"), names("original")) and jobs["prepare_digits"]
    next((paths.RESULTS / "maps").rglob("ft/trial-0-*.parquet")).unlink()
    jobs = planned(finished, "figure3")
    assert len(jobs["embed"]) == 1 and len(weights(jobs)) == 2 and runs(jobs) == set()


def test_other_images_under_the_same_name_are_refused_until_their_runs_are_set_aside(finished):
    study = finished.study(SHOWN)
    folder = study.dataset_folder("digits")
    for run in study.runs():
        record = paths.run(run.pool_path) / paths.RUN
        write_json(record, made_up_record(run, stamp={"data": content_digest(folder)}))
    assert planned(finished, "all") == {}
    dataset_record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    dataset_record["classes"][0] = "zero"
    dataset_record.pop("digest")
    write_record(folder / "provenance.json", dataset_record)
    refused = finished.snakemake("all", "--dry-run")
    message = f"holds other images ({content_digest(folder)}) than {len(study.runs())} finished runs"
    assert refused.returncode != 0 and message in refused.stdout
    assert call("verify", "tiny").returncode == 1
    assert runs(planned(finished, "all")) == {str(run.name) for run in study.runs()}


def test_an_unknown_target_is_refused_by_name(fresh):
    for target, name in [
        ("tabel2", "study tiny: unknown target 'tabel2'; did you mean 'table2'? Accepted: all, collect, figure1"),
        (f"results/runs/{CELL}/ft;touch x/trial-0-01234567/run.json", "ft;touch x"),
        ("results/runs/digits/../x/ft/trial-0-01234567/run.json", "x/ft/trial-0"),
    ]:
        done = fresh.snakemake(target)
        assert done.returncode != 0 and name in done.stdout and "Traceback" not in done.stdout
    assert not Path("x").exists() and not paths.RUNS.exists()


def test_a_target_that_the_study_leaves_out_is_not_called_unknown(fresh):
    fresh.study({"only": ["table2"]})
    message = "config/tiny.yaml: only: leaves out 'table8': add it there"
    assert message in fresh.snakemake("table8", "--dry-run").stdout
    assert call("table", "tiny", "table8").stderr == f"error: {message}\n"


def test_quiet_leaves_out_no_mistake_and_a_dry_run_names_it_once(fresh):
    for arguments, config, message in [
        (["tabel2"], {}, "study tiny: unknown target 'tabel2'"),
        (["all"], {"study": "tinny"}, "study: unknown study 'tinny'"),
        (["all", "--dry-run"], {"study": "tinny"}, "study: unknown study 'tinny'"),
    ]:
        done = fresh.snakemake(*arguments, "--quiet", "all", **config)
        assert done.returncode != 0 and done.stdout.count(message) == 1, done.stdout


def test_a_home_that_cannot_be_written_stops_nothing(fresh, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    assert "run" in planned(fresh, "table2")


def test_no_line_that_snakemake_prints_about_a_job_is_long(fresh):
    lines = fresh.snakemake("all", "--dry-run", check=True).stdout.splitlines()
    inputs = next(line for line in lines if line.startswith("    input: paper_tables/tiny/table2.tex"))
    assert re.search(r", … \(\d\d files\)$", inputs) and max(map(len, lines)) < 600


def test_missing_images_and_a_mistake_in_a_study_are_one_line_before_the_first_job(fresh):
    missing = {"datasets": {"mine": {"source": "folder", "path": "nowhere"}}, "tables": {"table2": {"cells": [MINE]}}}
    fresh.study(missing)
    done = fresh.snakemake("table2", "table8")
    message = "error: config/tiny.yaml: datasets.mine.path: there is no folder nowhere"
    assert done.returncode != 0 and done.stdout.splitlines()[-1] == message
    assert not paths.DATA.exists() and not paths.RUNS.exists()
    file = paths.study_file("tiny")
    file.write_text(file.read_text().replace("methods:", "method:", 1))
    done = fresh.snakemake("all", "--dry-run")
    message = "error: config/tiny.yaml: tables.table2.method: unknown key 'method'; did you mean 'methods'?"
    assert done.returncode != 0 and done.stdout.splitlines()[-1].startswith(message)
