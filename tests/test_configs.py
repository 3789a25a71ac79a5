"""The studies that ship: each loads, and what is derived from elsewhere has not drifted."""

from pathlib import Path

import pytest

from benchmark.metrics.reported import reported_means
from benchmark.names import Cell
from benchmark.study.schema import schema
from benchmark.study.study import Study

ROOT = Path(__file__).parents[1]
STUDIES = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_loads(name):
    assert Study.load(name).runs()


def test_the_schema_is_the_models():
    # To mend it: python -m benchmark schema > config/schema.json
    assert (ROOT / "config" / "schema.json").read_text() == schema()


def test_the_paper_has_every_table_and_figure():
    study = Study.load("paper")
    assert {f"table{n}" for n in range(1, 11)} <= set(study.tables)
    assert {f"figure{n}" for n in (1, *range(3, 13))} <= set(study.figures)
    assert study.trials == 10


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_hyperparameters_lie_within_the_ranges_that_the_paper_searched(name):
    for run in Study.load(name).runs():
        for field, info in type(run.settings).model_fields.items():
            if low_high := (info.json_schema_extra or {}).get("paper_range"):
                low, high = low_high
                assert low <= getattr(run.settings, field) <= high, (str(run.name), field)


def test_implied_epochs_are_those_of_the_printed_costs():
    study = Study.load("paper-implied-epochs")
    printed = reported_means()
    printed = printed[printed["implied_epochs"].notna() & (printed["method"] != "retrain")]
    assert len(printed) > 60
    for row in printed.itertuples():
        run = study.run(study.run_name(Cell(row.dataset, row.arch, row.scenario), row.method, 0))
        assert run.settings.epochs == round(row.implied_epochs), (row.table, str(run.name))


def test_the_smoke_run_has_every_cell_of_the_paper_once():
    paper, smoke = Study.load("paper"), Study.load("paper-smoke")
    once = {run.name for run in paper.runs() if run.name.trial == 0}
    assert {run.name for run in smoke.runs()} == once
    for run in smoke.runs():
        # One epoch; a sequential run needs one a stage, and SSD trains none.
        expected = 5 if run.name.scenario.startswith("sequential") else 0 if run.name.method == "ssd" else 1
        assert run.settings.epochs == expected, str(run.name)


def test_the_quick_study_stays_small():
    assert len(Study.load("quick").runs()) <= 150
