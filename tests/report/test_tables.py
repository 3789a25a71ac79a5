"""The tables of gaps, predictions and hyperparameters, and the labels and colours of all tables."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark import paths, registry
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_json
from benchmark.metrics.samples import METRICS as METRIC_NAMES
from benchmark.names import DIVERGED
from benchmark.report import facts, style
from benchmark.report.draw import draw_table
from benchmark.report.style import ORDER, method_colour, method_label
from benchmark.report.summary import cost_unit, summaries
from benchmark.study.study import Study
from tests.pool import run_folder
from tests.report.conftest import (
    CLASS,
    RANDOM,
    TRAIN,
    Drawn,
    altered,
    at_gap,
    changed,
    metrics,
    write_forget,
    write_run,
    write_runs,
)

LISTED = ["retrain", "ft", "neggrad-plus", "not", "coun", "coun@tau=0.2"]
RETRAIN = [(99.0, 5.0, 94.0, 10.0), (100.0, 6.0, 95.0, 11.0), (98.0, 4.0, 93.0, 9.0)]


def write_gaps(study, values):
    """Write the runs of table ``gaps``: three trials a method, with the metrics of each trial; Retrain's are above."""
    write_run(study, "digits/convnet/original/trial-0", {"ra": 100.0})
    for method in LISTED:
        for trial in range(3):
            points = ({"retrain": RETRAIN} | values).get(method, [(95.0, 6.0, 90.0, 12.0)] * 3)[trial]
            write_run(study, f"{RANDOM}/{method}/trial-{trial}", metrics(*points))


def test_the_table_of_gaps_equals_a_hand_computation(study) -> None:
    write_gaps(study, {"ft": [(97.0, 2.0, 92.0, 4.0), (98.0, 2.0, 93.0, 5.0), (99.0, 2.0, 94.0, 6.0)]})
    gaps = Drawn(study, "gaps")
    retrain = ["99.00±1.00 (0.00)", "5.00±1.00 (0.00)", "94.00±1.00 (0.00)", "10.00±1.00 (0.00)"]
    assert gaps.row("Retrain")[:5] == [*retrain, "0.00"]
    # FT's gaps: 1, 3, 1, 5, mean 2.5. The others': 4, 1, 4, 2, mean 2.75. Costs: 2e-5 and 3e-5 PFLOPs.
    ft = ["98.00±1.00 (1.00)", "2.00±0.00 (3.00)", "93.00±1.00 (1.00)", "5.00±1.00 (5.00)"]
    assert gaps.row("FT") == [*ft, "**2.50**", "20.0", "30.0"]
    # CoUn's gap is larger by the same 0.25 in every resample: no spread tells them apart.
    assert gaps.row("CoUn")[4] == "**2.75**"
    # In every metric, a trial of Retrain is 0, 1.5 and 1.5 from the mean of the two others.
    assert "Noise floor 1.00: the average gap of one trial of Retrain to the others." in gaps.caption
    assert gaps.row("Method")[5:] == ["GFLOPs: paper", "GFLOPs: executed"]
    assert "Original, the model before unlearning, is a control." in gaps.caption
    assert "±" not in "".join(gaps.row("Original"))  # one trial has no deviation
    data = gaps.by_method()
    assert data.loc["ft", ["ra_mean", "ua_sd", "mia_gap", "avg_gap", "trials"]].tolist() == [98.0, 0.0, 5.0, 2.5, 3]
    assert data.loc["coun", "avg_gap"] == pytest.approx(2.75)
    assert data.loc["ft", ["pflops", "pflops_executed", "epoch"]].tolist() == pytest.approx([2e-5, 3e-5, 2])


def above(*points: float) -> list[tuple[float, ...]]:
    """Return metrics that lie ``points`` above Retrain's, by trial."""
    return [tuple(value + point for value in row) for row, point in zip(RETRAIN, points, strict=True)]


