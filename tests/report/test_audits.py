"""Tables and figures of audits: a null beside each, what the trials do not carry refused, and what else is said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.data.splits import write_split
from benchmark.errors import BadInput
from benchmark.report.audits import NAMES
from benchmark.report.draw import build
from benchmark.results.records import DIVERGED
from benchmark.study.study import Study
from tests.places import run_folder, split_file
from tests.report.conftest import TRAIN, Drawn, changed, gap, make_study, source, write_run

CELL = "digits/convnet/random-50"
METHODS = ["original", "ft", "neggrad-plus", "coun"]
SHOWN = {"cells": [CELL], "methods": METHODS}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """Five trials of half of the images, whose runs hold random numbers; Original's metrics are 20 points off."""
    monkeypatch.chdir(tmp_path)
    make_study()
    tables = {"audit": {"kind": "audit", **SHOWN}, "metrics": {"kind": "metrics", **SHOWN}}
    figures = {"gaps": {"kind": "audit", **SHOWN}, "forgotten": {"kind": "memorisation", **SHOWN}}
    study = changed(trials=5, resample=["original", "split"], tables=tables, figures=figures)
    for trial in range(5):
        index = np.flatnonzero(np.random.default_rng(trial).random(TRAIN) < 0.5)
        frame = pd.DataFrame({"split": "train", "index": index, "stage": 1})
        origin = study.split("digits", "random-50", trial).origin | {"twins": trial}
        write_split(split_file(study, "random-50", trial), frame, origin)
    for run in study.runs():
        points = {"retrain": 0, "ft": 3, "neggrad-plus": 2, "coun": 1}.get(run.name.method)
        values = None if points is None else gap(points + run.name.trial / 10)
        write_run(study, str(run.name), values)
    return study


def test_a_perfect_unlearner_stands_above_the_methods_and_what_is_refused_in_the_caption(study):
    table = Drawn(study, "audit")
    assert [row[0] for row in table.rows[2:]] == ["Retrain in its place", "Original", "FT", "NegGrad+", "CoUn"]
    assert (table.row("CoUn")[0], table.row("FT")[0]) == ("1.00±0.00", "3.00±0.00")
    assert table.rows[0][1:] == [
        "Avg. Gap ↓",
        *(f"Against Retrain: {name}" for name in ("AUC", "standardised")),
        *(f"Against never seen: {name}" for name in ("AUC", "RMIA")),
        "ToW ↑",
    ]
    assert "Not shown, because 5 trials cannot tell: KLoM (needs " in table.caption
    # One false alarm of 100 samples needs more of them than a trial of 200 images forgets.
    assert "Not shown, because too few samples are forgotten: Against Retrain: TPR at 1 % FPR (%)." in table.caption
    assert "U-LiRA (needs held-out images)" in table.caption
    assert "At most 4 forgotten images of a trial have an exact twin among the retained ones" in table.caption
    data = table.of("audit")
    assert {audit for _, audit in data.index} == set(NAMES) and (data["trials"] == 5).all()
    auc = data.loc[("coun", "unseen-auc-calibrated")]
    assert auc["low"] < auc["value"] < auc["high"] and auc["null"] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(data.loc[("coun", "efficacy-auc"), "null"])
    assert "A dash in the first row: too few trials to attack half of them." in table.caption


PLUGIN = '''
from benchmark.registry import OWN_AUDITS

@OWN_AUDITS.register("forget-loss", label="Forget loss")
def forget_loss(samples):
    """Mean loss of forgotten images."""
    return samples.loc[samples["membership"] == "forget", "loss"].mean()

@OWN_AUDITS.register("broken")
def broken(samples):
    return samples["no-such-column"]

@OWN_AUDITS.register("klom")
def taken(samples):
    return 0
'''


def own(*audits: str) -> Study:
    Path("plugin.py").write_text(PLUGIN)
    return changed(plugins=["plugin.py"], audits=list(audits))


def mean_loss(study: Study, method: str) -> float:
    losses = []
    for trial in range(5):
        samples = pd.read_parquet(run_folder(study, f"{CELL}/{method}/trial-{trial}") / paths.SAMPLES)
        gone = pd.read_parquet(split_file(study, "random-50", trial))["index"]
        losses.append(samples[(samples["split"] == "train") & samples["index"].isin(gone)]["loss"].mean())
    return float(np.mean(losses))


