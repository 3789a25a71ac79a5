import shutil

import numpy as np
import pytest

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.names import DIVERGED
from benchmark.report.draw import draw_table
from benchmark.results import records as results
from tests.pool import run_folder
from tests.report.conftest import CLASS, Drawn, altered, write_distances, write_run


@pytest.fixture
def measured(study):
    """The distances of eights to the centroids of 1, 3 and 9; Retrain's to 1 depends on the trial."""
    for derived in study.derived_of("far"):
        name = derived.run.name
        write_run(study, str(name))
        distances = {
            "original": {1: 2.0, 3: 3.0, 9: 4.0},
            "retrain": {1: 2.0 + 2 * name.trial, 3: 8.0, 9: 8.0},
            "ft": {1: 1.0, 3: 5.0, 9: 2.0},
        }[name.method]
        write_distances(study, str(name), {8: distances, 5: {1: 100.0}})
    return study


def test_distances_are_scaled_by_the_largest_and_by_the_mean(measured) -> None:
    far = Drawn(measured, "far")
    assert far.row("Method") == ["Centroid of class: 1", "Centroid of class: 3", "Avg. diff. ↓"]
    largest, mean = far.rows[2:5], far.rows[7:10]
    assert largest[0] == ["Original", "0.50 (0.00)", "0.75 (0.25)", "0.12"]
    # 2/8, 4/8 and 6/8: their mean and their standard deviation.
    assert largest[1] == ["Retrain", "0.50±0.25 (0.00)", "1.00±0.00 (0.00)", "0.00"]
    assert largest[2] == ["FT", "0.20±0.00 (0.30)", "1.00±0.00 (0.00)", "**0.15**"]
    # 1, 5 and 2 over their mean; Retrain's 2/6, 4/(20/3) and 6/(22/3), and 8 over each.
    assert mean[2][1:3] == ["0.38±0.00 (0.21)", "1.88±0.00 (0.67)"]
    assert "Last epoch, mean ± standard deviation over 3 trials;" in far.caption
    assert "divided by the largest or the mean distance to any other class" in far.caption
    data = far.by_method("centroid_class")
    retrain = data.loc[("retrain", "1")]
    assert retrain["over_mean"] == pytest.approx((2 / 6 + 12 / 20 + 18 / 22) / 3)
    assert retrain[["trials", "distance", "distance_sd", "raw", "raw_sd"]].tolist() == [3, 0.5, 0.25, 4.0, 2.0]
    assert data.loc[("original", "1"), "trials"] == 1 and np.isnan(data.loc[("original", "1"), "raw_sd"])
    assert "Last epoch of one trial;" in Drawn(altered("far", trials=1), "far").caption


def test_missing_and_diverged_runs_have_no_distance(measured) -> None:
    for trial in range(3):
        write_distances(measured, f"{CLASS}/ft/trial-{trial}", {8: {3: 2.0, 9: 4.0}})
    assert Drawn(measured, "far").row("FT") == ["—", "0.50±0.00 (0.50)", "—"]  # class 1 has no centroid
    write_run(measured, f"{CLASS}/ft/trial-1", status=DIVERGED)
    far = Drawn(measured, "far")
    assert far.row("FT") == ["diverged", "", ""]
    assert "Diverged in at least one trial: FT." in far.caption
    shutil.rmtree(paths.RESULTS / f"distances/{CLASS}/retrain")
    far = Drawn(measured, "far", partial=True)
    assert far.row("Retrain") == ["—", "—", "—"]
    assert "Trials are missing for Retrain." in far.caption


def test_distances_of_another_configuration_or_class_are_refused(measured) -> None:
    write_distances(measured, f"{CLASS}/ft/trial-0", {5: {1: 2.0}})
    with pytest.raises(BadInput, match="no sample of class '8' is forgotten in digits/convnet/class-8"):
        draw_table(measured, "far")
    record = run_folder("tiny", f"{CLASS}/ft/trial-1") / results.RUN
    record.write_text(record.read_text().replace(measured.run(f"{CLASS}/ft/trial-1").fingerprint, "0" * 16))
    with pytest.raises(StaleOutput, match="another configuration"):
        draw_table(measured, "far")
