"""A small study from nothing to its tables and figures, by Snakemake itself, and back again after losses."""

import json
import random
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.results.gather import collect
from benchmark.study.prepare import prepare, split
from benchmark.study.study import Study
from tests.pool import run_folder, split_file
from tests.project import CELL, CLOCKS, Project, call
from tests.test_plugins import COMMENTED, PLUGIN
from tests.workflow.conftest import RUN, planned

pytestmark = pytest.mark.slow


def gathered():
    """Return the gathered tables, without clocks."""
    clocks = [*CLOCKS, "wall_seconds", "peak_memory_mb", "commit"]
    frames = {kind: pd.read_parquet(paths.gathered("tiny", kind)) for kind in ("metrics", "history", "predictions")}
    return {kind: frame.drop(columns=clocks, errors="ignore") for kind, frame in frames.items()}


def test_the_workflow_takes_a_study_from_nothing_to_its_tables_and_figures(ended):
    study = Study.load("tiny")
    for name in study.tables:
        assert all(paths.table("tiny", name, suffix).stat().st_size > 0 for suffix in paths.TABLE_SUFFIXES)
    for name in study.figures:
        assert all(paths.figure("tiny", name, suffix).stat().st_size > 0 for suffix in paths.FIGURE_SUFFIXES)
    # Nothing is left over, and weights are kept of Original and of what is mapped.
    assert not [path for path in paths.RESULTS.rglob("*") if path.suffix in (".pt", ".lock") and path.is_file()]
    assert {path.parent.parent.name for path in paths.RUNS.rglob(paths.MODEL)} == {"original", "retrain", "ft"}

    # The gathered metrics say what the runs' own files say.
    metrics = pd.read_parquet(paths.gathered("tiny", "metrics")).set_index("method")
    assert set(metrics.index) == {"original", "retrain", "ft", "coun", "salun@lr=1e+30"}
    history = pd.read_parquet(run_folder("tiny", f"{CELL}/coun/trial-0") / paths.HISTORY)
    columns = ["ra", "ua", "ta", "mia"]
    assert metrics.loc["coun", columns].tolist() == history[columns].iloc[-1].tolist()
    assert metrics.loc["salun@lr=1e+30", "status"] == "diverged" and pd.isna(metrics.loc["salun@lr=1e+30", "ra"])
    assert metrics.loc["retrain", "avg_gap"] == 0
    assert "diverged" in paths.table("tiny", "table2", ".tex").read_text()
    assert planned(ended, "all") == {}
    printed = call("status", "tiny", check=True).stdout
    assert "4 done" in printed and "to be made" not in printed
    assert "files are intact" in call("verify", "tiny", check=True).stdout


def test_results_do_not_depend_on_the_order_of_jobs_or_on_how_many_run_at_once(ended, tmp_path, monkeypatch):
    two_at_once = gathered()
    # Elsewhere, by hand, one after the other: Originals first, since others start from them, then the rest in disorder.
    other = Project(tmp_path / "other")
    other.root.mkdir()
    monkeypatch.chdir(other.root)
    study = other.study(RUN, {"figures": {"figure1": None}})  # maps are gathered beside what is compared
    prepare(study, "digits")
    split(study, "digits", "random-10", 0)
    disorder = random.Random(0).sample(study.runs(), len(study.runs()))
    for run in sorted(disorder, key=lambda run: not run.name.is_original):
        other.job(study, str(run.name)).go()
    collect(study)
    in_disorder = gathered()
    for kind, frame in two_at_once.items():
        pd.testing.assert_frame_equal(in_disorder[kind], frame, check_exact=True)


def test_whatever_is_lost_or_damaged_comes_back_as_it_was(ended):
    study = Study.load("tiny")
    images = study.dataset_folder("digits") / "train_images.npy"
    coun, original = (run_folder("tiny", name) for name in (f"{CELL}/coun/trial-0", "digits/convnet/original/trial-0"))
    retrain_map = next((paths.RESULTS / "maps").rglob("retrain/*.parquet"))
    receipt = next((paths.RESULTS / "drawn").rglob("figure4-*.json"))
    table, history = paths.table("tiny", "table2", ".csv"), paths.gathered("tiny", "history")
    drawn = [path for folder in (paths.TABLES, paths.FIGURES) for path in folder.rglob("*.tex")]
    before = {path: path.read_bytes() for path in (*drawn, images, split_file("tiny"), retrain_map)}
    # A damaged file is set aside, so that it is missing as well.
    images.write_bytes(images.read_bytes()[:-1] + b"?")
    assert call("verify", "tiny").returncode == 1 and not images.exists()
    for folder in (coun, original):
        shutil.rmtree(folder)
    for path in (split_file("tiny"), retrain_map, receipt, table, history):
        path.unlink()
    jobs = planned(ended, "all")
    assert jobs["run"] == {str(folder / paths.RUN) for folder in (coun, original)}
    assert jobs["split"] == {str(split_file("tiny"))} and jobs["embed"] == {str(retrain_map)}
    assert jobs.keys() >= {"prepare_digits", "weights", "draw_table2", "draw_figure4", "collect", "page"}
    assert "files to be made by 'all', such as " in call("status", "tiny").stdout
    assert "damaged, " not in (missing := call("verify", "tiny").stdout) and "missing: " in missing
    ended.snakemake("all", check=True)
    assert planned(ended, "all") == {} and all(path.read_bytes() == content for path, content in before.items())
    assert "files are intact" in call("verify", "tiny", check=True).stdout


