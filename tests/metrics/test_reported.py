from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import BadInput
from benchmark.metrics import reported
from benchmark.metrics.gaps import average_difference, improvement, summarise
from benchmark.names import MethodName

REPORTED = Path(__file__).parents[2] / "paper_tables" / "reported"


def test_methods_have_this_projects_names_and_coun_is_not_ft_plus_cl():
    methods = set(reported.reported_means(REPORTED)["method"])
    assert {"retrain", "ft", "coun", "neggrad-plus+cl", "l1-sparse+cl", "not+cl", "bad-teacher", "ssd"} <= methods
    assert "ft+cl" not in methods and "coun+cl" not in methods
    assert {str(MethodName.parse(method)) for method in methods} == methods


def test_printed_row_is_read_as_printed():
    row = reported.reported_means(REPORTED).set_index(["table", "dataset", "arch", "method"])
    row = row.loc[(3, "cifar100", "vit", "coun")]
    assert row[["ra", "ua", "ta", "mia", "avg_gap", "pflops"]].tolist() == [99.71, 45.95, 49.45, 59.24, 3.91, 10.74]


def test_printed_summary_has_the_columns_of_ours():
    ours = summarise(reported.reported_means(REPORTED))
    theirs = reported.reported_summary(REPORTED)
    assert ["table", *ours.columns] == list(theirs.columns)
    assert theirs["ra_mean"].tolist() == ours["ra_mean"].tolist()
    assert theirs.loc[1, ["mia_sd", "mia_gap", "trials"]].tolist() == [0.28, 1.51, 10]


def test_predictions_and_distances_are_complete():
    predictions = reported.reported_predictions(REPORTED)
    distances = reported.reported_distances(REPORTED)
    assert len(predictions) == 96 and predictions.groupby(["table", "scenario", "method"]).size().eq(4).all()
    assert len(distances) == 12 and set(distances["method"]) == {"original", "retrain", "ft", "coun"}


def test_printed_shares_put_coun_closest_to_retrain_in_table_5():
    printed = reported.reported_predictions(REPORTED).query("scenario == 'class-truck'")
    shares = printed.pivot(index="method", columns="predicted_class", values="percent")
    reference = shares.loc["retrain"].to_numpy()
    away = {name: average_difference(row.to_numpy(), reference) for name, row in shares.iterrows()}
    # CoUn: |69.6 - 69.32|, |13.96 - 13.47|, |13.13 - 12.6| and 0 for truck: 1.3 / 4.
    assert away.pop("retrain") == 0 and away["coun"] == pytest.approx(0.325) == min(away.values())


def test_printed_average_gaps_give_the_quoted_improvements():
    keys = ["scenario", "dataset", "arch", "method"]
    printed = reported.reported_means(REPORTED).set_index(keys)["avg_gap"]
    quoted = reported.reported_improvement(REPORTED)
    without, with_cl = (
        printed.loc[list(rows[keys].itertuples(index=False, name=None))]
        for rows in (quoted, quoted.assign(method=quoted["method"] + "+cl"))
    )
    assert quoted["percent"].tolist() == [44.8, 42.1, 43.3, 50.0, 87.7, 73.1]
    assert np.abs(improvement(without, with_cl) - quoted["percent"]).max() < 0.1


def test_missing_file_and_unknown_method_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="no such file"):
        reported.reported_distances(tmp_path)
    (tmp_path / "distances.csv").write_text("method,distance\nNegGard+,1\n")
    with pytest.raises(BadInput, match=r"unknown method 'NegGard\+'; did you mean 'NegGrad\+'"):
        reported.reported_distances(tmp_path)
