from pathlib import Path

import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics import reported
from benchmark.metrics.gaps import average_difference, summarise
from benchmark.names import MethodName


def test_printed_methods_have_this_projects_names_with_coun_for_ft_plus_cl():
    methods = set(reported.reported_means()["method"])
    assert {"retrain", "ft", "coun", "neggrad-plus+cl", "l1-sparse+cl", "not+cl", "bad-teacher", "ssd"} <= methods
    assert "ft+cl" not in methods and "coun+cl" not in methods
    assert {str(MethodName.parse(method)) for method in methods} == methods


def test_rows_are_read_as_printed_and_summarised_as_ours_are():
    means = reported.reported_means()
    row = means.set_index(["table", "dataset", "arch", "method"]).loc[(3, "cifar100", "vit", "coun")]
    assert row[["ra", "ua", "ta", "mia", "avg_gap", "pflops"]].tolist() == [99.71, 45.95, 49.45, 59.24, 3.91, 10.74]
    ours, theirs = summarise(means), reported.reported_summary()
    assert ["table", *ours.columns] == list(theirs.columns)
    assert theirs["ra_mean"].tolist() == ours["ra_mean"].tolist()
    assert theirs.loc[1, ["mia_sd", "mia_gap", "trials"]].tolist() == [0.28, 1.51, 10]


def test_predictions_and_distances_are_complete_and_coun_is_nearest_to_retrain_in_table_5():
    predictions = reported.reported_predictions()
    distances = reported.reported_distances()
    assert len(predictions) == 96 and predictions.groupby(["table", "scenario", "method"]).size().eq(4).all()
    assert len(distances) == 12 and set(distances["method"]) == {"original", "retrain", "ft", "coun"}
    printed = predictions.query("scenario == 'class-truck'")
    shares = printed.pivot(index="method", columns="predicted_class", values="percent")
    retrain = shares.loc["retrain"].to_numpy()
    differences = {name: average_difference(row.to_numpy(), retrain) for name, row in shares.iterrows()}
    # CoUn: |69.6 - 69.32|, |13.96 - 13.47|, |13.13 - 12.6| and 0 for truck: 1.3 / 4.
    assert differences.pop("retrain") == 0
    assert differences["coun"] == pytest.approx(0.325) == min(differences.values())


def test_a_missing_file_and_an_unknown_method_are_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(paths, "REPORTED", tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        reported.reported_distances()
    (tmp_path / "distances.csv").write_text("method,distance\nNegGard+,1\n")
    with pytest.raises(BadInput, match=r"unknown method 'NegGard\+'; did you mean 'NegGrad\+'"):
        reported.reported_distances()
