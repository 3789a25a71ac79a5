"""Tables and figures of audits: the null of each, what they leave out and why, and a user's own audits."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import write_parquet
from benchmark.names import CELL_KEYS, DIVERGED, Cell
from benchmark.report.audits import NAMES, refused, twins
from benchmark.report.draw import build
from benchmark.report.figures import memorisation_figure
from benchmark.report.figures.common import RUN_COLLAPSED
from benchmark.report.tables import audit_table
from benchmark.study.study import Study
from benchmark.workflow.plugin_trial import check_audits, made_up_samples
from tests.pool import run_folder, split_file
from tests.report.conftest import TRAIN, Drawn, altered, at_gap, below, changed, make_study, plot, source, write_run

CELL = "digits/convnet/random-50"
METHODS = ["original", "ft", "neggrad-plus", "coun"]
SELECTION = {"cells": [CELL], "methods": METHODS}


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    """Five trials that forget half of the images; methods have chosen gaps, Original random metrics."""
    monkeypatch.chdir(tmp_path)
    make_study()
    tables = {"audit": {"kind": "audit", **SELECTION}, "metrics": {"kind": "metrics", **SELECTION}}
    figures = {"gaps": {"kind": "audit", **SELECTION}, "forgotten": {"kind": "memorisation", **SELECTION}}
    study = changed(trials=5, resample=["original", "split"], tables=tables, figures=figures)
    for trial in range(5):
        index = np.flatnonzero(np.random.default_rng(trial).random(TRAIN) < 0.5)
        frame = pd.DataFrame({"split": "train", "index": index, "stage": 1})
        origin = study.split("digits", "random-50", trial).origin | {"twins": trial}
        write_parquet(split_file(study, "random-50", trial), frame, origin)
    for run in study.runs():
        points = {"retrain": 0, "ft": 3, "neggrad-plus": 2, "coun": 1}.get(run.name.method)
        values = None if points is None else at_gap(points + run.name.trial / 10)
        write_run(study, str(run.name), values)
    return study


def test_the_first_row_is_a_perfect_unlearner_and_the_caption_names_what_is_not_shown(study):
    table = Drawn(study, "audit")
    assert [row[0] for row in table.rows[2:]] == ["Retrain in its place", "Original", "FT", "NegGrad+", "CoUn"]
    assert (table.row("CoUn")[0], table.row("FT")[0]) == ("1.00±0.00", "3.00±0.00")
    assert table.rows[0][1:] == [
        "Avg. Gap ↓",
        *(f"Against Retrain: {name}" for name in ("AUC", "on test data", "standardised", "beyond test data")),
        *(f"Against never seen: {name}" for name in ("kept (points)", "calibrated", "RMIA")),
        "ToW ↑",
    ]
    assert "Not shown, because 5 trials cannot tell: KLoM (needs " in table.caption
    # A rate of 1 % takes more than the 100 samples that a trial forgets.
    assert "Not shown, because too few samples are forgotten: Against Retrain: TPR at 1 % FPR (%)." in table.caption
    assert "U-LiRA (needs held-out images)" in table.caption
    assert "At most 4 forgotten images of a trial have an exact twin among the retained ones" in table.caption
    data = table.by_method("audit")
    assert {audit for _, audit in data.index} == set(NAMES) and (data["trials"] == 5).all()
    auc = data.loc[("coun", "unseen-auc-calibrated")]
    assert auc["low"] < auc["value"] < auc["high"] and auc["null"] == pytest.approx(0.5, abs=0.1)
    assert data.loc[["coun"]].filter(like="efficacy", axis=0)["null"].isna().all()
    assert "A dash in the first row: too few trials to attack half of them." in table.caption


def test_the_first_row_is_the_null_beside_the_method_with_the_most_trials(study):
    write_run(study, "digits/convnet/original/trial-1", status=DIVERGED)
    table = Drawn(study, "audit")
    nulls = table.by_method("audit")["null"]
    original, ft = (f"{nulls[method, 'unseen-auc-calibrated']:.3f}" for method in ("original", "ft"))
    assert original != ft == table.row("Retrain in its place")[6].partition("±")[0]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([0.0, 2.0, np.nan], "At most 2 forgotten images of a trial have an exact twin among the retained ones"),
        ([0.0, 0.0], "No forgotten image has an exact twin among the retained ones"),
        ([np.nan], ""),  # splits that are too old to say
    ],
)
def test_the_caption_says_whether_a_forgotten_image_has_a_twin(counts, text):
    assert twins(pd.DataFrame({"twins": counts})) == text


PLUGIN = '''
from benchmark.registry import OWN_AUDITS

@OWN_AUDITS.register("forget-loss", label="Forget loss")
def forget_loss(samples):
    """Mean loss of forgotten images."""
    return samples.loc[samples["membership"] == "forget", "loss"].mean()

@OWN_AUDITS.register("broken")
def broken(samples):
    return samples["no-such-column"]

@OWN_AUDITS.register("unknown")
def unknown(samples):
    return float("nan")

@OWN_AUDITS.register("canaries")
def canaries(samples):
    by_class = samples.groupby("label")["loss"].mean()
    return samples.set_index("index").loc[[3, 4321], "loss"].mean() - by_class[57]

@OWN_AUDITS.register("klom")
def taken(samples):
    return 0
'''


def with_own_audits(*audits: str) -> Study:
    Path("plugin.py").write_text(PLUGIN)
    return changed(plugins=["plugin.py"], audits=list(audits))


def mean_loss(study: Study, method: str) -> float:
    losses = []
    for trial in range(5):
        samples = pd.read_parquet(run_folder(study, f"{CELL}/{method}/trial-{trial}") / paths.SAMPLES)
        forgotten = pd.read_parquet(split_file(study, "random-50", trial))["index"]
        losses.append(samples[(samples["split"] == "train") & samples["index"].isin(forgotten)]["loss"].mean())
    return float(np.mean(losses))


def test_an_own_audit_has_a_column_and_a_null_and_needs_no_further_run(study):
    extended = with_own_audits("forget-loss")
    assert extended.output_fingerprint("audit") != study.output_fingerprint("audit")
    assert [run.pool_path for run in extended.runs()] == [run.pool_path for run in study.runs()]
    table, expected = Drawn(extended, "audit"), [mean_loss(study, method) for method in ("ft", "retrain")]
    row = table.by_method("audit").loc[("ft", "forget-loss")]
    assert [row["value"], row["null"]] == pytest.approx(expected)
    assert table.rows[0][-1] == "Own audits: Forget loss"
    assert "Forget loss: Mean loss of forgotten images." in table.caption
    for label, value in zip(("FT", "Retrain in its place"), expected, strict=True):
        assert table.row(label)[-1].startswith(f"{value:.3f}±")
    assert "Forget loss" in [row[0] for row in Drawn(extended, "metrics").rows]
    assert "Forget loss" in [axes.get_ylabel() for axes in build(source(extended, "gaps")).axes]


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ("forget-los", "unknown audit 'forget-los'; did you mean 'forget-loss'?"),
        ("klom", "'klom' is an audit of ours: call yours something else"),
    ],
)
def test_an_unknown_own_audit_and_one_named_like_a_built_in_are_refused(study, audit, message):
    with pytest.raises(BadInput) as refused:
        with_own_audits(audit)
    assert str(refused.value).startswith(f"config/tiny.yaml: audits: {message}")


def test_a_failing_own_audit_names_the_run(study):
    with pytest.raises(
        BadInput, match=r"audit 'broken' of run digits/convnet/.*/trial-0: KeyError: 'no-such-column' \(line"
    ):
        Drawn(with_own_audits("broken"), "audit")
    with pytest.raises(BadInput, match=r"audit 'unknown' of run .*/trial-0: nan: accepted is a finite number"):
        Drawn(with_own_audits("unknown"), "audit")


def test_an_own_audit_is_tried_on_a_made_up_table_before_anything_is_trained(study):
    check_audits(with_own_audits("forget-loss", "unknown", "canaries"))  # the last asks for samples of a larger dataset
    message = r"config/tiny\.yaml: audits: audit 'broken', tried on a made-up table: KeyError: 'no-such-column' \(line"
    with pytest.raises(BadInput, match=message):
        check_audits(with_own_audits("broken"))
    # It has what a run's samples have, so that what is tried here suits those.
    (file,) = {run_folder(study, f"{CELL}/ft/trial-0") / paths.SAMPLES}
    assert set(made_up_samples()) == {*pd.read_parquet(file), "margin", "membership"}


def test_trials_that_diverged_are_left_out_and_named(study):
    write_run(study, f"{CELL}/ft/trial-1", status=DIVERGED)
    table = Drawn(study, "audit")
    assert table.by_method("audit").loc[("ft", "tug-of-war"), "trials"] == 4
    assert "Left out, because a method diverged (trials): FT 1." in table.caption


def test_a_method_without_any_run_is_named_in_a_partial_table(study):
    shutil.rmtree(paths.RUNS / f"{CELL}/ft")
    assert "Trials are missing for FT." in Drawn(study, "audit", partial=True).caption


def test_an_audit_that_lacks_trials_because_retrain_diverged_is_named_with_what_it_needs(study):
    three = changed(trials=3, figures={})
    write_run(three, f"{CELL}/retrain/trial-1", status=DIVERGED)
    for name in ("audit", "metrics"):
        caption = Drawn(three, name).caption
        assert "Not shown, because 2 trials cannot tell: Against Retrain (needs 3), KLoM" in caption
        assert "too few samples" not in caption


def test_audits_with_too_few_trials_are_named_by_what_they_share_unless_one_of_them_is_shown():
    enough = {"unseen-auc": 2, "rmia-auc": 8, "efficacy-auc": 8, "efficacy-tpr": 8}
    columns = dict(zip(CELL_KEYS, CELL.split("/"), strict=True)) | {"method": "ft"}
    rows = [
        columns | {"audit": audit, "trial": trial, "enough": enough[audit]} for audit in enough for trial in range(3)
    ]
    needs = "Against never seen: AUC by RMIA (needs 8), Against Retrain (needs 8)"
    assert refused(pd.DataFrame(rows), hold_out=0) == f"Not shown, because 3 trials cannot tell: {needs}"
    # In a cell where fewer trials are enough it is shown.
    rows += [row | {"scenario": "random-20", "enough": min(row["enough"], 3)} for row in rows]
    needs = [
        f"Against {of} (needs 8 for random 50 %)"
        for of in ("never seen: AUC by RMIA", "Retrain: AUC", "Retrain: TPR at 1 % FPR (%)")
    ]
    assert refused(pd.DataFrame(rows), hold_out=0) == f"Not shown, because 3 trials cannot tell: {', '.join(needs)}"


@pytest.mark.parametrize(
    ("hold_out", "needed"),
    [(0, "held-out images"), (10, "images held out in some trials and forgotten in others")],
)
def test_an_audit_that_no_number_of_trials_can_carry_says_what_it_needs(hold_out, needed):
    columns = dict(zip(CELL_KEYS, CELL.split("/"), strict=True))
    rows = pd.DataFrame([columns | {"method": "ft", "audit": "u-lira-auc", "trial": 0, "enough": np.inf}])
    assert refused(rows, hold_out) == f"Not shown, because 1 trial cannot tell: U-LiRA (needs {needed})"


def test_metrics_are_judged_by_how_well_they_rank_methods(study):
    table = Drawn(study, "metrics")
    data = table.data.set_index("audit")
    # Average gaps of 3, 2 and 1 in every trial, which does not show how much they vary.
    assert data.loc["average-gap", ["methods", "apart", "stability", "best_stays"]].tolist() == [3, 0, 1, 100]
    assert data.loc["tug-of-war", "tau_average-gap"] == data.loc["average-gap", "tau_tug-of-war"] == 1
    assert table.row("ToW")[-1] == "1.00" and table.row("Average gap")[-1] == "—"
    assert "KLoM" in table.caption and not any(row[0].startswith("KLoM") for row in table.rows)


def test_runs_that_are_listed_under_two_names_count_once(study):
    lr = study.settings_of(Cell.parse(CELL), "ft")["lr"]
    twice = altered("metrics", methods=[*METHODS, f"ft@lr={lr}", f"ft@lr={lr:e}"])
    assert Drawn(twice, "metrics").data.equals(Drawn(study, "metrics").data)


def test_a_panel_gives_the_correlation_of_rankings_and_marks_a_perfect_unlearner(study):
    figure = build(source(study, "gaps"))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0].startswith("random 50 %\nτ = ") and titles[1].startswith("τ = ")
    assert titles[2:] == ["too few numbers to rank"]  # here UA and TA of all methods move alike
    for axes, perfect in zip(figure.axes, (0.5, 0, 0), strict=True):
        assert [perfect, perfect] in [list(line.get_ydata()) for line in axes.lines]


def test_the_gap_of_a_collapsed_method_is_written_at_the_edge_and_does_not_stretch_the_panel(study):
    for run in study.runs():
        if run.name.method in ("original", "neggrad-plus"):
            write_run(study, str(run.name), at_gap(4 if run.name.is_original else 60 + run.name.trial / 10))
    figure = plot(study, "gaps")
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["60.0†"]
        assert 20 < axes.get_xlim()[1] < 25  # Original's gaps are near 14
    assert figure.axes[0].get_title(loc="left") == "random 50 %\nτ = −0.33"  # of three methods, so it is ranked
    assert below(figure) == ["Error bars: 95 % intervals over 5 trials", RUN_COLLAPSED]


def test_a_panel_is_empty_where_an_earlier_version_gathered_no_such_audit(study):
    drawn = source(study, "gaps")
    audits = drawn.results.audits
    drawn.results.audits = audits[~audits["audit"].str.contains("beyond")]
    figure = build(drawn)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.rpartition("\n")[2][:3] for title in titles] == ["τ =", "too", "too"]


def test_groups_of_too_few_samples_are_left_out(study):
    (axes,) = build(source(study, "forgotten")).axes
    drawn = {container.get_label(): container.lines[0].get_xdata() for container in axes.containers}
    assert set(drawn) == {"Original", "FT", "NegGrad+", "CoUn"}
    assert [len(scores) for scores in drawn.values()] == [0] * 4  # of 100 forgotten samples few have the same score


def test_a_point_is_the_mean_over_the_trials_that_have_enough_samples():
    rows = pd.DataFrame({"memorisation": 0.5, "samples": [20, 30, 40], "auc": [0.5, 0.6, 0.9]})
    results = SimpleNamespace(memorised=rows)
    cell = Cell("digits", "convnet", "random-50")
    drawn = SimpleNamespace(cells=[cell], compared=["ft"], rows=lambda *_: rows, results=results)
    (point,) = memorisation_figure.points(drawn).to_dict("records")
    assert (point["samples"], point["auc"]) == (30, pytest.approx(2 / 3)) and point["low"] < 2 / 3 < point["high"]


def test_half_of_the_interval_stands_after_a_reading():
    row = {"value": 3.0, "low": 2.0, "high": 4.0, "null": 1.0, "null_low": 0.5, "null_high": 1.5}
    data = pd.DataFrame([row], index=pd.MultiIndex.from_tuples([("ft", "kept")]))
    assert audit_table._entry(data, ("ft", "kept")).text == "3.00±1.00"
    assert audit_table._entry(data, ("ft", "kept"), "null").text == "1.00±0.50"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": {"audit": {"kind": "audit", **SELECTION, "trials": 2}}}, "accepted are all 5 of the study"),
        ({"resample": []}, "figures.forgotten: cells: digits/convnet/random-50: accepted are random ones of a study"),
        ({"figures": {"f": {"kind": "memorisation", **SELECTION, "cells": ["digits/convnet/class-8"]}}}, "random ones"),
        ({"trials": 4}, "figures.forgotten: trials: 4: accepted are at least 5: of the other trials' Retrains"),
    ],
)
def test_cells_and_trials_that_audits_cannot_use_are_refused(study, changes, message):
    with pytest.raises(BadInput, match=message):
        changed(**changes)