def test_the_best_method_and_all_that_cannot_be_told_from_it_are_bold(study) -> None:
    others = {"neggrad-plus": above(3, 3.1, 3), "coun": above(0.9, 1.8, 1.2), "coun@tau=0.2": above(0.1, 0, 0)}
    # CoUn (τ=0.2) would lead, had it not collapsed.
    others["coun@tau=0.2"] = [(50.0, *row[1:]) for row in others["coun@tau=0.2"]]
    write_gaps(study, {"ft": above(1, 1, 1.1), "not": above(1.5, 1.6, 1.5)} | others)
    write_run(study, "digits/convnet/original/trial-0", metrics(*RETRAIN[0]))  # the nearest, but no method
    gaps = Drawn(study, "gaps")
    assert [row[0] for row in gaps.rows if "**" in "".join(row)] == ["FT", "CoUn"]
    assert gaps.by_method().query("leads").index.tolist() == ["ft", "coun"]
    assert re.search(r"Bold: [^.]* told from it \(95[^.]*; a method that collapsed is never bold\.", gaps.caption)
    write_gaps(study, others | {"coun@tau=0.2": above(3, 3, 3)})
    assert "Bold: " in (caption := Drawn(study, "gaps").caption) and "collapsed" not in caption


def test_a_variant_of_retrain_competes_with_no_method(study) -> None:
    study = changed(tables={"gaps": {"kind": "unlearning", "cells": [RANDOM], "methods": ["retrain@epochs=1", "ft"]}})
    for run in study.runs():
        write_run(study, str(run.name), at_gap({"ft": 3}.get(run.name.method, 0) + 0.1 * run.name.trial))
    assert Drawn(study, "gaps").by_method().query("leads").index.tolist() == ["ft"]


def test_methods_with_and_without_cl_stand_in_pairs(study) -> None:
    listed = ["original", "not+cl", "ft", "coun", "not"]
    paired = altered("gaps", methods=listed)
    for run in paired.runs_of("gaps"):
        write_run(paired, str(run.name))
    gaps = Drawn(paired, "gaps")
    assert gaps.row("Method")[0] == "CL"
    pairs = [("Retrain", ""), ("Original", ""), ("NoT", "✗"), ("NoT", "✓"), ("FT", "✗"), ("CoUn", "✓")]
    assert [(row[0].strip("†"), row[1]) for row in gaps.rows[2:]] == pairs
    assert Drawn(altered("gaps", methods=listed[:-1]), "gaps").row("Method")[0] == "RA"  # NoT + CL alone


def test_a_method_that_diverged_is_marked_and_counted(study) -> None:
    write_gaps(study, {})
    write_run(study, f"{RANDOM}/not/trial-1", status=DIVERGED)
    gaps = Drawn(study, "gaps")
    assert gaps.row("NoT") == ["diverged", *[""] * 6] and "Diverged: NoT in 1 of 3 trials." in gaps.caption


def test_missing_runs_are_refused_or_dashes_and_without_retrain_there_are_no_gaps(study) -> None:
    write_gaps(study, {"ft": [(98.0, 2.0, 93.0, 5.0)] * 3})
    shutil.rmtree(paths.RUNS / f"{RANDOM}/not")
    shutil.rmtree(run_folder("tiny", f"{RANDOM}/ft/trial-2"))
    with pytest.raises(StaleOutput, match="ft/trial-2"):
        draw_table(study, "gaps")
    gaps = Drawn(study, "gaps", partial=True)
    assert gaps.row("NoT") == ["—"] * 7
    assert "Trials are missing for FT, NoT." in gaps.caption
    assert "Each gap is over the trials that a method shares with Retrain" in gaps.caption
    shutil.rmtree(paths.RUNS / f"{RANDOM}/retrain")
    gaps = Drawn(study, "gaps", partial=True)
    assert gaps.row("FT")[:5] == ["98.00±0.00", "2.00±0.00", "93.00±0.00", "5.00±0.00", "—"]
    assert "**" not in str(gaps.rows) and "Noise floor" not in gaps.caption


def test_where_retrain_lacks_a_trial_gaps_are_over_those_that_both_have(study) -> None:
    # FT is a point from Retrain in the two trials that both have; trial 2 is another 30 points away.
    write_gaps(study, {"ft": above(1, 1, 31)})
    shutil.rmtree(run_folder("tiny", f"{RANDOM}/retrain/trial-2"))
    gaps = Drawn(study, "gaps", partial=True)
    assert gaps.by_method().loc["ft", "avg_gap"] == pytest.approx(1.0)
    assert "Trials are missing for Retrain." in gaps.caption


