"""Runs that different code made are named where they are shown together."""

import json

import pytest

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import write_json
from benchmark.metrics import samples
from benchmark.report.draw import draw_table
from benchmark.report.page import draw_page
from tests.places import run_folder
from tests.project import CELL
from tests.report.conftest import Drawn, changed, write_runs

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
