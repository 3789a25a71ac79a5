import contextlib
import shutil
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.report.draw import build
from benchmark.report.tabular import number
from benchmark.study.kinds import VIEWS
from benchmark.study.study import Study
from tests.report.conftest import Drawn, below, changed, make_study, source, views, write_derived, write_runs

CELL = "digits/convnet/random-50"
DISTANCE = {"retrain": 0.5, "ft": 0.3, "coun": 0.0}


def write_views(study: Study, name: str, frame: pd.DataFrame) -> None:
    write_derived(study, VIEWS, name, study.run(name).name.scenario, frame)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Iterator[Study]:
    """Runs and views of Retrain, FT and CoUn, in two trials and two cells."""
    with contextlib.chdir(tmp_path_factory.mktemp("theory")):
        study = make_study("theory")
        write_runs(study, "curves")
        for run in study.runs_of("theory"):
            write_views(study, str(run.name), views(DISTANCE[run.name.method], alone=run.name.scenario == "class-8"))
        yield study


@pytest.fixture(scope="module")
def table(study) -> Drawn:
    return Drawn(study, "theory")


def test_the_table_equals_a_hand_computation_from_the_views(table) -> None:
    rows = table.rows[2:8]
    assert [row[0] for row in rows] == ["Retrain", "", "FT", "", "CoUn", ""]
    # R, Lemma 1 once per method, then Theorem 1: 1 - 0 - 0 - 0.25, and a bound of zero.
    assert rows[0][1:] == [
        *("$D_r$", "0.0", "0.0", "0.0", "0.500", "2/2", "2/2"),
        *("0.25", "0.00", "0.75", "0.75", "0.0", "0.0", "0.0"),
    ]
    # Views 0.5 apart: rho = 2 * 0.5 at eps = 0.5. A quarter of the forget samples is predicted as another class.
    unmet = number(1 - 1 - np.sqrt(2) - 0.25)
    assert rows[1][1:] == [
        *("$D_u$", "100.0", "100.0", "0.0", "", "", "", "0.25", "0.00"),
        *(unmet, unmet, "vacuous", "25.0", "0.0"),
    ]
    assert rows[4][6:8] == ["2/2", "0/2"]  # CoUn's curves are equal: <= holds, < does not


def test_a_single_forgotten_class_has_dashes(table) -> None:
    forget = table.rows[8 + 2 + 1]  # Retrain's in the second cell, below a head of two lines
    assert forget[8:13] == ["—"] * 5 and forget[13:] == ["25.0", "—"]
    assert "A single forgotten class" in table.caption


def test_the_csv_has_a_row_per_trial_and_group(table) -> None:
    data = table.data
    assert len(data) == 2 * 3 * 2 * 2
    row = data.query("scenario == 'random-50' and method == 'ft' and trial == 1 and group == 'forget'").iloc[0]
    assert row[["samples", "r_0.2", "r_0.4", "area", "above"]].tolist() == [100, 1, 0, pytest.approx(0.3), 1]
    assert row["vacuous"] and np.isnan(row["bound"]) and row["margin"] == row["best_margin"]


def test_violated_lemmas_are_counted_and_diverged_or_missing_runs_are_marked(study, copied) -> None:
    write_views(study, f"{CELL}/ft/trial-1", views(0.0, False, retain_distance=0.9))
    retain = Drawn(study, "theory").row("FT")
    assert retain[5:7] == ["1/2", "1/2"] and retain[11] == "vacuous 1/2"
    write_views(study, f"{CELL}/ft/trial-0", views(0.3, False).assign(max_distance=np.nan))
    rows = Drawn(study, "theory").rows
    assert rows[4][:3] == ["FT", "$D_r$", "diverged"] and rows[5][:3] == ["", "$D_u$", "diverged"]
    assert len(build(source(study, "curves")).axes[0].lines) == 6  # one trial of FT is left
    shutil.rmtree(paths.RESULTS / f"views/{CELL}/ft")
    table = Drawn(study, "theory", partial=True)
    assert set(table.row("FT")[1:]) == {"—"} and "Trials are missing for FT." in table.caption


def test_the_figure_shows_curves_and_their_difference(study, copied) -> None:
    figure = build(source(study, "curves"))
    upper, lower = figure.axes[0], figure.axes[2]
    assert [upper.get_title("left"), figure.axes[1].get_title("left")] == ["random 50 %", "class-wise ‘8’"]
    eps, retrain = upper.lines[1].get_data()
    np.testing.assert_allclose(retrain, np.where(eps < 0.5, 100, 0))
    assert upper.lines[1].get_linestyle() == "--" and not upper.lines[0].get_ydata().any()
    np.testing.assert_allclose(lower.lines[0].get_ydata(), retrain)
    assert figure.get_size_inches()[0] == 5.5
    assert figure.axes[2].get_ylabel() == "forget − retain\n(points)"
    assert figure.legends[0].get_texts()[-1].get_text() == "chance (5 % on either side)"
    assert below(figure) == ["Lines and bands: mean and range over 2 trials"]
    one = build(source(changed(trials=1), "curves", partial=True))
    assert below(one) == ["One trial"]


def test_the_caption_says_how_much_is_sampled(table, copied) -> None:
    start = "Measured. Means over 2 trials, of at most 5000 training samples and all pairs among 16 views"
    assert table.caption.startswith(start)
    start = "Measured. Numbers of one trial, of at most 5000 training samples"
    assert Drawn(changed(trials=1), "theory").caption.startswith(start)
