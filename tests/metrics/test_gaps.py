from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BadInput
from benchmark.metrics import gaps, reported

REPORTED = Path(__file__).parents[2] / "paper_tables" / "reported"


def runs(*rows: tuple[str, int, float, float, float, float], scenario: str = "random-10") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["method", "trial", *gaps.METRICS])
    return frame.assign(dataset="digits", arch="convnet", scenario=scenario)


HAND_MADE = runs(
    ("retrain", 0, 99.0, 4.0, 97.0, 10.0),
    ("retrain", 1, 100.0, 6.0, 95.0, 12.0),
    ("ft", 0, 99.5, 1.0, 96.5, 7.0),
    ("ft", 1, 99.5, 3.0, 97.5, 9.0),
).assign(pflops=[8.0, 8.0, 2.0, 3.0], seconds=[4.0, 6.0, np.nan, 1.0])


def test_the_gaps_of_a_table_equal_a_hand_computation():
    summary = gaps.summarise(HAND_MADE).set_index("method")
    # Means of Retrain 99.5, 5, 96, 11 and of FT 99.5, 2, 97, 8.
    assert summary.loc["ft", gaps.GAPS].tolist() == [0.0, 3.0, 1.0, 3.0]
    assert summary.loc["ft", "avg_gap"] == 1.75
    assert gaps.summarise(HAND_MADE, reference="ft").set_index("method").loc["retrain", "avg_gap"] == 1.75
    assert summary.loc["retrain", [*gaps.GAPS, "avg_gap"]].tolist() == [0.0] * 5
    assert summary.loc["ft", ["pflops", "seconds"]].tolist() == [2.5, 1.0]
    assert summary["ua_sd"].tolist() == pytest.approx([2**0.5, 2**0.5])
    assert summary["trials"].tolist() == [2, 2] and summary["diverged"].tolist() == [0, 0]


def test_a_gap_is_between_means_and_not_the_mean_of_gaps():
    # FT's trials at 3 and 7 around Retrain's 5: their mean has no gap, each has one of 2.
    table = runs(("retrain", 0, 90, 5, 90, 5), ("ft", 0, 90, 3, 90, 5), ("ft", 1, 90, 7, 90, 5))
    assert gaps.summarise(table)["avg_gap"].tolist() == [0, 0]
    per_run = gaps.per_run_gaps(table)
    assert per_run["ua_gap"].tolist() == [0, 2, 2]
    assert per_run["avg_gap"].tolist() == [0, 0.5, 0.5]


def test_each_cell_is_compared_with_its_own_retrain_whatever_the_order():
    another_cell = runs(("ft", 0, 90, 10, 90, 10), ("retrain", 0, 90, 30, 90, 30), scenario="random-50")
    summary = gaps.summarise(pd.concat([another_cell, HAND_MADE], ignore_index=True))
    assert summary["scenario"].tolist() == ["random-50"] * 2 + ["random-10"] * 2
    assert summary["method"].tolist() == ["ft", "retrain", "retrain", "ft"]
    assert summary["avg_gap"].tolist() == [10, 0, 0, 1.75]
    # Gaps of single runs keep the order and the other columns.
    shuffled = HAND_MADE.iloc[[3, 0, 2, 1]]
    per_run = gaps.per_run_gaps(shuffled)
    pd.testing.assert_frame_equal(per_run[list(shuffled.columns)], shuffled)
    assert per_run["mia_gap"].tolist() == [2, 1, 4, 1]


def test_a_diverged_trial_empties_its_row_and_is_counted():
    table = HAND_MADE.assign(status=["done", "done", "done", "diverged"])
    table.loc[3, gaps.METRICS] = np.nan
    summary = gaps.summarise(table).set_index("method")
    assert summary.loc["ft", "diverged"] == 1
    assert summary.loc["ft", ["ra_mean", "ua_sd", "mia_gap", "avg_gap"]].isna().all()
    assert summary.loc["ft", "pflops"] == 2.5
    assert summary.loc["retrain", "avg_gap"] == 0


def test_one_trial_has_no_standard_deviation_and_original_no_gap():
    summary = gaps.summarise(HAND_MADE[HAND_MADE["trial"] == 0])
    assert summary["ra_sd"].isna().all() and summary["ra_mean"].notna().all()
    original = runs(("original", 0, 100.0, np.nan, 98.0, np.nan), scenario="")
    summary = gaps.summarise(pd.concat([original, HAND_MADE]))
    assert summary.loc[0, "ra_mean"] == 100 and np.isnan(summary.loc[0, "avg_gap"])
    # Categorical columns add no rows for combinations that never ran.
    columns = ["dataset", "arch", "scenario", "method"]
    another_cell = runs(("retrain", 0, 90, 30, 90, 30), scenario="random-50")
    table = pd.concat([HAND_MADE, another_cell], ignore_index=True).astype(dict.fromkeys(columns, "category"))
    assert len(gaps.summarise(table)) == 3


def test_a_bad_table_is_refused_with_the_cell_run_or_column():
    for table, message in [
        (HAND_MADE[HAND_MADE["method"] == "ft"], "cell digits/convnet/random-10 has no run of 'retrain'"),
        (pd.concat([HAND_MADE, HAND_MADE.tail(1)]), "run digits/convnet/random-10/ft/trial-1 is listed twice"),
        (HAND_MADE.assign(mia=[1, 2, 3, np.nan]), "mia of run digits/convnet/random-10/ft/trial-1 is nan"),
        (HAND_MADE.drop(columns="ta"), "column 'ta' is missing"),
    ]:
        with pytest.raises(BadInput, match=message):
            gaps.summarise(table)


def test_the_noise_floor_compares_each_retrain_with_the_mean_of_the_others():
    table = runs(("retrain", 0, 90, 1, 90, 5), ("retrain", 1, 90, 2, 90, 5), ("retrain", 2, 90, 6, 90, 5))
    # UA: |1 - 4|, |2 - 3.5|, |6 - 1.5|, mean 3; the other metrics do not differ, so the average gap is 3/4.
    assert gaps.noise_floor(table)["noise_floor"].tolist() == [0.75]
    # One trial, or one that diverged, has none.
    for unknown in (table.head(1), HAND_MADE.assign(status=["diverged", "done", "done", "done"])):
        assert np.isnan(gaps.noise_floor(unknown)["noise_floor"].item())


def test_improvement_is_relative_to_the_gap_without_cl_as_in_the_paper():
    assert gaps.average_difference(np.array([10.0, 20.0]), np.array([12.0, 16.0])) == 3.0
    assert gaps.improvement([2.0, 2.0, 0.0], [1.0, 3.0, 1.0]) == pytest.approx([50.0, -50.0, np.nan], nan_ok=True)
    keys = ["scenario", "dataset", "arch", "method"]
    printed = reported.reported_means().set_index(keys)["avg_gap"]
    quoted = pd.read_csv(REPORTED / "improvement.csv").replace({"method": reported.NAMES})
    without, with_cl = (
        printed.loc[list(rows[keys].itertuples(index=False, name=None))]
        for rows in (quoted, quoted.assign(method=quoted["method"] + "+cl"))
    )
    assert quoted["percent"].tolist() == [44.8, 42.1, 43.3, 50.0, 87.7, 73.1]
    assert np.abs(gaps.improvement(without, with_cl) - quoted["percent"]).max() < 0.1
