"""Original's metrics in a cell are stored, and read back only where nothing that they rest on has changed."""

import json

import pytest

from benchmark import paths
from benchmark.files import read_record, write_record
from benchmark.metrics.samples import METRICS
from benchmark.names import Cell
from benchmark.results import measured as rows
from tests.pool import pool_path
from tests.project import CELL, ORIGINAL


@pytest.fixture
def study(project):
    return project.study({"trials": 1})


@pytest.fixture
def measurements(monkeypatch):
    calls = []
    measure = rows.measure
    monkeypatch.setattr(rows, "measure", lambda *arguments: calls.append(arguments) or measure(*arguments))
    return calls


def measured(study):
    """Return Original's metrics in the cell; its other runs have not been done."""
    [row] = rows.metrics(study, study.runs(), [Cell.parse(CELL)], partial=True).to_dict("records")
    return {metric: row[metric] for metric in METRICS}


@pytest.fixture
def stored(study):
    return paths.measured(pool_path(study, ORIGINAL), "random-10")


def test_original_is_measured_once_and_again_if_the_file_is_missing_damaged_or_outdated(study, stored, measurements):
    first = measured(study)
    intact = stored.read_text()
    outdated = []
    for part in ("samples", "split", "members", "seed", "code"):
        value = read_record(stored)
        write_record(stored, {**value, "of": value["of"] | {part: "other"}})
        outdated.append(stored.read_text())
        stored.write_text(intact)
    edited = json.loads(intact)
    edited["metrics"]["mia"] += 1
    for times, content in enumerate([None, "", "{}", '{"of": 1}', intact[:50], json.dumps(edited), *outdated], 2):
        stored.unlink() if content is None else stored.write_text(content)
        assert measured(study) == first and measured(study) == first and len(measurements) == times, content


def test_another_choice_of_members_measures_again(study, measurements):
    measured(study)
    vars(study)["members"] = "random"  # after the study has resolved its runs, whose places stay
    measured(study)
    assert len(measurements) == 2 and measurements[1][2] == "random"


def test_other_code_measures_again(project, study, stored):
    first = measured(study)
    code = read_record(stored)["of"]["code"]
    (project.root / "seeds.py").write_text("ROOT = 1")
    project.python(
        f"from pathlib import Path\nfrom benchmark import stamp\nstamp.PACKAGE = Path({str(project.root)!r})\n"
        "from benchmark.results import measured\nfrom benchmark.names import Cell\n"
        "from benchmark.study.study import Study\nstudy = Study.load('tiny')\n"
        f"measured.metrics(study, study.runs(), [Cell.parse({CELL!r})], partial=True)"
    )
    assert read_record(stored)["of"]["code"] != code
    assert measured(study) == first and read_record(stored)["of"]["code"] == code


def test_where_nothing_can_be_written_original_is_measured_each_time(study, measurements):
    (paths.RESULTS / "measured").write_text("in the way")
    first = measured(study)
    assert measured(study) == first and len(measurements) == 2