def test_the_caption_says_if_methods_of_a_trial_started_from_different_originals(study) -> None:
    write_gaps(study, {})
    for method, weights in (("ft", "a" * 64), ("coun", "b" * 64)):
        record = run_folder("tiny", f"{RANDOM}/{method}/trial-0") / paths.RUN
        write_json(record, json.loads(record.read_text()) | {"started_from": weights})
        warned = "not all methods started from the same Original" in Drawn(study, "gaps").caption
        assert warned == (method == "coun")


@pytest.mark.parametrize(("resample", "warned"), [([], True), (["original"], False)])
def test_one_original_is_the_same_in_all_trials_and_a_resampled_one_within_a_trial(resample, warned) -> None:
    runs = pd.DataFrame({"dataset": "d", "arch": "a", "trial": [0, 1], "started_from": ["a", "b"]})
    assert bool(facts.made(SimpleNamespace(resample=resample), runs)[1]) == warned


@pytest.mark.parametrize(("resample", "named"), [([], ""), (["original"], "in 1 trial ")])
def test_the_caption_says_if_methods_started_from_another_original_than_is_shown(resample, named) -> None:
    study = SimpleNamespace(resample=resample)
    runs = pd.DataFrame({"dataset": "d", "arch": "a", "trial": [0, 0], "method": ["original", "ft"]})
    runs = runs.assign(weights=["a", ""], started_from=["", "a"])
    assert not facts._apart(study, runs)
    again = runs.assign(weights=["b", ""])
    assert facts._apart(study, again) == f"Methods started {named}from another Original than the one shown"
    assert not facts._apart(study, again.query("method == 'ft'"))  # which one they started from is not seen
    assert not facts._apart(study, runs.assign(weights=""))  # its record has no digest of weights
    assert not facts._apart(study, again.drop(columns="weights"))  # as an earlier version gathered them


def test_the_caption_names_the_methods_whose_runs_have_another_precision_than_most() -> None:
    runs = pd.DataFrame({"method": ["retrain", "retrain", "ft", "ft", "not", "not"], "precision": "bfloat16"})
    assert facts._precision(runs) == "Computed in bfloat16"
    runs.loc[[3, 4, 5], "precision"] = "float32"
    mixed = pd.concat([runs, runs[:2]], ignore_index=True)
    assert facts._precision(mixed) == "Computed in bfloat16, but in float32: FT (1 of 2 runs), NoT"
    assert facts._precision(runs.drop(columns="precision")) == ""


def test_the_best_epoch_is_called_an_oracle(study) -> None:
    write_gaps(study, {})
    best = changed(report_epoch="best", figures={})
    # FT's first epoch is nearer to Retrain's last by the mean over trials, though not in each trial.
    first_epochs = [(99.0, 5.0, 94.0, 10.0), (101.0, 7.0, 96.0, 12.0), (97.0, 3.0, 92.0, 8.0)]
    for trial, first in enumerate(first_epochs):
        epochs = [metrics(*first) | {"epoch": 1}, metrics(90.0, 15.0, 85.0, 20.0) | {"epoch": 2}]
        write_run(study, f"{RANDOM}/ft/trial-{trial}", epochs=epochs)
    gaps = Drawn(best, "gaps")
    assert "an oracle" in gaps.caption
    assert gaps.by_method().loc["ft", ["epoch", "ra_mean", "avg_gap"]].tolist() == [1, 99.0, 0.0]
    assert gaps.by_method().loc["retrain", "epoch"] == gaps.by_method().loc["original", "epoch"] > 1
    # A run may diverge before the epoch that is best for the others.
    write_run(study, f"{RANDOM}/ft/trial-1", status=DIVERGED, epochs=[metrics(np.nan) | {"epoch": 1}])
    assert "diverged" in Drawn(best, "gaps").row("FT")


