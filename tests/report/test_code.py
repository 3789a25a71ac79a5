"""Runs that different code made are named where they are shown together."""

import json
import re
import shutil

import pytest

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import write_json
from benchmark.metrics import samples
from benchmark.report.draw import draw_table
from benchmark.report.page import draw_page
from benchmark.results.gather import differing
from tests.places import run_folder
from tests.project import CELL, ROOT
from tests.report.conftest import Drawn, changed, gathered, write_runs

TWO = "Runs were made by 2 versions of the code"


def made_by(study, name, code):
    path = run_folder(study, name) / paths.RUN
    record = json.loads(path.read_text())
    write_json(path, {**record, "stamp": {**record["stamp"], "code": code}})


def test_a_table_and_a_page_say_that_different_code_made_their_runs_and_a_setting_refuses_them(study):
    write_runs(study, "gaps")
    made_by(study, f"{CELL}/ft/trial-0", "0" * 16)
    assert "code" not in Drawn(study, "gaps").caption  # that of the others is not known
    made_by(study, f"{CELL}/coun/trial-0", "1" * 16)
    assert TWO in Drawn(study, "gaps").caption
    assert f"{TWO}." in draw_page(study, partial=True).read_text()
    strict = changed(one_code=True)
    with pytest.raises(StaleOutput, match=f"one_code: .*2 versions.*{CELL}/ft/trial-0 by 0000.*--again"):
        draw_table(strict, "gaps")
    with pytest.raises(StaleOutput, match="one_code"):
        draw_page(strict, partial=True)


def test_a_run_is_named_as_a_command_takes_it_where_only_the_gathered_files_are_left(study):
    write_runs(study, "gaps")
    original = study.run("digits/convnet/original/trial-0")
    made_by(study, original, "0" * 16)
    made_by(study, f"{CELL}/coun/trial-0", "1" * 16)
    strict = changed(one_code=True, tables={"gaps": study.tables["gaps"].model_dump()}, figures={})
    gathered(strict)
    shutil.rmtree(paths.RUNS)
    with pytest.raises(StaleOutput, match=f"such as .*{original.name} by 0000"):
        draw_table(strict, "gaps")


def test_a_run_that_an_edited_module_of_the_package_made_is_named_and_refused(project):
    """The edited copy is a checkout of its own, whose jobs work in the same project."""
    one = {"trials": 1, "tables": {"table2": {"methods": ["original", "ft"]}, "table8": None}}
    study = project.study(one)
    for run in study.runs():
        project.run(study, str(run.name))
    assert TWO not in Drawn(study, "table2").caption
    edited = shutil.copytree(ROOT / "benchmark", project.root / "benchmark") / "metrics" / "mia.py"
    source, same, other = edited.read_text(), "return float(100.0 *", "return float(50.0 *"
    assert source.count(same) == 1
    edited.write_text(source.replace(same, other))
    project.command("run", "tiny", f"{CELL}/ft/trial-0", "--again", check=True)
    assert TWO in Drawn(study, "table2").caption
    with pytest.raises(StaleOutput, match=r"^one_code: runs were made by 2 versions of the code, such as .*--again"):
        draw_table(project.study(one, {"one_code": True}), "table2")
    (differs,) = differing(study, anew=True)
    assert re.fullmatch(rf"run {CELL}/ft/trial-0: mia is [\d.]+ by samples, [\d.]+ by history", differs)


def test_what_a_plugin_replaced_in_the_package_is_named(project, monkeypatch):
    monkeypatch.setattr(samples, "mia_rate", samples.mia_rate)  # so that it is restored afterwards
    plugin = project.root / "patch.py"
    plugin.write_text("from benchmark.metrics import samples\nsamples.mia_rate = lambda *given: 42.0\n")
    project.study({"plugins": ["patch.py"], "trials": 1})
    project.command("run", "tiny", f"{CELL}/ft/trial-0", check=True)
    record = json.loads((run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN).read_text())
    assert record["stamp"]["plugins"].startswith("patch.py ")
    assert f"; benchmark.metrics.samples.mia_rate by {record['stamp']['plugins']}" in record["stamp"]["code"]
    study = project.study({"trials": 1})
    caption = Drawn(study, "table2", partial=True).caption
    assert f"Plugins replaced benchmark.metrics.samples.mia\\_rate by {record['stamp']['plugins']}" in caption