def test_an_own_audit_stands_beside_ours_with_what_it_reads_of_retrain_and_trains_nothing(study):
    before = study
    study = own("forget-loss")
    assert study.output_fingerprint("audit") != before.output_fingerprint("audit")
    assert [run.place for run in study.runs()] == [run.place for run in before.runs()]
    table, expected = Drawn(study, "audit"), [mean_loss(study, method) for method in ("ft", "retrain")]
    row = table.of("audit").loc[("ft", "forget-loss")]
    assert [row["value"], row["null"]] == pytest.approx(expected)
    assert table.rows[0][-1] == "Own audits: Forget loss"
    assert "Forget loss: Mean loss of forgotten images." in table.caption
    for label, value in zip(("FT", "Retrain in its place"), expected, strict=True):
        assert table.row(label)[-1].startswith(f"{value:.3f}±")
    assert "Forget loss" in [row[0] for row in Drawn(study, "metrics").rows]
    assert "Forget loss" in [axes.get_ylabel() for axes in build(source(study, "gaps")).axes]


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ("forget-los", "unknown audit 'forget-los'; did you mean 'forget-loss'?"),
        ("klom", "'klom' is an audit of ours: call yours something else"),
    ],
)
def test_an_own_audit_that_is_not_there_or_has_a_name_of_ours_is_refused(study, audit, message):
    with pytest.raises(BadInput) as refused:
        own(audit)
    assert str(refused.value).startswith(f"config/tiny.yaml: audits: {message}")


def test_an_own_audit_that_fails_says_of_which_run(study):
    with pytest.raises(BadInput, match=r"audit 'broken' of run digits/convnet/.*/trial-0: KeyError: 'no-such-column'"):
        Drawn(own("broken"), "audit")


def test_trials_that_diverged_are_left_out_and_named(study):
    write_run(study, f"{CELL}/ft/trial-1", status=DIVERGED)
    table = Drawn(study, "audit")
    assert table.of("audit").loc[("ft", "tug-of-war"), "trials"] == 4
    assert "Left out, because a method diverged (trials): FT 1." in table.caption


def test_metrics_are_held_to_a_standard(study):
    table = Drawn(study, "metrics")
    data = table.data.set_index("audit")
    # Average gaps of 3, 2 and 1 in every trial.
    assert data.loc["average-gap", ["methods", "apart", "stability", "best_stays"]].tolist() == [3, 100, 1, 100]
    assert data.loc["tug-of-war", "tau_average-gap"] == data.loc["average-gap", "tau_tug-of-war"] == 1
    assert table.row("ToW")[-1] == "1.00" and table.row("Average gap")[-1] == "—"
    assert "KLoM" in table.caption and not any(row[0].startswith("KLoM") for row in table.rows)


def test_a_panel_says_how_far_the_rankings_agree_and_marks_a_perfect_unlearner(study):
    figure = build(source(study, "gaps"))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 2 and all(title.startswith("random 50 %: τ = ") for title in titles)
    assert all([0.5, 0.5] in [list(line.get_ydata()) for line in axes.lines] for axes in figure.axes)


def test_groups_of_too_few_samples_are_left_out(study):
    (axes,) = build(source(study, "forgotten")).axes
    drawn = {container.get_label(): container.lines[0].get_xdata() for container in axes.containers}
    assert set(drawn) == {"Original", "FT", "NegGrad+", "CoUn"}
    assert [len(at) for at in drawn.values()] == [0] * 4  # of 100 forgotten samples few have the same score


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": {"audit": {"kind": "audit", **SHOWN, "trials": 2}}}, "accepted are all 5 of the study"),
        ({"resample": []}, "figures.forgotten: cells: digits/convnet/random-50: accepted are random ones of a study"),
        ({"figures": {"f": {"kind": "memorisation", **SHOWN, "cells": ["digits/convnet/class-8"]}}}, "random ones"),
    ],
)
def test_what_cannot_be_shown_is_refused(study, changes, message):
    with pytest.raises(BadInput, match=message):
        changed(**changes)
