"""Runs made by different code are named where they are shown together."""

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
from benchmark.report.recompute import contradicted_histories
from benchmark.results.gather import collect
from tests.pool import run_folder
from tests.project import CELL, ROOT
from tests.report.conftest import Drawn, changed, write_runs

TWO_VERSIONS = "Runs were made by 2 versions of the code"


def stamp_code(study, name, code):
    path = run_folder(study, name) / paths.RUN
    record = json.loads(path.read_text())
    write_json(path, {**record, "stamp": {**record["stamp"], "code": code}})


def test_a_table_and_a_page_name_runs_of_different_code_and_can_refuse_them(study):
    write_runs(study, "gaps")
    stamp_code(study, f"{CELL}/ft/trial-0", "0" * 16)
    assert "code" not in Drawn(study, "gaps").caption  # the other runs do not name theirs
    stamp_code(study, f"{CELL}/coun/trial-0", "1" * 16)
    assert TWO_VERSIONS in Drawn(study, "gaps").caption
    assert f"{TWO_VERSIONS}." in draw_page(study, partial=True).read_text()
    strict = changed(one_code=True)
    with pytest.raises(StaleOutput, match=f"one_code: .*2 versions.*{CELL}/ft/trial-0 by 0000.*--again"):
        draw_table(strict, "gaps")
    with pytest.raises(StaleOutput, match="one_code"):
        draw_page(strict, partial=True)


def test_gathered_results_alone_name_the_run_as_a_command_takes_it(study):
    write_runs(study, "gaps")
    original = study.run("digits/convnet/original/trial-0")
    stamp_code(study, original, "0" * 16)
    stamp_code(study, f"{CELL}/coun/trial-0", "1" * 16)
    strict = changed(one_code=True, tables={"gaps": study.tables["gaps"].model_dump()}, figures={})
    collect(strict)
    shutil.rmtree(paths.RUNS)
    with pytest.raises(StaleOutput, match=f"such as .*{original.name} by 0000"):
        draw_table(strict, "gaps")


def test_a_run_made_by_an_edited_copy_of_the_package_is_named_and_refused(project):
    settings = {"trials": 1, "tables": {"table2": {"methods": ["original", "ft"]}, "table8": None}}
    study = project.study(settings)
    project.run_all(study)
    assert TWO_VERSIONS not in Drawn(study, "table2").caption
    edited = shutil.copytree(ROOT / "benchmark", project.root / "benchmark") / "metrics" / "mia.py"
    text, original, replacement = edited.read_text(), "return float(100.0 *", "return float(50.0 *"
    assert text.count(original) == 1
    edited.write_text(text.replace(original, replacement))
    project.command("run", "tiny", f"{CELL}/ft/trial-0", "--again", check=True)
    assert TWO_VERSIONS in Drawn(study, "table2").caption
    with pytest.raises(StaleOutput, match=r"^one_code: runs were made by 2 versions of the code, such as .*--again"):
        draw_table(project.study(settings, {"one_code": True}), "table2")
    (difference,) = contradicted_histories(study)
    assert re.fullmatch(rf"run {CELL}/ft/trial-0: mia is [\d.]+ by samples, [\d.]+ by history", difference)


def test_a_caption_names_what_a_plugin_replaced_in_the_package(project, monkeypatch):
    monkeypatch.setattr(samples, "mia_rate", samples.mia_rate)  # so that it is restored afterwards
    plugin = project.root / "patch.py"
    plugin.write_text("from benchmark.metrics import samples\nsamples.mia_rate = lambda *confidences: 42.0\n")
    project.study({"plugins": ["patch.py"], "trials": 1})
    project.command("run", "tiny", f"{CELL}/ft/trial-0", check=True)
    record = json.loads((run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN).read_text())
    assert record["stamp"]["plugins"].startswith("patch.py ")
    assert f"; benchmark.metrics.samples.mia_rate by {record['stamp']['plugins']}" in record["stamp"]["code"]
    study = project.study({"trials": 1})
    caption = Drawn(study, "table2", partial=True).caption
    assert f"Plugins replaced benchmark.metrics.samples.mia\\_rate by {record['stamp']['plugins']}" in caption