def test_predictions_are_shares_of_the_forgotten_class(study) -> None:
    eights_as = {"retrain": (1, 1, 3, 8), "ft": (8,), "coun": (1, 1, 1, 8), "original": (8,)}
    for run in study.runs_of("taken"):
        prediction = np.arange(TRAIN) % 10
        prediction[8::10] = np.resize(eights_as[run.name.method], TRAIN // 10)
        write_run(study, str(run.name), prediction=prediction)
    taken, shares = Drawn(study, "taken"), "Shares of the forget samples of class 8. Last epoch"
    assert f"{shares}, mean ± standard deviation over 3 trials;" in taken.caption
    assert f"{shares} of one trial;" in Drawn(altered("taken", trials=1), "taken").caption
    assert taken.row("Retrain") == ["25.00±0.00 (0.00)", "50.00±0.00 (0.00)", "25.00±0.00 (0.00)", "0.00"]
    assert taken.row("FT") == ["100.00±0.00 (75.00)", "0.00±0.00 (50.00)", "0.00±0.00 (25.00)", "50.00"]
    assert taken.row("CoUn") == ["25.00±0.00 (0.00)", "75.00±0.00 (25.00)", "0.00±0.00 (25.00)", "**16.67**"]
    assert [row[0] for row in taken.rows[2:5]] == ["Original", "Retrain", "FT"]
    coun = taken.by_method("scenario", "predicted_class").loc[("coun", "class-8", "1")]
    assert coun[["percent", "percent_sd", "trials"]].tolist() == [75.0, 0.0, 3]
    assert coun["percent_avg_diff"] == pytest.approx(50 / 3)
    write_run(study, "digits/convnet/class-8/ft/trial-1", status=DIVERGED)
    assert Drawn(study, "taken").row("FT") == ["diverged", "", "", ""]


def test_where_retrain_lacks_a_trial_shares_are_compared_in_those_that_both_have(study) -> None:
    for run in study.runs_of("taken"):
        prediction = np.arange(TRAIN) % 10
        if run.name.trial == 2:
            prediction[8::10] = 1
        write_run(study, str(run.name), prediction=prediction)
    shutil.rmtree(run_folder("tiny", f"{CLASS}/retrain/trial-2"))
    taken = Drawn(study, "taken", partial=True)
    ft = taken.by_method("scenario", "predicted_class").loc[("ft", "class-8", "8")]
    assert ft["percent"] == pytest.approx(200 / 3) and ft["percent_avg_diff"] == 0
    assert "Each difference is over the trials that a method shares with Retrain." in taken.caption


def test_an_unknown_class_and_one_that_is_not_forgotten_are_refused(study) -> None:
    write_forget(study, "random-10", range(8, TRAIN, 10))
    write_runs(study, "taken")
    absent = f"no sample of class '7' is forgotten in {RANDOM}"
    for classes, message in ((["8", "ten"], "unknown class of digits 'ten'"), (["7", "8"], absent)):
        with pytest.raises(BadInput, match=message):
            draw_table(altered("taken", cells=[RANDOM], classes=classes), "taken")


def test_the_table_of_hyperparameters_needs_no_results(study) -> None:
    hyper = Drawn(study, "hyper")
    assert "momentum 0.9" in hyper.caption and "momentum" not in str(hyper.rows)
    assert "In brackets: the range searched in the paper; of lr 0.01 to 0.1." in hyper.caption
    assert hyper.row("Method") == ["epochs", "lr", "schedule", "evaluate every", "Further settings"]
    assert hyper.row("FT")[:2] == ["2", "0.05"] and hyper.row("FT")[4] == ""
    assert hyper.row("SalUn")[1] == "0.03"
    assert hyper.row("CoUn")[4] == r"λ 1 \[0.1, 6\], τ 0.1 \[0, 0.3\], CL transform CHN"
    assert hyper.row("NegGrad+ + CL")[4].startswith(r"β 0.99 \[0.95, 0.9999\], λ 1")
    lr = hyper.by_method("setting", "scenario").loc[("salun", "lr", "class-8")]
    assert (float(lr["value"]), lr["paper_low"], lr["paper_high"]) == (0.03, 0.01, 0.1)


def test_every_method_has_a_row_of_hyperparameters_even_if_none_is_its_own(study) -> None:
    both = Drawn(altered("hyper", cells=[RANDOM], methods=["ft", "coun"]), "hyper")
    assert both.row("FT") == [""] and both.row("CoUn")[0].startswith("λ 1")
    assert Drawn(altered("hyper", cells=[RANDOM], methods=["ft"]), "hyper").row("FT") == [""]


def test_settings_that_share_a_name_alone_keep_their_own_ranges(study) -> None:
    hyper = Drawn(altered("hyper", cells=[RANDOM], methods=["l1-sparse", "scrub"]), "hyper")
    assert r"α 0.0005 \[0.0001, 0.1\]" in hyper.row("l1-sparse")[0] and r"α 0.5 \[0.1, 3\]" in hyper.row("SCRUB")[0]
    assert hyper.caption.endswith("In brackets: the range searched in the paper.")


def test_costs_have_the_unit_that_suits_the_smallest() -> None:
    assert cost_unit(np.array([27.37, 0.06])) == ("PFLOPs", 2)  # Table 7, with SSD
    assert cost_unit(np.array([27.37, 0.04])) == ("TFLOPs", 1)
    assert cost_unit(np.array([2e-5])) == ("GFLOPs", 1)
    assert cost_unit(np.array([0.0, np.nan])) == ("PFLOPs", 2)


def test_every_method_has_a_label_and_a_colour_of_its_own() -> None:
    assert method_label("coun@tau=0.2") == "CoUn (τ=0.2)"
    assert method_label("neggrad-plus+cl") == "NegGrad+ + CL"
    assert method_label("ft+cl") == "CoUn"
    assert method_label("my-method@batch_size=64") == "my-method (batch=64)"
    assert method_colour("not+cl@tau=0.2") == registry.METHODS.colours["not"]
    built_in = registry.METHODS.colours
    assert {*ORDER} == built_in.keys() == registry.METHODS.labels.keys() and len({*built_in.values()}) == len(ORDER)
    for name in "abcdef":
        registry.METHODS.add(name, "my_methods:Mine")
    colours = {method_colour(name) for name in "abcdef"}
    assert len(colours) == 6 and colours.isdisjoint(built_in.values())
    registry.METHODS.add("own", "my_methods:Own", label="Mine", colour="#123456")
    registry.ARCHITECTURES.add("net", "my_networks:net", label="My net")
    assert (method_label("own@lr=1"), method_colour("own+cl")) == ("Mine (lr=1)", "#123456")
    assert (style.architecture_label("net"), style.dataset_label("mnist")) == ("My net", "mnist")
    assert [len(set(style.class_colours(classes))) for classes in (2, 10, 100)] == [2, 10, 100]


def test_a_table_uses_the_labels_of_its_study(study) -> None:
    write_gaps(study, {})
    text = paths.study_file("tiny").read_text()
    labels = "labels: {coun: Ours, digits: Handwriting, convnet: A small net}\n"
    paths.study_file("tiny").write_text(text + labels)
    named = Drawn(Study.load("tiny"), "gaps")
    assert named.row("Ours (τ=0.2)") and "Handwriting, A small net" in named.caption
    paths.study_file("tiny").write_text(text)
    assert "Digits, ConvNet" in Drawn(Study.load("tiny"), "gaps").caption


def test_a_method_that_lacks_trials_has_its_gap_to_retrain_in_the_same_trials():
    cell = {"dataset": "digits", "arch": "convnet", "scenario": "random-10", "collapsed": False, "report_epoch": "last"}
    values = {"retrain": (90.0, 92.0, 100.0), "ft": (91.0, 93.0), "original": (99.0,)}
    rows = [
        cell | {"method": method, "trial": trial} | dict.fromkeys(METRIC_NAMES, value)
        for method, of_trials in values.items()
        for trial, value in enumerate(of_trials)
    ]
    gaps = {method: row["avg_gap"] for (_, method), row in summaries(pd.DataFrame(rows)).items()}
    assert gaps == {"retrain": 0.0, "ft": pytest.approx(1.0), "original": pytest.approx(5.0)}
