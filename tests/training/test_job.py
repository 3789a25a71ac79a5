"""What a run leaves, when it is repeated, how it diverges, and what it refuses to start from."""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load

from benchmark import paths
from benchmark import stamp as stamps
from benchmark.data import store
from benchmark.errors import BadInput, DamagedFile, StaleOutput
from benchmark.files import locked, sha256
from benchmark.methods.ft import FT
from benchmark.metrics import measure
from benchmark.names import Cell
from benchmark.registry import METHODS
from benchmark.results import measured, records
from benchmark.training import job as jobs
from benchmark.training import run_files
from benchmark.training.job import run, weights_of
from benchmark.training.run_files import write_run
from tests.pool import run_folder, split_file
from tests.project import call

METRICS = ["ra", "ua", "ta", "mia"]


def test_a_run_leaves_its_files_and_their_digests(project):
    study, name = project.study(), project.name("ft")
    end = project.run(study, name)
    folder = run_folder(study, name)
    assert {path.name for path in folder.iterdir()} == {paths.RUN, paths.SAMPLES, paths.HISTORY}
    assert end.record["sha256"] == {file: sha256(folder / file) for file in (paths.SAMPLES, paths.HISTORY)}
    assert end.record["fingerprint"] == study.run(name).fingerprint
    assert end.record["slice"] == study.run(name).origin
    assert (end.status, end.record["status"], end.record["diverged_at"]) == ("finished", "finished", None)
    assert end.record["stamp"]["precision"] == "float32" and end.record["stamp"]["threads"] == "1"
    # It says which weights of Original it started from.
    original = records.record(study, study.run(project.original))["sha256"][paths.MODEL]
    assert end.record["started_from"] == original
    assert project.run(study, project.name("retrain")).record["started_from"] is None


def test_samples_hold_every_sample_with_its_true_label_and_the_history_ends_with_their_metrics(project, shared):
    study, end = project.study(), shared.run("coun")
    arrays = store.load(study.dataset_folder("digits"))
    for split, labels in (("train", arrays.train_labels), ("test", arrays.test_labels)):
        rows = end.samples[end.samples["split"] == split]
        assert rows["index"].tolist() == list(range(len(labels))) and rows["label"].tolist() == labels.tolist()
    assert end.samples["loss"].dtype == np.float32 and (end.samples["loss"] >= 0).all()
    confidence = np.exp(-end.samples["loss"].astype(float))
    np.testing.assert_allclose(end.samples["margin"], np.log(confidence / (1 - confidence)), rtol=1e-3, atol=1e-3)
    assert end.samples["margin"].dtype == np.float32
    assert end.history["epoch"].tolist() == [1, 2]
    forgotten = records.forget_rows(study, study.run(project.name("coun")))
    assert end.history[METRICS].iloc[-1].to_dict() == measure(end.samples, forgotten)


def test_evaluate_every_decides_the_rows_of_the_history_and_changes_no_sample(shared):
    often, seldom = shared.run("ft", epochs=3), shared.run("ft", epochs=3, evaluate_every=2)
    assert often.history["epoch"].tolist() == [1, 2, 3] and seldom.history["epoch"].tolist() == [2, 3]
    assert often.samples.equals(seldom.samples)


def test_an_unlearning_run_of_no_epochs_is_original(project):
    study = project.unlearning(epochs=0)
    end = project.run(study, project.name("ft"))
    original = weights_of(study, study.run(project.original))
    assert all((value == original[key]).all() for key, value in end.weights.items())
    assert end.samples.equals(pd.read_parquet(run_folder(study, project.original) / paths.SAMPLES))
    assert end.history["pflops"].tolist() == [0] and math.isnan(end.history["loss"][0])


def test_a_finished_run_is_trained_again_only_on_request_or_when_damaged(project, capsys):
    study, name = project.study(), project.name("ft")
    assert run(study, name, "first") == "finished"
    record = run_folder(study, name) / paths.RUN
    before = record.read_bytes()
    assert run(study, name, "second") == "finished"
    assert "already finished: " in capsys.readouterr().out and record.read_bytes() == before
    assert run(study, name, "third", again=True) == "finished"
    assert json.loads(record.read_text())["command"] == "third"
    # The result is as before, so nothing is kept beside it.
    assert [path.name for path in record.parent.parent.iterdir()] == [record.parent.name]
    samples = record.with_name(paths.SAMPLES)
    before = samples.read_bytes()
    samples.unlink()
    assert run(study, name, "fourth") == "finished" and samples.read_bytes() == before


