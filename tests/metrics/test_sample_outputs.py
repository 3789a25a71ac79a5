"""The audits of the committed runs of cifar10-small, and what is read for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import StaleOutput
from benchmark.metrics.gaps import CELL
from benchmark.metrics.samplewise.battery import summary
from benchmark.results import frames
from benchmark.results.sample_outputs import audit_table, audits_by_trial, margin
from benchmark.study.study import Study
from tests.project import ROOT

# The AUC of the efficacy attack by the table that the audits were asked for with: margins as they are, standardised.
KNOWN = {
    ("random-10", "original"): (0.70, 0.69),
    ("random-10", "coun"): (0.77, 0.56),
    ("random-50", "original"): (0.79, 0.74),
    ("random-50", "salun"): (0.96, 0.57),
    ("random-50", "coun"): (0.65, 0.54),
}


def results(*scenarios: str) -> frames.Results:
    study = Study.load("cifar10-small")
    return frames.Gathered(study, study.runs(), [cell for cell in study.cells if cell.scenario in scenarios], [])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        trials = audits_by_trial(results("random-10", "random-50", "class-truck"), ["original", "salun", "coun"])
    return summary(trials, CELL)


def test_the_attack_sees_what_is_known(table: pd.DataFrame):
    values = table.set_index(["scenario", "method", "audit"])["value"]
    for place, expected in KNOWN.items():
        found = [values[(*place, f"efficacy-auc{form}")] for form in ("", "-standardised")]
        assert found == pytest.approx(expected, abs=0.011), place
    assert values["random-50", "original", "efficacy-auc"] > 0.75
    assert values["random-10", "coun", "average-gap"] == pytest.approx(2.94, abs=0.005)
    assert values["random-50", "coun", "average-gap"] == pytest.approx(2.40, abs=0.005)


def test_nulls_of_real_retrains_are_those_of_equals(table: pd.DataFrame):
    rows = table[(table["scenario"] == "random-50") & (table["method"] == "coun")].set_index("audit")
    for audit in ("efficacy-auc", "efficacy-auc-standardised", "unseen-auc", "unseen-auc-calibrated", "rmia-auc"):
        assert rows.loc[audit, "null"] == pytest.approx(0.5, abs=0.01), audit
    assert rows.loc["klom", "enough"] > 300 and np.isnan(rows.loc["klom", "value"])


def test_a_forgotten_class_is_compared_with_its_own_test_samples(table: pd.DataFrame):
    rows = table[table["scenario"] == "class-truck"].set_index(["method", "audit"])
    assert 0.55 < rows.loc[("original", "unseen-auc"), "value"] < 0.65  # against other classes it would be a half
    assert rows.loc[("original", "unseen-auc"), "null"] == pytest.approx(0.5, abs=0.02)
    assert (rows["trials"] == 3).all() and rows.loc[("original", "efficacy-auc"), "value"] > 0.99


def test_margins_are_read_where_a_file_has_them_and_else_made_from_losses():
    samples = pd.DataFrame({"loss": np.array([np.log(2), 0.0], np.float32)})
    assert margin(samples) == pytest.approx([0.0, 24 * np.log(2)], abs=1e-4)
    assert margin(samples.assign(margin=np.array([1.5, 40.0], np.float32))).tolist() == [1.5, 40.0]


def test_samples_that_are_not_on_disk_are_missed_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(ROOT)
    given = results("random-50")
    assert not given.metrics.empty
    monkeypatch.setattr("benchmark.paths.RUNS", tmp_path)
    with pytest.raises(StaleOutput, match=r"run\.json is missing"):
        audit_table(given, ["coun"])
