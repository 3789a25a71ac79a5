"""`show` and `cite`: all that is behind a number, however the run is named."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmark import paths
from benchmark.files import read_record, sha256, write_parquet, write_record
from benchmark.methods import METHODS
from benchmark.report.cite import PAPER, SOFTWARE, SOURCES, references
from benchmark.report.draw import draw_table
from benchmark.results.gather import collect
from tests.pool import run_folder
from tests.project import ROOT, Project, call, mistake

SMALL = {"trials": 2, "tables": {"table2": {"caption": "50 % & more", "methods": ["salun"]}, "table8": None}}


@pytest.fixture(scope="module")
def prepared(prepared, tmp_path_factory) -> Path:
    """A finished study of two trials, which every test gets a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project.copied(prepared, tmp_path_factory.mktemp("cited") / "project", patch)
        study = project.study(SMALL)
        project.run_all(study)
        draw_table(study, "table2")
        collect(study)
    return project.root


def test_show_says_if_tables_have_the_numbers_of_another_epoch(project):
    note = "numbers are of the last epoch; tables of the study have those of the best one"
    for settings, told in (({}, False), ({"report_epoch": "best"}, True)):
        project.study(SMALL, settings)
        for words in (["tiny", "table2", "salun"], ["tiny", project.name("salun")]):
            assert (note in call("show", *words, check=True).stdout.splitlines()) == told


def show(*words: str):
    return json.loads(call("show", *words, "--format", "json", check=True).stdout)


def test_show_says_what_a_runs_files_say_by_whatever_name(project):
    name = project.name("salun")
    folder = run_folder("tiny", name)
    record = read_record(folder / paths.RUN)
    (facts,) = show(name)
    for words in ([str(folder)], [record["fingerprint"]], [record["fingerprint"][:8]], ["tiny", name]):
        assert show(*words) == [facts], words
    assert facts["settings"] == record["slice"]["settings"] and facts["determined by"]["seed"] == 1
    assert facts["made"]["commit"] == record["stamp"]["commit"]
    assert facts["machine"]["device"] == record["stamp"]["device"]
    assert facts["files"] == {file: sha256(folder / file) for file in (paths.SAMPLES, paths.HISTORY)}
    assert facts["started from"]["folder"] == str(run_folder("tiny", project.original))
    assert Path(facts["forgets"]["file"]).is_file() and facts["shown by"] == ["tiny: table2"]
    assert facts["again"] == f"python -m benchmark run tiny {name} --again"
    last = pd.read_parquet(folder / paths.HISTORY).iloc[-1]
    assert facts["metrics"] == {metric: last[metric] for metric in ("ra", "ua", "ta", "mia")}
    with (folder / paths.SAMPLES).open("ab") as file:
        file.write(b"more")
    (folder / paths.HISTORY).rename(folder / "history.moved")
    assert "history.parquet" in call("show", str(folder)).stderr
    (folder / "history.moved").rename(folder / paths.HISTORY)
    assert show(name)[0]["files"][paths.SAMPLES].endswith("(damaged)")


def test_a_run_is_made_again_by_the_study_that_trained_it(project):
    project.study(SMALL, name="another")  # it shows the same runs, and comes first by name
    (facts,) = show(project.name("salun"))
    assert facts["shown by"] == ["another: table2", "tiny: table2"]
    assert facts["again"] == f"python -m benchmark run tiny {project.name('salun')} --again"


def test_a_run_is_made_again_under_its_name_in_the_study_that_shows_it(project):
    varied = project.name("salun@threshold=0.5")  # as the study that trained it has it, which this one does not
    own = {"salun": {"threshold": 0.9}}
    methods = {"table2": {"methods": ["salun@threshold=0.5"]}, "table8": None}
    project.study({"trials": 2, "hyperparameters": {"*": own}, "tables": methods}, name="another")
    paths.study_file("tiny").unlink()
    (facts,) = show("another", varied)
    assert facts["run"] == varied and facts["shown by"] == ["another: table2"]
    assert facts["again"] == f"python -m benchmark run another {varied} --again"
    assert call("cite", "another", varied, check=True).stdout.count("salun@threshold=0.5") == 1
    row = call("show", "another", "table2", "salun@threshold=0.5", check=True).stdout
    assert f"mean of {varied.removesuffix('/trial-0')}" in row


def test_show_lists_the_runs_behind_a_row_and_their_mean(project):
    text = call("show", "tiny", "table2", "salun", check=True).stdout
    row = pd.read_csv(paths.table("tiny", "table2", ".csv")).set_index("method").loc["salun"]
    assert f"ua {row['ua_mean']:.2f} [" in text and text.startswith("tiny table2 salun: 2 runs")
    # Common facts stand once, a command for each of the two runs.
    assert text.count("batch_size 32") == 1 and text.count("again  ") == 2


def test_no_run_stands_behind_a_table_of_settings(project):
    table = {"kind": "hyperparameters", "cells": [project.cell], "methods": ["ft", "coun"]}  # neither has been run
    project.study({"tables": {"hyperparameters": table}})
    assert show("tiny", "hyperparameters")["runs"] == 0
    assert "accepted is tiny hyperparameters alone" in call("show", "tiny", "hyperparameters", "ft").stderr


def test_a_method_that_diverged_has_no_mean_as_in_the_table(project):
    path = run_folder("tiny", project.name("salun", trial=1)) / paths.RUN
    write_record(path, read_record(path) | {"status": "diverged"})
    assert "random-10/salun  diverged in 1 of 2 trials" in call("show", "tiny", "table2", "salun", check=True).stdout