def test_a_repetition_that_differs_keeps_the_earlier_run_beside_it(project, monkeypatch, capsys):
    study, name = project.study(), project.name("ft")
    run(study, name, "a test")
    folder = run_folder(study, name)
    first = (folder / paths.SAMPLES).read_bytes()
    step = FT.loss
    for number in (1, 2):  # as on another device
        monkeypatch.setattr(FT, "loss", lambda *inputs, number=number: step(*inputs) * (1 + 1e-3 * number))
        run(study, name, "a test", again=True)
        assert folder.with_name(f"{folder.name}.earlier-{number}").is_dir()
    assert "the samples differ from before" in capsys.readouterr().out
    assert (folder.with_name(f"{folder.name}.earlier-1") / paths.SAMPLES).read_bytes() == first
    assert records.record(study, study.run(name)) and (folder / paths.SAMPLES).read_bytes() != first


def test_a_repetition_that_cannot_be_written_leaves_the_earlier_run_as_it_was(project, monkeypatch):
    study, name = project.study(), project.name("ft")
    run(study, name, "a test")
    folder = run_folder(study, name)

    def files():
        return {file: file.read_bytes() for file in folder.parent.rglob("*") if file.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    before = files()
    monkeypatch.setattr(run_files, "write_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        run(study, name, "a test", again=True)
    assert files() == before and folder / paths.RUN in before


def test_weights_that_another_study_keeps_stay_usable_when_the_run_is_repeated(project):
    name = project.name("ft")
    mapped = {"kind": "maps", "cells": [name.rpartition("/ft/")[0]], "methods": ["ft"]}
    keeps, other = project.study({"figures": {"figure1": mapped}}, name="keeps"), project.study()
    run(keeps, name, "a test")
    run(other, name, "a test", again=True)
    assert weights_of(keeps, keeps.run(name))


def test_missing_weights_are_made_again_on_request(project, capsys):
    study = project.study()
    folder = run_folder(study, project.original)
    (folder / paths.MODEL).unlink()
    run(study, project.original, "a test")
    assert "--weights makes its weights again" in capsys.readouterr().out and not (folder / paths.MODEL).exists()
    run(study, project.original, "a test", weights=True)
    assert weights_of(study, study.run(project.original))
    run(study, project.original, "a test", weights=True)
    assert "already finished" in capsys.readouterr().out


def test_a_job_that_was_planned_before_the_study_changed_is_refused(project):
    study, name = project.study(), project.name("ft")
    planned = study.run(name).fingerprint
    assert run(study, name, "a test", planned) == "finished"
    with pytest.raises(BadInput, match=f"run {name}: the study has changed since this job was planned"):
        run(project.unlearning(lr=0.07), name, "a test", planned)


def test_a_job_that_waited_for_another_process_takes_what_that_one_made(project, capsys):
    study, name = project.study(), project.name("ft")
    with ThreadPoolExecutor() as pool:
        with locked(paths.work(f"{study.run(name).pool_path}.lock")):
            second = pool.submit(run, study, name, "the second")
            deadline = time.monotonic() + 60
            while "waiting for another process" not in capsys.readouterr().err:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            project.run(study, name)
            record = (run_folder(study, name) / paths.RUN).read_bytes()
        assert second.result(timeout=60) == "finished"
    assert (run_folder(study, name) / paths.RUN).read_bytes() == record


def test_a_run_records_the_code_that_it_began_with(project, monkeypatch):
    stamp = stamps.stamp()
    monkeypatch.setattr(jobs, "stamp_with", lambda: stamp | {"commit": "before"})
    study = project.study()
    job = project.job(study, project.name("ft"))
    monkeypatch.setattr(jobs, "stamp_with", lambda: stamp | {"commit": "after"})
    job.go()
    assert records.record(study, study.run(project.name("ft")))["stamp"]["commit"] == "before"


def test_a_run_whose_loss_overflows_is_a_result_and_no_error(project):
    study, name = project.unlearning(lr=1e30), project.name("ft")
    assert run(study, name, "a test") == "diverged"
    record = records.record(study, study.run(name))
    assert record["status"] == "diverged" and record["diverged_at"]["epoch"] == 1
    history = records.frame(study, study.run(name), paths.HISTORY)
    assert history[METRICS].isna().all(axis=None) and len(history) == 1
    assert len(records.frame(study, study.run(name), paths.SAMPLES)) == 220
    assert not paths.work(study.run(name).pool_path).exists()
    (row,) = measured.metrics(study, [study.run(name)], [Cell.parse(project.cell)]).to_dict("records")
    assert row["status"] == "diverged" and all(math.isnan(row[metric]) for metric in METRICS)


@pytest.mark.parametrize(
    ("value", "stops", "step"),
    [
        (math.nan, (), 3),
        (math.inf, (6,), 3),
        (-math.inf, (8,), 3),
        (math.nan, (9, 10), 3),
        (1e7, (), 5),  # still a number, but the mean of the epoch, known after its last step, is beyond all bounds
    ],
)
def test_the_step_of_the_divergence_is_recorded(project, value, stops, step):
    class Doomed(FT):
        """The third step of its second epoch has another loss."""

        def loss(self, outputs, batch, epoch):
            bad = epoch == 1 and batch["retain"].index.tolist() == self.batches(1)[2]["retain"].index.tolist()
            return super().loss(outputs, batch, epoch) * (not bad) + (value if bad else 0)

    METHODS.add("doomed", Doomed)
    end = project.run(project.study(), project.name("doomed"), stops)
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 2, "step": step}
    assert end.history["epoch"].tolist() == [1, 2]
    assert end.history[METRICS].isna().any(axis=1).tolist() == [False, True]


def test_a_method_that_writes_into_its_labels_is_judged_by_the_true_ones(project, shared):
    class Relabelling(FT):
        """It forgets to copy the labels before it changes them."""

        def prepare(self, model):
            self.context.labels[self.context.forget] = 0

    METHODS.add("relabelling", Relabelling)
    end, ft = project.run(project.study(), project.name("relabelling")), shared.run("ft")
    assert end.samples.equals(ft.samples) and end.history[METRICS].equals(ft.history[METRICS])


def test_weights_that_the_last_step_spoiled_are_a_divergence_at_that_step(project):
    class Spoiling(FT):
        """Its every loss is finite, its weights after the tenth step are not."""

        steps = 0

        def after_step(self, model):
            self.steps += 1
            if self.steps == 10:
                model.head.weight.fill_(math.inf)

    METHODS.add("spoiling", Spoiling)
    end = project.run(project.study(), project.name("spoiling"))
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 2, "step": 5}
    assert np.isfinite(end.history["loss"]).all() and math.isnan(end.history["ra"].iloc[-1])


