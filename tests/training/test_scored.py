"""Predictions made elsewhere: scored as a method, with the same metrics as the same model inside."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics.samples import METRICS
from benchmark.names import Cell
from benchmark.results.measured import metrics
from benchmark.study.new_study import write_scored
from benchmark.study.study import Study
from benchmark.workflow.cost import cost, run_cost
from tests.project import CELL, call, mistake

FT, THEIRS = f"{CELL}/ft/trial-0", f"{CELL}/theirs/trial-0"


def scored(project, files="theirs/trial-{trial}.parquet", **changes):
    table = {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "theirs"], "trials": 1}
    return project.study({"scored": {"theirs": files}, "tables": {"table2": table | changes}})


@pytest.fixture
def ft(project):
    """The samples of a run, and a function that writes them as another's predictions."""
    samples = project.run(project.study(), FT).samples

    def write(frame, path="theirs/trial-0.parquet"):
        Path(path).parent.mkdir(exist_ok=True)
        frame.to_parquet(path)

    return samples, write


@pytest.mark.parametrize("number", ["loss", "margin"])
def test_the_same_predictions_have_the_same_metrics_inside_and_outside(project, ft, number, monkeypatch):
    samples, write = ft
    write(samples[["prediction", "split", "index", "label", number]].sample(frac=1, random_state=0))
    study = scored(project)
    with monkeypatch.context() as with_gpus:  # of which it takes none
        with_gpus.setattr("benchmark.training.device.uses_gpu", lambda: True)
        with_gpus.setattr("benchmark.training.device.take_gpu", None)
        with_gpus.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: True)
        theirs = project.run(study, THEIRS)
    assert theirs.samples.drop(columns=["loss", "margin"]).equals(samples.drop(columns=["loss", "margin"]))
    for column in ("loss", "margin"):
        assert np.allclose(theirs.samples[column], samples[column], rtol=1e-3, atol=1e-3)
    frame = metrics(study, [study.run(FT), study.run(THEIRS)], [Cell.parse(CELL)]).set_index("method")
    assert frame.loc["theirs", METRICS].equals(frame.loc["ft", METRICS].rename("theirs"))
    assert frame.loc["theirs", ["pflops", "seconds"]].isna().all()
    assert frame.filter(like="setting_").loc["theirs"].isna().all()


def test_a_folder_whose_name_no_method_can_have_needs_another_one():
    assert "--name 'my_preds': accepted are lower-case words" in mistake("score", "my_preds", CELL)


def test_columns_that_another_code_had_as_a_frames_index_are_columns(project, ft):
    samples, write = ft
    write(samples)
    before = project.run(scored(project), THEIRS).samples
    write(samples.set_index(["split", "index"]))
    assert project.run(scored(project), THEIRS).samples.equals(before)


@pytest.mark.parametrize(("files", "tables"), [(1, ["comparison"]), (2, ["comparison", "audit"])])
def test_an_audit_needs_a_file_for_every_trial(project, files, tables):
    project.study()
    Path("theirs 📷").mkdir()
    for trial in range(files):
        Path(f"theirs 📷/trial-{trial}.parquet").touch()
    file = write_scored(Path("theirs 📷"), "tiny", CELL, "theirs")
    assert list(Study.load("theirs").tables) == tables
    assert write_scored(Path("theirs 📷"), "tiny", CELL, "theirs") == file  # as after a correction
    for trial in range(files, 2):
        Path(f"theirs 📷/trial-{trial}.parquet").touch()
    assert write_scored(Path("theirs 📷"), "tiny", CELL, "theirs") == file  # with what it lacked
    assert list(Study.load("theirs").tables) == ["comparison", "audit"]
    file.write_text(file.read_text() + "seed: 1\n")
    with pytest.raises(BadInput, match=r"config/theirs\.yaml exists already"):
        write_scored(Path("theirs 📷"), "tiny", CELL, "theirs")


def test_a_folder_without_every_trial_up_to_its_last_is_refused(project):
    project.study({"trials": 3})
    Path("gap").mkdir()
    Path("file").touch()
    for name in ("trial-0.parquet", "trial-2.parquet"):
        Path(f"gap/{name}").touch()
    for folder, message in [
        ("gap", r"gap has trial-0\.parquet, trial-2\.parquet: accepted are trial-0\.parquet and so on, without a gap"),
        ("file", "file is not a folder: accepted are"),
        ("nowhere", "nowhere is not a folder: accepted are"),
        ("results", "results has no file of a trial: accepted are"),
    ]:
        with pytest.raises(BadInput, match=message):
            write_scored(Path(folder), "tiny", CELL, "theirs")
    assert not paths.study_file("theirs").exists()


def test_a_study_with_predictions_costs_what_its_other_runs_do(project, ft):
    _, write = ft
    write(pd.DataFrame({"index": [0]}))
    study = scored(project)
    priced = cost(study, 1.0).set_index("output")
    others = [run_cost(study, run) for run in study.runs(["table2"]) if str(run.name) != THEIRS]
    assert priced.loc["table2", "runs"] == len(others) + 1 and priced.loc["all"].notna().all()
    assert priced.loc["table2", "pflops_executed"] == pytest.approx(sum(executed for _, executed in others))


