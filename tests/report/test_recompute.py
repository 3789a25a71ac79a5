"""A forged number is found by its digest, or by computing everything again from the samples."""

import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from benchmark import paths
from benchmark.files import read_record, sha256, write_parquet, write_record
from benchmark.report import recompute
from tests.pool import run_folder
from tests.project import CELL, call

INTACT = "files are intact"


def test_verify_names_every_forged_number(project):
    study = project.study({"trials": 1, "tables": {"table2": {"methods": ["original", "ft"]}, "table8": None}})
    project.run_all(study)
    for command in (["collect", "tiny"], ["table", "tiny", "table2"], ["page", "tiny"]):
        call(*command, check=True)
    assert INTACT in call("verify", "tiny", "--recompute", check=True).stdout
    table, metrics = paths.table("tiny", "table2", ".csv"), paths.gathered("tiny", "metrics")
    table.write_text(table.read_text().replace("1", "2", 1))
    assert f"{table}: it is not what was drawn; set aside" in call("verify", "tiny").stdout
    table.with_name(f"{table.name}.damaged").rename(table)

    # With forged digests, only recomputing finds the forged numbers.
    folder = run_folder(study, f"{CELL}/ft/trial-0")
    frame, history = pd.read_parquet(metrics), pd.read_parquet(folder / paths.HISTORY)
    frame.loc[frame["method"] == "ft", "ua"] += 0.5
    write_parquet(metrics, frame)
    write_parquet(folder / paths.HISTORY, history.assign(mia=42.0))
    record = read_record(folder / paths.RUN)
    record["sha256"][paths.HISTORY] = sha256(folder / paths.HISTORY)
    write_record(folder / paths.RUN, record)
    for receipt in (paths.RESULTS / "drawn").rglob("*.json"):
        write_record(receipt, {"files": {file: sha256(Path(file)) for file in read_record(receipt)["files"]}})
    assert INTACT in call("verify", "tiny", check=True).stdout
    errors = call("verify", "tiny", "--recompute").stdout
    assert re.search(rf"run {CELL}/ft/trial-0: mia is [\d.]+ by samples, 42.0000 by history", errors)
    assert re.search(rf"{metrics}: ua of {CELL}/ft/trial-0 is [\d.]+, its run gives ", errors)
    assert f"{table}: its results give another table" in errors
    write_record(folder / paths.RUN, record | {"status": "diverged"})  # which has no metrics to compare
    assert "by history" not in call("verify", "tiny", "--recompute").stdout


def test_runs_of_an_unfinished_study_are_missing_and_do_not_come_out_otherwise(project):
    study = project.study({"trials": 1, "tables": {"table2": {"methods": ["ft"]}, "table8": None}})
    missing = call("verify", "tiny", "--recompute").stdout
    assert " missing, " in missing and "come out otherwise" not in missing
    project.run_all(study)
    folder = run_folder(study, f"{CELL}/ft/trial-0")
    history = pd.read_parquet(folder / paths.HISTORY)
    write_parquet(folder / paths.HISTORY, history.assign(mia=42.0))
    record = read_record(folder / paths.RUN)
    record["sha256"][paths.HISTORY] = sha256(folder / paths.HISTORY)
    write_record(folder / paths.RUN, record)
    (run_folder(study, project.original) / paths.RUN).unlink()
    errors = call("verify", "tiny", "--recompute").stdout
    assert re.search(r"^1 that come out otherwise, \d+ missing, ", errors) and "mia is " in errors


def test_a_gathered_file_with_other_columns_or_rows_says_which(monkeypatch):
    derived = pd.DataFrame({"study": ["s"], "ra": [90.0]})
    results = SimpleNamespace(study=SimpleNamespace(name="s"), history=derived)
    for stored, fault in (
        (derived.rename(columns={"ra": "accuracy"}), "its columns are not those that its runs give: accuracy, ra"),
        (derived[["ra", "study"]], "its columns are not those that its runs give: their order"),
        (pd.concat([derived, derived]), "it has 2 rows, its runs give 1"),
    ):
        monkeypatch.setattr("benchmark.results.frames.gathered_frame", lambda *_, stored=stored: stored)
        assert list(recompute._gathered(results, "history")) == [f"{paths.gathered('s', 'history')}: {fault}"]
