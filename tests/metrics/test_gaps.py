from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.metrics import gaps, reported

REPORTED = Path(__file__).parents[2] / "paper_tables" / "reported"
PERCENT = st.floats(0, 100, allow_nan=False)


def runs(*rows: tuple[str, int, float, float, float, float], scenario: str = "random-10") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["method", "trial", *gaps.METRICS])
    return frame.assign(dataset="digits", arch="convnet", scenario=scenario)


HAND_MADE = runs(
    ("retrain", 0, 99.0, 4.0, 97.0, 10.0),
    ("retrain", 1, 100.0, 6.0, 95.0, 12.0),
    ("ft", 0, 99.5, 1.0, 96.5, 7.0),
    ("ft", 1, 99.5, 3.0, 97.5, 9.0),
).assign(pflops=[8.0, 8.0, 2.0, 3.0], seconds=[4.0, 6.0, np.nan, 1.0])


def test_hand_made_table_has_the_gaps_worked_out_on_paper():
    out = gaps.summarise(HAND_MADE).set_index("method")
    # Means of Retrain 99.5, 5, 96, 11 and of FT 99.5, 2, 97, 8.
    assert out.loc["ft", gaps.GAPS].tolist() == [0.0, 3.0, 1.0, 3.0]
    assert out.loc["ft", "avg_gap"] == 1.75
    assert out.loc["retrain", [*gaps.GAPS, "avg_gap"]].tolist() == [0.0] * 5
    assert out.loc["ft", ["pflops", "seconds"]].tolist() == [2.5, 1.0]
    assert out["ua_sd"].tolist() == pytest.approx([2**0.5, 2**0.5])
    assert out["trials"].tolist() == [2, 2] and out["diverged"].tolist() == [0, 0]


def test_gaps_are_taken_between_means_and_not_averaged_over_runs():
    # Trials at 3 and 7 around Retrain's 5: the mean has no gap, each run has one of 2.
    table = runs(("retrain", 0, 90, 5, 90, 5), ("ft", 0, 90, 3, 90, 5), ("ft", 1, 90, 7, 90, 5))
    assert gaps.summarise(table)["avg_gap"].tolist() == [0, 0]
    per_run = gaps.per_run_gaps(table)
    assert per_run["ua_gap"].tolist() == [0, 2, 2]
    assert per_run["avg_gap"].tolist() == [0, 0.5, 0.5]


def test_each_cell_is_compared_with_its_own_retrain_whatever_the_order():
    other = runs(("ft", 0, 90, 10, 90, 10), ("retrain", 0, 90, 30, 90, 30), scenario="random-50")
    out = gaps.summarise(pd.concat([other, HAND_MADE], ignore_index=True))
    assert out["scenario"].tolist() == ["random-50"] * 2 + ["random-10"] * 2
    assert out["method"].tolist() == ["ft", "retrain", "retrain", "ft"]
    assert out["avg_gap"].tolist() == [10, 0, 0, 1.75]
    # Gaps of single runs keep rows and costs.
    shuffled = HAND_MADE.iloc[[3, 0, 2, 1]]
    out = gaps.per_run_gaps(shuffled)
    pd.testing.assert_frame_equal(out[list(shuffled.columns)], shuffled)
    assert out["mia_gap"].tolist() == [2, 1, 4, 1]


def test_a_diverged_trial_empties_its_row_and_is_counted():
    table = HAND_MADE.assign(status=["done", "done", "done", "diverged"])
    table.loc[3, gaps.METRICS] = np.nan
    out = gaps.summarise(table).set_index("method")
    assert out.loc["ft", "diverged"] == 1
    assert out.loc["ft", ["ra_mean", "ua_sd", "mia_gap", "avg_gap"]].isna().all()
    assert out.loc["ft", "pflops"] == 2.5
    assert out.loc["retrain", "avg_gap"] == 0


