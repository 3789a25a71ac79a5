"""A small study from nothing to its tables and figures, by Snakemake itself, and back again after losses."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from benchmark import paths
from benchmark.study.study import Study
from tests.places import run_folder, split_file
from tests.workflow.conftest import RUN

CELL = "digits/convnet/random-10"

pytestmark = pytest.mark.slow


def test_a_study_from_nothing_to_its_tables_and_figures(ended, planned):
    study = Study.load("tiny")
    for name in study.tables:
        assert all(paths.table("tiny", name, suffix).stat().st_size > 0 for suffix in paths.TABLE_SUFFIXES)
    for name in study.figures:
        assert all(paths.figure("tiny", name, suffix).stat().st_size > 0 for suffix in paths.FIGURE_SUFFIXES)
    # Nothing is left over, and weights are kept of Original and of what is mapped.
    assert not [path for path in paths.RESULTS.rglob("*") if path.suffix in (".pt", ".lock") and path.is_file()]
    assert {path.parent.parent.name for path in paths.RUNS.rglob(paths.MODEL)} == {"original", "retrain", "ft"}

    # The gathered metrics say what the runs' own files say.
    metrics = pd.read_parquet(paths.collected("tiny", "metrics")).set_index("method")
    assert set(metrics.index) == {"original", "retrain", "ft", "coun", "salun@lr=1e+30"}
    history = pd.read_parquet(run_folder("tiny", f"{CELL}/coun/trial-0") / paths.HISTORY)
    columns = ["ra", "ua", "ta", "mia"]
    assert metrics.loc["coun", columns].tolist() == history[columns].iloc[-1].tolist()
    assert metrics.loc["salun@lr=1e+30", "status"] == "diverged" and pd.isna(metrics.loc["salun@lr=1e+30", "ra"])
    assert metrics.loc["retrain", "avg_gap"] == 0
    assert "diverged" in paths.table("tiny", "table2", ".tex").read_text()
    assert planned(ended, "all") == {}
    assert "4 done" in ended.command("status", "tiny", check=True).stdout
    assert "all as they were written" in ended.command("verify", "tiny", check=True).stdout


def test_whatever_is_deleted_comes_back_as_it_was(ended, planned):
    tables = {path: path.read_bytes() for folder in (paths.TABLES, paths.FIGURES) for path in folder.rglob("*.tex")}
    losses = {
        "run": run_folder("tiny", f"{CELL}/coun/trial-0"),
        "original": run_folder("tiny", "digits/convnet/original/trial-0"),
        "map": next((paths.RESULTS / "maps").rglob("retrain/*.parquet")),
        "split": split_file("tiny"),
        "table": paths.table("tiny", "table2", ".csv"),
        "receipt": next((paths.RESULTS / "drawn").rglob("figure4-*.json")),
        "gathered": paths.collected("tiny", "history"),
    }
    for what, path in losses.items():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        jobs = planned(ended, "all")
        assert jobs, what
        if what in ("run", "split"):
            assert "draw_table2" in jobs and planned(ended, "table2")
    ended.snakemake("all", "--config", "study=tiny", check=True)
    assert planned(ended, "all") == {} and all(path.read_bytes() == content for path, content in tables.items())
    assert "all as they were written" in ended.command("verify", "tiny", check=True).stdout


def test_a_method_more_is_all_that_is_trained_and_changed_back_nothing_is(ended, planned):
    record = run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN
    before = record.read_text(), paths.table("tiny", "table2", ".tex").read_text()
    old = run_folder("tiny", f"{CELL}/coun/trial-0")
    ended.study(RUN, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    ended.snakemake("table2", "--config", "study=tiny", check=True)
    new = run_folder("tiny", f"{CELL}/coun/trial-0")
    assert json.loads((new / paths.RUN).read_text())["slice"]["settings"]["lambda"] == 2 and old.is_dir()
    assert record.read_text() == before[0] and paths.table("tiny", "table2", ".tex").read_text() != before[1]
    ended.study(RUN)
    assert planned(ended, "table2").keys() == {"draw_table2"}
    ended.snakemake("table2", "--config", "study=tiny", check=True)
    assert paths.table("tiny", "table2", ".tex").read_text() == before[1]
    # The other CoUn is no study's now.
    listed = ended.command("unused", check=True).stdout
    assert str(new) in listed and str(old) not in listed
    ended.command("unused", "--remove", check=True)
    assert not new.exists() and old.is_dir()


def test_a_finished_run_is_trained_again_only_when_asked(ended):
    name = f"{CELL}/coun/trial-0"
    record = run_folder("tiny", name) / paths.RUN
    before = record.read_text()
    assert "already finished" in ended.command("run", "tiny", name, check=True).stdout
    assert record.read_text() == before
    assert "already finished" not in ended.command("run", "tiny", name, "--again", check=True).stdout
    assert record.read_text() != before  # the times; its samples are the same, so nothing is kept aside
    assert not list(record.parent.parent.glob("*.earlier*"))


def test_a_run_that_fails_stops_what_needs_it_and_nothing_else(project, tmp_path, planned):
    plugin = tmp_path / "failing.py"
    plugin.write_text(
        "from benchmark.methods.ft import FT\nfrom benchmark.registry import METHODS\n"
        "@METHODS.register('failing')\nclass Failing(FT):\n"
        "    def loss(self, outputs, batch, epoch):\n        raise RuntimeError('the method has a fault')\n"
    )
    project.add_workflow()
    tables = {"table2": {"methods": ["failing"]}, "table8": {"cells": [CELL], "methods": ["ft"]}}
    project.study({"trials": 1, "plugins": [str(plugin)], "tables": tables})
    done = project.snakemake("table2", "table8", "--config", "study=tiny")
    assert done.returncode != 0 and "the method has a fault" in done.stdout + done.stderr
    assert paths.table("tiny", "table8", ".tex").exists() and not paths.table("tiny", "table2", ".tex").exists()
    assert (run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN).exists()
    assert not (run_folder("tiny", f"{CELL}/failing/trial-0") / paths.RUN).exists()
    assert "1 failed" in project.command("status", "tiny", check=True).stdout
    # Drawn in part, with a dash for what failed; the workflow does not take that for the table.
    project.command("table", "tiny", "table2", "--partial", check=True)
    assert not paths.table("tiny", "table2", ".tex").exists()
    assert paths.table("tiny", "table2", ".partial.tex").exists()
    # Mended, it is all that is done again.
    plugin.write_text(plugin.read_text().replace("raise RuntimeError('the method has a fault')", "return outputs"))
    jobs = planned(project, "table2", "table8")
    assert [file.split("/")[5] for file in jobs["run"]] == ["failing"] and "draw_table8" not in jobs
