from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.report.draw import build
from benchmark.report.tabular import number
from benchmark.study.outputs import VIEWS
from benchmark.study.study import Study
from tests.report.conftest import Drawn, source, views, write_derived, write_facts

STUDY = """
trials: 2
datasets:
  digits: {source: digits}
tables:
  theory: &shown
    kind: theory
    caption: Measured
    cells: [digits/convnet/random-50, digits/convnet/class-8]
    methods: [retrain, ft, coun]
figures:
  curves:
    <<: *shown
"""
CELL, ALONE = "digits/convnet/random-50", "digits/convnet/class-8"
FAR = {"retrain": 0.5, "ft": 0.3, "coun": 0.0}


def write_views(study: Study, name: str, frame: pd.DataFrame) -> None:
    write_derived(study, VIEWS, name, study.run(name).name.scenario, frame)


@pytest.fixture
def study(tmp_path, monkeypatch, runs) -> Study:
    """A study whose runs and views are there: of Retrain, FT and CoUn, two trials in two cells."""
    monkeypatch.chdir(tmp_path)
    paths.CONFIG.mkdir()
    paths.study_file("tiny").write_text(STUDY, encoding="utf-8")
    study = Study.load("tiny")
    write_facts(study)
    runs(study, "curves")
    for cell in (CELL, ALONE):
        for method, far in FAR.items():
            for trial in range(2):
                write_views(study, f"{cell}/{method}/trial-{trial}", views(far, cell == ALONE))
    return study


def theory(study: Study, partial: bool = False) -> Drawn:
    return Drawn(study, "theory", partial)


def test_numbers_are_those_of_the_views(study) -> None:
    rows = theory(study).rows[2:8]
    assert [row[0] for row in rows] == ["Retrain", "", "FT", "", "CoUn", ""]
    # R, Lemma 1 once a method, then Theorem 1: 1 - 0 - 0 - 0.25, and a bound of zero.
    assert rows[0][1:] == [
        *("$D_r$", "0.0", "0.0", "0.0", "0.500", "2/2", "2/2"),
        *("0.25", "0.00", "0.75", "0.75", "0.0", "0.0", "0.0"),
    ]
    # All views 0.5 apart: rho = 2 * 0.5 at eps = 0.5. A quarter of the forget samples is taken for another class.
    unmet = number(1 - 1 - np.sqrt(2) - 0.25)
    assert rows[1][1:] == [
        *("$D_u$", "100.0", "100.0", "0.0", "", "", "", "0.25", "0.00"),
        *(unmet, unmet, "vacuous", "25.0", "0.0"),
    ]
    assert rows[4][6:8] == ["2/2", "0/2"]  # CoUn's curves are equal: <= holds, < does not


def test_a_violated_lemma_and_a_bound_of_some_trials_are_counted(study) -> None:
    write_views(study, f"{CELL}/ft/trial-1", views(0.0, False, retain=0.9))
    retain = theory(study).row("FT")
    assert retain[5:7] == ["1/2", "1/2"] and retain[11] == "vacuous 1/2"


def test_a_class_by_itself_has_dashes(study) -> None:
    table = theory(study)
    forget = table.rows[8 + 2 + 1]  # of Retrain in the second cell, whose table has a head of two lines
    assert forget[8:13] == ["—"] * 5 and forget[13:] == ["25.0", "—"]
    assert "A forgotten class by itself" in table.caption


def test_the_csv_has_a_row_a_trial_and_group(study) -> None:
    data = theory(study).data
    assert len(data) == 2 * 3 * 2 * 2
    row = data.query("scenario == 'random-50' and method == 'ft' and trial == 1 and group == 'forget'").iloc[0]
    assert row[["samples", "r_0.2", "r_0.4", "area", "above"]].tolist() == [100, 1, 0, pytest.approx(0.3), 1]
    assert row["vacuous"] and np.isnan(row["bound"]) and row["margin"] == row["best_margin"]


def test_diverged_is_said_and_not_drawn(study) -> None:
    write_views(study, f"{CELL}/ft/trial-0", views(0.3, False).assign(max_distance=np.nan))
    rows = theory(study).rows
    assert rows[4][:3] == ["FT", "$D_r$", "diverged"] and rows[5][:3] == ["", "$D_u$", "diverged"]
    assert len(build(source(study, "curves")).axes[0].lines) == 6  # one trial of FT is left


def test_missing_views_become_dashes(study) -> None:
    shutil.rmtree(paths.RESULTS / f"views/{CELL}/ft")
    table = theory(study, partial=True)
    assert set(table.row("FT")[1:]) == {"—"} and "trials missing: FT." in table.caption


def test_curves_and_their_difference(study) -> None:
    figure = build(source(study, "curves"))
    upper, lower = figure.axes[0], figure.axes[2]
    assert [upper.get_title("left"), figure.axes[1].get_title("left")] == ["random 50 %", "class-wise ‘8’"]
    eps, retrain = upper.lines[1].get_data()
    np.testing.assert_allclose(retrain, np.where(eps < 0.5, 100, 0))
    assert upper.lines[1].get_linestyle() == "--" and not upper.lines[0].get_ydata().any()
    np.testing.assert_allclose(lower.lines[0].get_ydata(), retrain)
    assert figure.get_size_inches()[0] == 5.5
    assert figure.axes[2].get_ylabel() == "forget − retain\n(points)"
    assert figure.legends[0].get_texts()[-1].get_text() == "chance (5 %)"


def test_the_caption_says_how_much_was_sampled(study) -> None:
    assert theory(study).caption.startswith(
        "Measured. Means over 2 trials, of at most 5000 training samples and all pairs among 16 views"
    )
    paths.study_file("tiny").write_text(STUDY.replace("trials: 2", "trials: 1"), encoding="utf-8")
    assert "Measured. Numbers of one trial, of at most 5000 training" in theory(Study.load("tiny")).caption
