"""The audits of the committed runs of cifar10-small, and the samples that they read."""

import contextlib
import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import written_origin
from benchmark.metrics.samplewise.battery import summary
from benchmark.names import CELL_KEYS, Cell
from benchmark.results import frames, records, sample_outputs
from benchmark.results.sample_outputs import OutputsReader, margin
from benchmark.study.prepare import split
from benchmark.study.study import Study
from tests.pool import split_file
from tests.project import ROOT

# The efficacy attack's AUCs as the request for audits gave them: of margins, and of standardised margins.
KNOWN = {
    ("random-10", "original"): (0.70, 0.69),
    ("random-10", "coun"): (0.77, 0.56),
    ("random-50", "original"): (0.79, 0.74),
    ("random-50", "salun"): (0.96, 0.57),
    ("random-50", "coun"): (0.65, 0.54),
}


def reader(scenarios: list[str], methods: list[str], name: str = "cifar10-small") -> OutputsReader:
    """Return a reader of some committed runs, with their gathered metrics."""
    study = Study.load(name)
    cells = [cell for cell in study.cells if cell.scenario in scenarios]
    metrics = frames.gathered(study).metrics
    return OutputsReader(study, study.runs(), cells, metrics[metrics["method"].isin(["retrain", *methods])])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    with contextlib.chdir(ROOT):
        trials = reader(["random-10", "random-50", "class-truck"], ["original", "salun", "coun"]).audits()
    return summary(trials, CELL_KEYS)


def test_the_attack_gives_the_known_aucs(table: pd.DataFrame):
    values = table.set_index(["scenario", "method", "audit"])["value"]
    for entry, expected in KNOWN.items():
        aucs = [values[(*entry, f"efficacy-auc{form}")] for form in ("", "-standardised")]
        assert aucs == pytest.approx(expected, abs=0.011), entry
    assert values["random-50", "original", "efficacy-auc"] > 0.75
    assert values["random-10", "coun", "average-gap"] == pytest.approx(2.94, abs=0.005)
    assert values["random-50", "coun", "average-gap"] == pytest.approx(2.40, abs=0.005)


def test_the_nulls_of_real_retrains_are_a_half(table: pd.DataFrame):
    rows = table[(table["scenario"] == "random-50") & (table["method"] == "coun")].set_index("audit")
    for audit in ("efficacy-auc", "efficacy-auc-standardised", "unseen-auc", "unseen-auc-calibrated", "rmia-auc"):
        assert rows.loc[audit, "null"] == pytest.approx(0.5, abs=0.01), audit
    assert rows.loc["klom", "enough"] > 300 and np.isnan(rows.loc["klom", "value"])


def test_a_forgotten_class_is_compared_with_its_own_test_samples(table: pd.DataFrame):
    rows = table[table["scenario"] == "class-truck"].set_index(["method", "audit"])
    assert 0.55 < rows.loc[("original", "unseen-auc"), "value"] < 0.65  # other classes would give a half
    assert rows.loc[("original", "unseen-auc"), "null"] == pytest.approx(0.5, abs=0.02)
    assert (rows["trials"] == 3).all() and rows.loc[("original", "efficacy-auc"), "value"] > 0.99
    # The same attack is made on test samples of other classes, which nobody asked to forget.
    assert rows.loc[("original", "efficacy-auc-beyond"), "value"] > 0.3
    assert abs(rows.loc[("original", "efficacy-auc-test"), "value"] - 0.5) < 0.2


def test_of_a_forgotten_class_only_its_own_accuracy_is_kept(table: pd.DataFrame):
    kept = table[(table["scenario"] == "class-truck") & (table["audit"] == "kept")].set_index("method")
    assert kept.loc["original", "value"] > 99 and kept.loc[["salun", "coun"], "value"].tolist() == [0, 0]