def test_a_changed_setting_trains_its_run_alone_and_changed_back_none(ended):
    record = run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN
    before = record.read_text(), paths.table("tiny", "table2", ".tex").read_text()
    old = run_folder("tiny", f"{CELL}/coun/trial-0")
    ended.study(RUN, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    printed = ended.snakemake("table2", "--quiet", check=True).stdout
    assert "Study tiny: 1 run trained in " in printed and "All its 5 runs: 4 done, 1 diverged" in printed
    assert "tables   paper_tables/tiny/table2.{tex,csv,md,html}\n" in printed and "  figures " not in printed
    methods = re.findall(r"^  (\S+) .*\d", printed.partition("\n\ntable2\n")[2], re.MULTILINE)
    assert set(methods) >= {"Retrain", "Original", "FT", "CoUn"}, printed
    new = run_folder("tiny", f"{CELL}/coun/trial-0")
    assert json.loads((new / paths.RUN).read_text())["slice"]["settings"]["lambda"] == 2 and old.is_dir()
    assert record.read_text() == before[0] and paths.table("tiny", "table2", ".tex").read_text() != before[1]
    ended.study(RUN)
    assert planned(ended, "table2").keys() == {"draw_table2"}
    ended.snakemake("table2", check=True)
    assert paths.table("tiny", "table2", ".tex").read_text() == before[1]
    # No study shows the other CoUn now.
    listed = call("unused", check=True).stdout
    assert str(new) in listed and str(old) not in listed
    call("unused", "--remove", check=True)
    assert not new.exists() and old.is_dir()


def test_what_another_process_finishes_after_the_plan_is_kept_as_it_is(ended):
    record = run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN
    files = [*record.parent.iterdir(), *(paths.RESULTS / "maps").rglob("ft/*.parquet"), split_file("tiny")]
    before = {path: path.read_bytes() for path in files}
    for path in files:
        path.rename(f"{path}.later")
    meanwhile = f"for path in {list(map(str, files))}:\n        os.rename(path + '.later', path)"
    with Path("Snakefile").open("a", encoding="utf-8") as snakefile:
        snakefile.write(f"\n\nonstart:\n    {meanwhile}\n")
    printed = ended.snakemake(*map(str, files), check=True).stdout
    assert "not present when the DAG was created" in printed and "Cannot restore" not in printed
    assert {path: path.read_bytes() for path in files} == before
    assert "already finished" in paths.log(Study.load("tiny").run(f"{CELL}/ft/trial-0").pool_path).read_text()


LOSS = "return self.settings.share * super().loss(outputs, batch, epoch)"


def test_a_plugin_that_fails_stops_only_what_needs_it_until_it_is_repaired(project, tmp_path):
    plugin = tmp_path / "half.py"
    plugin.write_text(PLUGIN.replace(LOSS, "raise RuntimeError('the method has a fault')"))
    project.add_workflow()
    tables = {"table2": {"methods": ["half"]}, "table8": {"cells": [CELL], "methods": ["ft"]}}
    study = project.study({"trials": 1, "plugins": [str(plugin)], "tables": tables})
    done = project.snakemake("table2", "table8", "--quiet")
    half = paths.log(study.run(f"{CELL}/half/trial-0").pool_path)
    assert done.returncode != 0 and "Cannot restore" not in done.stdout
    line = next(number for number, text in enumerate(plugin.read_text().splitlines(), 1) if "the method has" in text)
    fault = f"RuntimeError: the method has a fault (line {line})"
    assert f"  run: {CELL}/half/trial-0: {fault} (log: {half})\nNot reached: table2\n" in done.stdout
    assert paths.table("tiny", "table8", ".tex").exists() and not paths.table("tiny", "table2", ".tex").exists()
    assert (run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN).exists()
    assert not (run_folder("tiny", f"{CELL}/half/trial-0") / paths.RUN).exists()
    printed = call("status", "tiny")
    assert "1 failed" in printed.stdout and printed.returncode == 1
    assert f"failed: {CELL}/half/trial-0: {fault}" in printed.stdout
    # Drawn in part, with a dash for what failed, which the workflow does not take for the table.
    call("table", "tiny", "table2", "--partial", check=True)
    assert not paths.table("tiny", "table2", ".tex").exists()
    assert paths.table("tiny", "table2", ".partial.tex").exists()
    # Once repaired, it alone is done again; and another comment is no other code.
    plugin.write_text(PLUGIN)
    done = project.snakemake("table2", "table8", check=True)
    assert "draw_table8" not in done.stdout
    (record,) = paths.RUNS.rglob("half/*/run.json")
    content = json.loads(record.read_text())
    assert content["status"] == "finished" and content["slice"]["settings"]["share"] == 0.5
    plugin.write_text(COMMENTED)
    assert planned(project, "table2", "table8") == {}