def test_other_predictions_are_another_run(project, ft):
    samples, write = ft
    write(samples)
    before = scored(project).run(THEIRS)
    assert scored(project).run(THEIRS).fingerprint == before.fingerprint
    write(samples.assign(loss=samples["loss"] * 1.01))
    assert scored(project).run(THEIRS).fingerprint != before.fingerprint
    assert scored(project).run(FT).fingerprint == project.study().run(FT).fingerprint
    # A name may hold the special characters of file patterns.
    odd = "their [v2]/trial-{trial}.parquet"
    fingerprints = []
    for factor in (1.0, 1.01):
        write(samples.assign(loss=samples["loss"] * factor), odd.format(trial=0))
        fingerprints.append(scored(project, odd).run(THEIRS).fingerprint)
    assert fingerprints[0] != fingerprints[1]


def test_a_fault_in_a_file_is_one_line_that_names_the_image(project, ft):
    samples, write = ft
    for frame, message in [
        (samples.drop(columns="loss").drop(columns="margin"), "no column loss or margin; it has index, split"),
        (samples[1:], "train image 0: this image is missing"),
        (pd.concat([samples, samples[:1]]), "train image 0: this image occurs twice"),
        (samples.assign(index=samples["index"] + 1), "test image 60: this image is not in the dataset"),
        (samples.assign(label=samples["label"].to_numpy()[::-1]), "are the images in another order?"),
        (samples.assign(label=samples["label"].astype("Int64")[:-1]), "column label is empty in 1 row: "),
        (samples.assign(prediction=10), "the prediction is not a class (220 such images)"),
        (samples.assign(prediction=np.inf), "the prediction is not a class (220 such images)"),
        (samples.assign(loss=samples["loss"][:-1]), "test image 59: the loss is not a finite number"),
        (samples.assign(loss=1e39), "the loss is not a finite number in float32 (220 such images)"),
        (samples.assign(loss=-1.0), "the loss is negative (220 such images)"),
        (samples.assign(loss="low"), ": accepted are numbers"),
        (samples.assign(split="Test"), "column split holds 'Test': accepted are train, test"),
        (samples.assign(margin=5.0), "the loss is not the one that follows from the margin ("),
        (samples.assign(loss=0.1, prediction=(samples["label"] + 1) % 10), "the prediction is not the label"),
        (
            samples.assign(loss=2.4, prediction=samples["label"]),
            "with a loss of 2.400: accepted is at most 2.303, the log",
        ),
    ]:
        write(frame)
        with pytest.raises(BadInput, match=re.escape(message)):
            project.run(scored(project), THEIRS)
    Path("theirs/trial-0.parquet").write_text("no parquet")
    with pytest.raises(BadInput, match="not readable as parquet"):
        project.run(scored(project), THEIRS)
    assert Path("theirs/trial-0.parquet").read_text() == "no parquet"  # another's file stays where it is


def test_predictions_that_no_model_gives_are_refused_before_anything_is_trained(project, ft):
    samples, write = ft
    right = samples["prediction"] == samples["label"]
    table, path = pa.Table.from_pandas(samples), Path("theirs/trial-0.parquet")
    for content, message in [
        (
            samples.assign(loss=samples["loss"].where(~right, 2.4)),
            "its class is predicted with a loss of 2.400: accepted is",
        ),
        (
            samples.drop(columns="loss").assign(margin=-2.4),
            "its class is predicted with a loss of 2.487: accepted is at most",
        ),
        (samples.assign(loss=right), "column loss holds bool: accepted are numbers"),
        (samples.assign(label="3"), "column label holds "),
        (table.append_column("loss", table["loss"]), "2 columns are called 'loss': accepted is one"),
    ]:
        path.parent.mkdir(exist_ok=True)
        pq.write_table(content if isinstance(content, pa.Table) else pa.Table.from_pandas(content), path)
        scored(project)
        assert message in mistake("check", "tiny")
        assert message in mistake("score", "theirs", CELL, "--study", "tiny", "--name", "others")
        assert not paths.study_file("others").exists()
    path.write_text("no parquet")
    scored(project)
    assert "theirs/trial-0.parquet: not readable as parquet: " in call("check", "tiny").stderr
    for frame in (samples.assign(prediction=np.inf), samples):  # the former's fault is left to the job
        write(frame)
        assert call("check", "tiny").returncode == 0


def test_a_study_that_asks_of_predictions_what_they_lack_is_refused(project, ft):
    samples, write = ft
    write(samples)
    for changes, message in [
        ({"trials": 2}, "there is no file theirs/trial-1.parquet, of trial 1"),
        ({"methods": ["theirs@lr=1"]}, "predictions have no settings; accepted is 'theirs'"),
        ({"methods": ["theirs+cl"]}, "'theirs' takes no contrastive term"),
        ({"kind": "distances", "classes": ["8"]}, "predictions made elsewhere have no features to show"),
        ({"cells": ["digits/convnet/sequential-2x10"]}, "has stages, and predictions are of one model"),
    ]:
        with pytest.raises(BadInput, match=message):
            scored(project, **changes)
    for files in ("theirs", "{run}/{trial}", "{trial", 3):
        with pytest.raises(BadInput, match=r"accepted is a file with {trial} in its name"):
            scored(project, files)
    with pytest.raises(BadInput, match="there is a method of that name"):
        project.study({"scored": {"ft": "theirs/trial-{trial}.parquet"}})