def test_what_a_file_chooses_is_compared_with_test_images_that_are_as_hard(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    rows = reader(["memorised-10", "typical-10"], ["original", "coun"], "cifar10-memorised").audits()
    means = rows.groupby(["scenario", "method", "audit"])[["value", "null"]].mean()
    for scenario in ("memorised-10", "typical-10"):  # all test images would give 0.11 and 0.73
        assert means.loc[(scenario, "coun", "unseen-auc"), "null"] == pytest.approx(0.5, abs=0.03)
    # CoUn's margins are smaller than Retrain's: with all test images, its readings are 0.81 and 0.35.
    calibrated = means.xs(("coun", "unseen-auc-calibrated"), level=("method", "audit"))
    assert (calibrated["value"] - calibrated["null"]).between(0, 0.05).all()
    assert means.loc[("memorised-10", "original", "kept"), "value"] > 60


def test_a_trial_whose_retrain_cannot_be_read_is_left_out_of_partial_results(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    read = sample_outputs._run_outputs

    def damaged(study, run, *arguments):
        if (run.name.method, run.name.trial) == ("retrain", 1):
            raise StaleOutput("damaged")
        return read(study, run, *arguments)

    monkeypatch.setattr(sample_outputs, "_run_outputs", damaged)
    partial = dataclasses.replace(reader(["memorised-10"], ["coun"], "cifar10-memorised"), partial=True)
    assert sorted(partial.audits()["trial"].unique()) == [0, 2, 3, 4]


def test_on_images_that_neither_was_trained_on_the_attack_finds_unlike_models_and_nothing_else(table: pd.DataFrame):
    values = table[table["scenario"] == "random-50"].set_index(["method", "audit"])["value"]
    assert values["salun", "efficacy-auc-test"] > 0.9 and abs(values["salun", "efficacy-auc-beyond"]) < 0.01
    assert values["original", "efficacy-auc-beyond"] > 0.15


def test_models_are_standardised_by_test_samples_of_other_classes_than_the_forgotten(monkeypatch: pytest.MonkeyPatch):
    names = {"index": [0, 1, 0, 1, 2], "split": ["train"] * 2 + ["test"] * 3}
    samples = pd.DataFrame(names | {"label": 0, "prediction": 0, "margin": [1.0, 2.0, 3.0, 4.0, 5.0]})
    monkeypatch.setattr(records, "frame", lambda *_: samples)
    forget = pd.DataFrame({"split": ["train", "test"], "index": [0, 1]})
    trials = {7: sample_outputs._run_outputs(None, SimpleNamespace(name="a run"), forget)}
    metrics = pd.DataFrame({"ra": 90.0, "ua": 97.0, "ta": 80.0, "mia": 1.0}, index=[7])
    outputs = sample_outputs._stacked(trials, metrics, {})
    assert outputs.test_margin.tolist() == [[3.0, 5.0]] and outputs.unseen_margin.tolist() == [[4.0]]
    # The accuracy on other classes says nothing about the forgotten one.
    assert outputs.known.tolist() == [3.0]


def test_a_split_that_all_trials_share_has_its_twins_in_each_of_them(project):
    study = project.study()
    outputs = OutputsReader(study, [], study.cells, pd.DataFrame())
    twins = written_origin(split_file(study))["twins"]
    assert [outputs._twins(Cell.parse(project.cell), trial) for trial in range(study.trials)] == [twins] * 2


def test_margins_are_read_from_a_file_that_has_them_and_else_computed_from_losses():
    samples = pd.DataFrame({"loss": np.array([np.log(2), 0.0], np.float32)})
    assert margin(samples) == pytest.approx([0.0, 24 * np.log(2)], abs=1e-4)
    assert margin(samples.assign(margin=np.array([1.5, 40.0], np.float32))).tolist() == [1.5, 40.0]


def test_missing_samples_are_refused_by_name_or_left_out_of_partial_results(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(ROOT)
    committed = reader(["random-50"], ["coun"])
    monkeypatch.setattr("benchmark.paths.RUNS", tmp_path)
    with pytest.raises(StaleOutput, match=r"run\.json is missing"):
        committed.audits()
    assert dataclasses.replace(committed, partial=True).audits().empty


def test_original_remembers_samples_the_better_the_more_they_are_memorised(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    rows = reader(["random-50"], ["original", "coun"]).memorised()
    aucs = rows.groupby(["method", "memorisation"])["auc"].mean()
    assert aucs["original"].is_monotonic_increasing and aucs["original", 1.0] > 0.9
    assert aucs["coun"].max() < 0.6


def test_a_study_with_held_out_images_is_attacked_in_the_strict_form(project):
    cell = "digits/convnet/random-50"
    tables = {"table2": {"kind": "audit", "cells": [cell], "methods": ["ft"]}, "table8": None}
    study = project.study(
        {"hold_out": 40, "resample": ["original", "split"], "trials": 6, "tables": tables},
        {"hyperparameters": {"*": {name: {"batch_size": 16} for name in ("training", "unlearning")}}},
    )
    for trial in range(study.trials):
        split(study, "digits", "random-50", trial)
    project.run_all(study)
    outputs = OutputsReader(study, study.runs(), study.cells, frames.of_study(study).metrics).outputs(study.cells[0])
    for trial in range(study.trials):
        folder = paths.run(study.run(f"{cell}/retrain/trial-{trial}").pool_path)
        samples = pd.read_parquet(folder / paths.SAMPLES)
        held = samples.loc[samples["split"] == "held-out", "index"].sort_values()
        assert np.flatnonzero(outputs.forgetting.held_out[trial]).tolist() == held.tolist() and len(held) == 64
    assert not (outputs.forgetting.held_out & outputs.forgetting.forgotten).any()
    rows = frames.of_study(study).audits.set_index(["method", "audit"])
    assert rows.loc[("ft", "u-lira-auc"), "value"].notna().all()
    assert (rows["twins"] == 0).all()
