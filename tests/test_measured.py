"""What is measured of an Original in a cell is kept, and read only where nothing that it rests on has changed."""

import json

import pytest

from benchmark import paths
from benchmark.files import read_record, write_record
from benchmark.metrics.gaps import METRICS
from benchmark.names import Cell
from benchmark.results import measured as rows
from tests.places import place
from tests.project import CELL, ORIGINAL


@pytest.fixture
def study(project):
    return project.study({"trials": 1})


@pytest.fixture
def counted(monkeypatch):
    calls = []
    measure = rows.measure
    monkeypatch.setattr(rows, "measure", lambda *given: calls.append(given) or measure(*given))
    return calls


def measured(study):
    """Return Original's metrics in the cell; its other runs have not been done."""
    [row] = rows.metrics(study, study.runs(), [Cell.parse(CELL)], partial=True).to_dict("records")
    return {metric: row[metric] for metric in METRICS}


@pytest.fixture
def kept(study):
    return paths.measured(place(study, ORIGINAL), "random-10")


def test_it_is_measured_once_and_again_where_the_file_is_gone_damaged_or_of_something_else(study, kept, counted):
    first = measured(study)
    whole = kept.read_text()
    others = []
    for part in ("samples", "split", "members", "seed", "code"):
        value = read_record(kept)
        write_record(kept, {**value, "of": value["of"] | {part: "other"}})
        others.append(kept.read_text())
        kept.write_text(whole)
    edited = json.loads(whole)
    edited["metrics"]["mia"] += 1
    for times, content in enumerate([None, "", "{}", '{"of": 1}', whole[:50], json.dumps(edited), *others], 2):
        kept.unlink() if content is None else kept.write_text(content)
        assert measured(study) == first and measured(study) == first and len(counted) == times, content


def test_another_choice_of_members_measures_again(study, counted):
    measured(study)
    vars(study)["members"] = "random"  # of the study that knows its runs, whose places stay
    measured(study)
    assert len(counted) == 2 and counted[1][2] == "random"


def test_other_code_measures_again(project, study, kept):
    first = measured(study)
    code = read_record(kept)["of"]["code"]
    (project.root / "seeds.py").write_text("ROOT = 1")
    project.python(
        f"from pathlib import Path\nfrom benchmark import stamp\nstamp.PACKAGE = Path({str(project.root)!r})\n"
        "from benchmark.results import measured\nfrom benchmark.names import Cell\n"
        "from benchmark.study.study import Study\nstudy = Study.load('tiny')\n"
        f"measured.metrics(study, study.runs(), [Cell.parse({CELL!r})], partial=True)"
    )
    assert read_record(kept)["of"]["code"] != code
    assert measured(study) == first and read_record(kept)["of"]["code"] == code


def test_where_nothing_can_be_written_it_is_measured_each_time(study, counted):
    (paths.RESULTS / "measured").write_text("in the way")
    first = measured(study)
    assert measured(study) == first and len(counted) == 2