def test_weights_that_two_layers_share_can_be_kept(tmp_path):
    weights, samples = torch.ones(2), pd.DataFrame({"index": [0], "label": [0], "prediction": [0]})
    write_run(tmp_path / "run", samples, [{"epoch": 1}], {}, {"a": weights, "b": weights}, tmp_path / paths.MODEL)
    assert load((tmp_path / paths.MODEL).read_bytes())["b"].tolist() == [1, 1]


def test_changed_files_are_refused_and_left_where_they_are(project):
    study, original = project.study(), run_folder("tiny", project.original)
    path = original / paths.MODEL
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DamagedFile, match="is not what digits/convnet/original/trial-0 wrote") as caught:
        project.run(study, project.name("ft"))
    assert caught.value.path == path and path.exists()
    for text in ("", "{", "[]", "{}", "null", '{"slice": 1}'):
        (original / paths.RUN).write_text(text)
        with pytest.raises(DamagedFile, match="is damaged"):
            records.record(study, study.run(project.original))
    assert "run.json is damaged: it is not a record: run, status, " in call("show", str(original)).stderr
    assert "1 damaged" in call("status", "tiny").stdout
    (study.dataset_folder("digits") / store.PROVENANCE).write_text("{}")
    with pytest.raises(DamagedFile, match="is not a record: classes, origin, shapes, sha256 missing"):
        store.record(study.dataset_folder("digits"))
    assert call("check", "tiny").returncode == 0  # the first job that reads it says so


def test_results_of_another_configuration_do_not_count(project):
    project.run(project.study(), project.name("ft"))
    changed = project.unlearning(weight_decay=0.001)
    with pytest.raises(StaleOutput, match=f"{project.name('ft')} has not been run"):
        records.frame(changed, changed.run(project.name("ft")), paths.SAMPLES)
    # Nor does a run start from another Original.
    changed = project.study({"hyperparameters": {"*": {"training": {"lr": 0.2}}}})
    with pytest.raises(StaleOutput, match=f"{project.original} has not been run"):
        project.run(changed, project.name("ft"))


def test_whatever_is_missing_is_named(project):
    study, original = project.study(), run_folder("tiny", project.original)
    # In an order that looks for each before those already missing.
    for path in (
        original / paths.MODEL,
        original / paths.RUN,
        split_file(study),
        study.dataset_folder("digits") / store.PROVENANCE,
    ):
        path.unlink()
        with pytest.raises(StaleOutput, match=f"{path} is missing"):
            project.run(study, project.name("ft"))
