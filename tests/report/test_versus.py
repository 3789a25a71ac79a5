import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.names import DIVERGED
from benchmark.report.tables import versus_table
from benchmark.study.study import Study
from benchmark.workflow.targets import StudyFiles
from tests.report.conftest import GIVEN, RANDOM, Drawn, altered, changed, metrics, write_features, write_run


@pytest.fixture
def study(study) -> Study:
    """The study, beside a paper with its cells: two methods of table ``gaps``, and one that the table does not list."""
    shutil.copytree(GIVEN / "reported", paths.REPORTED)
    return Study.load("tiny")


def write_gaps(study: Study, ft: list[tuple[float, ...]]) -> None:
    """Write the runs of table ``gaps``: three trials of FT as given, all others as the paper prints Retrain."""
    for run in study.runs_of("gaps"):
        values = (99.0, 5.0, 94.0, 10.0) if run.name.method != "ft" else ft[run.name.trial]
        write_run(study, str(run.name), metrics(*values))


def test_a_table_that_shares_a_cell_with_the_paper_has_one_that_compares_them(study) -> None:
    assert list(study.versus_tables) == ["gaps-vs-reported", "two-vs-reported", "taken-vs-reported", "far-vs-reported"]
    assert study.runs_of("gaps-vs-reported") == study.runs_of("gaps")
    files = StudyFiles(study).files_of("gaps-vs-reported")
    assert files[:4] == [paths.table("tiny", "gaps-vs-reported", suffix) for suffix in paths.TABLE_SUFFIXES]
    inputs = StudyFiles(study).shown_by
    assert {*inputs("gaps-vs-reported")} - {*inputs("gaps")} == {paths.REPORTED / "unlearning.csv"}
    assert {*inputs("far-vs-reported")} - {*inputs("far")} == {paths.REPORTED / "distances.csv"}
    assert not any(paths.REPORTED in path.parents for path in StudyFiles(study).pool)


def test_a_table_cannot_have_the_name_of_a_comparison(study) -> None:
    text = paths.study_file("tiny").read_text()
    paths.study_file("again").write_text(text.replace("  two:\n", "  gaps-vs-reported:\n", 1))
    with pytest.raises(BadInput, match="'gaps-vs-reported' is made by itself"):
        Study.load("again")


def test_differences_equal_a_hand_computation(study) -> None:
    # RA: mean 98.5, deviation 0.5. UA: mean 3, deviation 0. TA and MIA: as printed.
    write_gaps(study, [(98.0, 3.0, 93.0, 5.0), (98.5, 3.0, 93.0, 5.0), (99.0, 3.0, 93.0, 5.0)])
    compared = Drawn(study, "gaps-vs-reported")
    ft = [row[0] for row in compared.rows].index("FT")
    assert [row[1:] for row in compared.rows[ft : ft + 3]] == [
        ["ours", "98.50±0.50", "3.00±0.00", "93.00±0.00", "5.00±0.00", "2.12", "0.00"],
        ["paper", "98.00±0.20", "2.00±0.30", "93.00±0.10", "5.00±0.50", "2.50", "0.00"],
        ["difference", "+0.50", "+1.00", "0.00✓", "0.00✓", "−0.38", "0.00"],
    ]
    # Four metrics of Retrain and of FT are judged; SSD is the paper's alone, CoUn ours.
    assert compared.rows[-1] == ["All", "within", "1/2", "1/2", "2/2", "2/2", "τ —", "—"]
    assert "within ±1 (✓: 6 of 8), outside (\\*: 0), or neither (2)." in compared.caption
    data = compared.by_method("column")
    assert set(data.index.get_level_values("method")) == {"retrain", "ft"}
    ra = data.loc[("ft", "ra")]
    assert ra[["ours", "ours_sd", "reported", "reported_sd"]].tolist() == [98.5, 0.5, 98.0, 0.2]
    # Errors 0.5/√3 and 0.2/√10: 2.19 degrees of freedom, Student's quantile 3.96 (by scipy), and rounding.
    assert ra[["difference", "low", "high"]].tolist() == pytest.approx([0.5, -0.676, 1.676], abs=0.005)
    assert (ra["verdict"], data.loc[("ft", "ta"), "verdict"]) == ("undecided", "within")
    assert pd.isna(data.loc[("ft", "pflops"), "verdict"])
    assert data.loc[("ft", "pflops"), "difference"] == pytest.approx(1e-5)