def test_without_the_runs_the_gathered_results_say_the_same(project):
    from_runs = show("tiny", "table2", "salun")
    shutil.rmtree(paths.RUNS)
    gathered = paths.gathered("tiny", "metrics")
    write_parquet(gathered, pd.read_parquet(gathered).assign(ua=-1.0))  # as at another epoch than the last: the best
    for facts, before in zip(show("tiny", "table2", "salun"), from_runs, strict=True):
        topics = ("run", "fingerprint", "status", "metrics", "cost", "settings", "determined by", "machine", "versions")
        assert [facts[topic] for topic in topics] == [before[topic] for topic in topics]
    assert show("tiny", "table2")["runs"] == 4
    paths.gathered("tiny", "history").unlink()  # as where only tables' numbers are shared
    assert {facts["metrics"]["ua"] for facts in show("tiny", "table2", "salun")} == {-1.0}


def test_a_table_is_not_drawn_from_a_damaged_original_and_its_receipt_survives(project):
    assert call("table", "tiny", "table2").returncode == 0
    [receipt] = (paths.RESULTS / "drawn" / "tiny").glob("table2-*.json")
    assert call("figure", "tiny", "table2").returncode == 2 and receipt.is_file()
    history = run_folder("tiny", project.original) / paths.HISTORY
    history.write_bytes(history.read_bytes()[:100])
    assert f"{history} is damaged" in mistake("table", "tiny", "table2") and receipt.is_file()
    assert call("table", "tiny", "table2", "--partial").returncode == 0


def test_a_damaged_or_missing_file_is_a_one_line_error(project):
    history = run_folder("tiny", project.name("salun")) / paths.HISTORY
    content = history.read_bytes()
    for damaged in (content[:100], None):
        history.write_bytes(damaged) if damaged else history.unlink()
        for words in (["tiny", project.name("salun")], ["tiny", "table2", "salun"]):
            line = mistake("show", *words)
            assert str(history) in line and ("damaged" if damaged else "missing") in line


def test_show_lists_the_files_of_a_table_and_the_runs_behind_them(project):
    facts = show("tiny", "table2")
    csv = paths.table("tiny", "table2", ".csv")
    assert f"{csv} {sha256(csv)}" in facts["files"] and facts["runs"] == 4
    assert [line.split(":")[0].rpartition("/")[2] for line in facts["shows"]] == ["retrain", "salun"]
    assert sum(facts["machines"].values()) == sum(facts["commits"].values()) == 4


def entries(text: str) -> dict[str, str]:
    """Return BibTeX entries by key; the braces of each are balanced."""
    matches = re.findall(r"^@(\w+)\{([\w-]+),\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    assert len(matches) == text.count("\n@") + text.startswith("@")
    assert all(body.replace(r"\{", "").count("{") == body.replace(r"\}", "").count("}") for *_, body in matches)
    return {key: body for _, key, body in matches}


def test_cite_gives_the_run_or_table_the_software_the_paper_and_the_methods(project):
    record = read_record(run_folder("tiny", project.name("salun")) / paths.RUN)
    cited = entries(call("cite", project.name("salun"), check=True).stdout)
    key = f"run-{record['fingerprint'][:8]}"
    assert list(cited) == [key, SOFTWARE, PAPER, "salun"]
    for text in (record["fingerprint"], record["stamp"]["commit"], record["stamp"]["code"], record["ended"][:10]):
        assert text in cited[key]
    assert "tiny-table2-salun" in entries(call("cite", "tiny", "table2", "salun", check=True).stdout)
    cited = entries(call("cite", "tiny", "table2", check=True).stdout)
    assert sha256(paths.table("tiny", "table2", ".csv")) in cited["tiny-table2"]
    assert r"50 \% \& more" in cited["tiny-table2"]


def test_every_method_of_the_paper_has_a_reference_and_the_software_that_of_the_citation_file():
    entry_of = entries("\n\n".join(references().values()))
    methods = set(METHODS) - {"original", "retrain", "ft", "ft2"}
    assert entry_of.keys() - {SOFTWARE} == {SOURCES.get(method, method) for method in methods}
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    for key, source in ((SOFTWARE, cff), (PAPER, cff["references"][0])):
        assert f"{{{source['title']}}}" in entry_of[key], key
    assert cff["version"] in entry_of[SOFTWARE] and cff["references"][0]["identifiers"][0]["value"] in entry_of[PAPER]


def test_an_unknown_or_ambiguous_name_is_a_one_line_error(project):
    for words, message in [
        ("nope", "'nope': no such run in results/runs: accepted is a run's folder, fingerprint or name"),
        ("12345678", "no such run"),
        (project.name("ft"), "no such run"),
        (f"tiny {project.name('ft')}", "has not been run"),
        ("tiny table3", "unknown table or figure 'table3'"),
        ("tiny table2 ft", "unknown method 'ft'"),
        ("tiny table2 ft 1", "accepted is a run's folder"),
    ]:
        assert message in mistake("show", *words.split())
    folder = run_folder("tiny", project.name("salun"))
    record, other = read_record(folder / paths.RUN), shutil.copytree(folder, folder.with_name("trial-0-00000000"))
    varied = project.name("salun@lr=0.5")  # of the same method and trial, but not called the same
    write_record(other / paths.RUN, record | {"fingerprint": "0" * 16, "run": varied})
    assert call("cite", project.name("salun")).returncode == 0
    write_record(other / paths.RUN, record | {"fingerprint": "0" * 16})
    line = mistake("cite", project.name("salun"))
    assert "several runs, " in line and record["fingerprint"][:8] in line