def test_one_trial_has_no_standard_deviation_and_original_by_itself_no_gap():
    out = gaps.summarise(HAND_MADE[HAND_MADE["trial"] == 0])
    assert out["ra_sd"].isna().all() and out["ra_mean"].notna().all()
    alone = runs(("original", 0, 100.0, np.nan, 98.0, np.nan), scenario="")
    out = gaps.summarise(pd.concat([alone, HAND_MADE]))
    assert out.loc[0, "ra_mean"] == 100 and np.isnan(out.loc[0, "avg_gap"])
    # Categorical columns bring no cells that never ran.
    columns = ["dataset", "arch", "scenario", "method"]
    other = runs(("retrain", 0, 90, 30, 90, 30), scenario="random-50")
    table = pd.concat([HAND_MADE, other], ignore_index=True).astype(dict.fromkeys(columns, "category"))
    assert len(gaps.summarise(table)) == 3


def test_bad_tables_are_refused_by_name():
    for table, message in [
        (HAND_MADE[HAND_MADE["method"] == "ft"], "cell digits/convnet/random-10 has no run of 'retrain'"),
        (pd.concat([HAND_MADE, HAND_MADE.tail(1)]), "run digits/convnet/random-10/ft/trial-1 is listed twice"),
        (HAND_MADE.assign(mia=[1, 2, 3, np.nan]), "mia of run digits/convnet/random-10/ft/trial-1 is nan"),
        (HAND_MADE.drop(columns="ta"), "column 'ta' is missing"),
    ]:
        with pytest.raises(BadInput, match=message):
            gaps.summarise(table)


def test_noise_floor_compares_each_retrain_with_the_others():
    table = runs(("retrain", 0, 90, 1, 90, 5), ("retrain", 1, 90, 2, 90, 5), ("retrain", 2, 90, 6, 90, 5))
    # UA: |1 - 4|, |2 - 3.5|, |6 - 1.5|, mean 3; the other metrics do not differ, so the average gap is 3/4.
    assert gaps.noise_floor(table)["noise_floor"].tolist() == [0.75]
    # Of one trial, and of one that diverged, it is unknown.
    for unknown in (table.head(1), HAND_MADE.assign(status=["diverged", "done", "done", "done"])):
        assert np.isnan(gaps.noise_floor(unknown)["noise_floor"].item())


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(PERCENT, PERCENT, PERCENT, PERCENT), min_size=2, max_size=5), st.data())
def test_average_gap_is_symmetric_and_within_bounds(rows: list[tuple[float, ...]], data: st.DataObject):
    other = data.draw(st.lists(st.tuples(PERCENT, PERCENT, PERCENT, PERCENT), min_size=1, max_size=5))
    table = runs(*[("retrain", i, *r) for i, r in enumerate(rows)], *[("ft", i, *r) for i, r in enumerate(other)])
    there = gaps.summarise(table).set_index("method").loc["ft"]
    back = gaps.summarise(table, reference="ft").set_index("method").loc["retrain"]
    assert there["avg_gap"] == pytest.approx(back["avg_gap"])
    assert there[gaps.GAPS].min() - 1e-9 <= there["avg_gap"] <= there[gaps.GAPS].max() + 1e-9
    # A mean of distances is no smaller than the distance of means.
    single = gaps.per_run_gaps(table)
    assert single.loc[single["method"] == "ft", "avg_gap"].mean() >= there["avg_gap"] - 1e-9


def test_improvement_is_relative_to_the_gap_without_as_the_paper_quotes_it():
    assert gaps.average_difference(np.array([10.0, 20.0]), np.array([12.0, 16.0])) == 3.0
    assert gaps.improvement([2.0, 2.0, 0.0], [1.0, 3.0, 1.0]) == pytest.approx([50.0, -50.0, np.nan], nan_ok=True)
    keys = ["scenario", "dataset", "arch", "method"]
    printed = reported.reported_means(REPORTED).set_index(keys)["avg_gap"]
    quoted = pd.read_csv(REPORTED / "improvement.csv").replace({"method": reported.NAMES})
    without, with_cl = (
        printed.loc[list(rows[keys].itertuples(index=False, name=None))]
        for rows in (quoted, quoted.assign(method=quoted["method"] + "+cl"))
    )
    assert quoted["percent"].tolist() == [44.8, 42.1, 43.3, 50.0, 87.7, 73.1]
    assert np.abs(gaps.improvement(without, with_cl) - quoted["percent"]).max() < 0.1