def compare(ours: dict[str, float], ours_sd: float = 0.1, margin: float = 1.0) -> pd.DataFrame:
    """Return our numbers compared with 1 ± 0.2 in the paper."""
    keys = {"dataset": "d", "arch": "a", "scenario": "s", "method": "ft", "column": list(ours)}
    counts = {"trials": 10, "diverged": 0, "collapsed": 0}
    frame = pd.DataFrame({**keys, **counts, "ours": list(ours.values()), "ours_sd": ours_sd})
    return versus_table.compared(frame, pd.DataFrame({**keys, "reported": 1.0, "reported_sd": 0.2}), margin)


def test_a_verdict_takes_the_whole_interval_of_the_difference() -> None:
    # Ten trials each, deviations 0.1 and 0.2: the interval is ± 0.152, and ± 0.005 for rounding.
    verdicts = compare({"a": 1.84, "b": 1.85, "c": 2.15, "d": 2.16, "e": -0.16, "f": np.nan})["verdict"]
    assert verdicts[:-1].tolist() == ["within", "undecided", "undecided", "beyond", "beyond"] and pd.isna(verdicts[5])
    assert compare({"a": 1.84}, margin=0.8)["verdict"].tolist() == ["undecided"]
    assert compare({"a": 1.3}, ours_sd=np.nan)["verdict"].isna().all()


def test_rankings_are_compared_pair_by_pair() -> None:
    methods = ["retrain", "ft", "not", "coun"]
    keys = {"dataset": "d", "arch": "a", "scenario": "random-10", "method": methods, "column": "avg_gap"}
    data = pd.DataFrame({**keys, "ours": [0.0, 2.0, 3.0, 1.0], "reported": [0.0, 3.0, 2.0, 1.0], "difference": 0.0})
    ranks = versus_table.ranking(data)
    # Two pairs are in order, one is flipped; Retrain is no method.
    assert (ranks["order"].mean(), len(ranks)) == (pytest.approx(1 / 3), 3)
    assert ranks.loc[ranks["order"] < 0, ["method", "method_other"]].to_numpy().tolist() == [["ft", "not"]]


def test_the_margin_of_the_study_determines_comparisons_alone(study) -> None:
    wider = changed(margin=2)
    for name in (*study.tables, *study.versus_tables, *study.figures):
        unchanged = study.output_fingerprint(name) == wider.output_fingerprint(name)
        assert unchanged == (name not in study.versus_tables), name
    write_gaps(wider, [(98.0, 3.0, 93.0, 5.0)] * 3)
    assert "is within ±2 (✓: 8 of 8)" in Drawn(wider, "gaps-vs-reported").caption


def test_a_single_trial_has_no_mean_and_a_missing_or_diverged_run_no_number(study) -> None:
    write_gaps(study, [(98.0, 2.0, 93.0, 5.0)] * 3)
    ours = "Ours, mean ± standard deviation over 3 trials at the last epoch;"
    assert ours in Drawn(study, "gaps-vs-reported").caption
    single = Drawn(altered("gaps-vs-reported", trials=1), "gaps-vs-reported")
    assert "Ours, of one trial at the last epoch;" in single.caption
    shutil.rmtree(paths.RUNS / f"{RANDOM}/retrain")
    write_run(study, f"{RANDOM}/ft/trial-1", status=DIVERGED)
    partial = Drawn(study, "gaps-vs-reported", partial=True)
    assert partial.row("Retrain") == ["ours", *["—"] * 6]
    assert partial.row("FT") == ["ours", "diverged", *[""] * 5]
    assert "Welch" not in partial.caption
    assert "Trials are missing for Retrain." in partial.caption


def test_predictions_and_distances_stand_beside_the_paper_unjudged(study) -> None:
    for name in ("taken", "far"):
        for run in study.runs_of(name):
            write_run(study, str(run.name), prediction=np.where(np.arange(200) % 10 == 8, 1, np.arange(200) % 10))
    write_features(study, "far")
    far, taken = (Drawn(study, f"{name}-vs-reported") for name in ("far", "taken"))
    assert far.row("FT") == ["ours", "0.50±0.00", "0.75±0.00", "0.00"]
    assert [row[2:] for row in far.rows if row[1] == "difference"] == [
        ["0.00", "0.00", "0.00"],
        ["+0.10", "−0.05", "−0.07"],
    ]
    assert taken.row("Original") == ["ours", "0.00", "100.00", "0.00"]
    assert "Retrain" not in [row[0] for row in taken.rows] and "✓" not in str(taken.rows)
    assert taken.rows[-1] == ["All", "within", "—", "—", "—"]


def test_a_cell_with_no_method_of_the_paper_says_so(study) -> None:
    path = paths.REPORTED / "distances.csv"
    path.write_text(path.read_text().replace("FT", "NoT").replace("Retrain", "CU"))
    assert ["the paper prints none of these methods", ""] in Drawn(study, "far-vs-reported", partial=True).rows
