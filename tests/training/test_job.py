from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import sha256
from benchmark.metrics import measure
from benchmark.names import Cell
from benchmark.registry import METHODS
from benchmark.results import measured
from benchmark.results import records as results
from tests.places import place, run_folder, split_file

METRICS = ["ra", "ua", "ta", "mia"]


def test_a_run_leaves_its_files_and_their_digests(project):
    study = project.study()
    name = project.name("ft")
    end = project.run(study, name)
    folder = run_folder("tiny", name)
    assert {path.name for path in folder.iterdir()} == {paths.RUN, paths.SAMPLES, paths.HISTORY}
    assert end.record["sha256"] == {file: sha256(folder / file) for file in (paths.SAMPLES, paths.HISTORY)}
    assert end.record["fingerprint"] == study.run(name).fingerprint
    assert end.record["slice"] == study.run(name).slice
    assert (end.status, end.record["status"], end.record["diverged_at"]) == ("finished", "finished", None)
    assert end.record["stamp"]["precision"] == "float32" and end.record["stamp"]["threads"] == "1"


def test_a_run_says_which_weights_of_original_it_started_from(project):
    study = project.study()
    original = results.record(study, study.run(project.original))["sha256"][paths.MODEL]
    assert project.run(study, project.name("ft")).record["started_from"] == original
    assert project.run(study, project.name("retrain")).record["started_from"] is None


def test_a_job_that_was_planned_before_the_study_changed_is_refused(project):
    from benchmark.training.job import run

    study = project.study()
    name = project.name("ft")
    planned = study.run(name).fingerprint
    assert run(study, name, "a test", planned) == "finished"
    with pytest.raises(BadInput, match=f"run {name}: the study has changed since this job was planned"):
        run(project.unlearning(lr=0.07), name, "a test", planned)


def test_who_waited_for_another_process_takes_what_that_one_made(project, capsys):
    from benchmark.files import locked
    from benchmark.training.job import run

    study = project.study()
    name = project.name("ft")
    lock = paths.work(place("tiny", name)).with_name("trial-0.lock")
    with ThreadPoolExecutor() as pool:
        with locked(lock):
            second = pool.submit(run, study, name, "the second")
            while "waiting for another process" not in capsys.readouterr().out:
                time.sleep(0.01)
            project.run(study, name)
            record = (run_folder("tiny", name) / paths.RUN).read_bytes()
        assert second.result(timeout=60) == "finished"
    assert (run_folder("tiny", name) / paths.RUN).read_bytes() == record


def test_the_code_of_a_run_is_what_it_began_with(project, monkeypatch):
    from benchmark import stamp as stamps
    from benchmark.training import job as jobs

    now = stamps.stamp()
    monkeypatch.setattr(jobs, "stamp", lambda: now | {"commit": "before"})
    study = project.study()
    job = project.job(study, project.name("ft"))
    monkeypatch.setattr(jobs, "stamp", lambda: now | {"commit": "after"})
    job.go()
    assert results.record(study, study.run(project.name("ft")))["stamp"]["commit"] == "before"


def test_samples_hold_every_sample_and_its_true_label(project):
    from benchmark.data import store

    study = project.study()
    samples = project.run(study, project.name("ft")).samples
    arrays = store.load(study.dataset_folder("digits"))
    for split, labels in (("train", arrays.train_labels), ("test", arrays.test_labels)):
        rows = samples[samples["split"] == split]
        assert rows["index"].tolist() == list(range(len(labels))) and rows["label"].tolist() == labels.tolist()
    assert samples["loss"].dtype == np.float32 and (samples["loss"] >= 0).all()


def test_the_last_row_of_the_history_is_what_the_samples_say(project):
    study = project.study()
    run = study.run(project.name("coun"))
    end = project.run(study, str(run.name))
    assert end.history["epoch"].tolist() == [1, 2]
    assert end.history[METRICS].iloc[-1].to_dict() == measure(end.samples, results.forget(study, run))


def test_history_has_a_row_every_so_many_epochs_and_the_last(project):
    study = project.unlearning(epochs=5, evaluate_every=2)
    assert project.run(study, project.name("ft")).history["epoch"].tolist() == [2, 4, 5]


def test_how_often_is_measured_changes_nothing_else(project):
    often = project.run(project.study(), project.name("coun"))
    seldom = project.run(project.unlearning(evaluate_every=2), project.name("coun"))
    assert often.samples.equals(seldom.samples)


def test_an_unlearning_run_of_no_epochs_is_original(project):
    from benchmark.training.job import weights

    study = project.unlearning(epochs=0)
    end = project.run(study, project.name("ft"))
    original = weights(study, study.run(project.original))
    assert all((value == original[key]).all() for key, value in end.weights.items())
    assert end.samples.equals(pd.read_parquet(run_folder("tiny", project.original) / paths.SAMPLES))
    assert end.history["pflops"].tolist() == [0] and math.isnan(end.history["loss"][0])


def test_trials_differ_and_so_do_scenarios(project):
    study = project.study()
    first = project.run(study, project.name("retrain"))
    assert not first.samples.equals(project.run(study, project.name("retrain", trial=1)).samples)
    assert not first.samples.equals(project.run(study, project.name("retrain", "class-8")).samples)


# --- divergence -----------------------------------------------------------------------------------------------------


def test_a_run_whose_loss_overflows_is_a_result_and_no_error(project):
    study = project.unlearning(lr=1e30)
    name = project.name("ft")
    done = project.command("run", "tiny", name)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "diverged")
    record = json.loads((run_folder("tiny", name) / paths.RUN).read_text())
    assert record["status"] == "diverged" and record["diverged_at"]["epoch"] == 1
    history = results.frame(study, study.run(name), paths.HISTORY)
    assert history[METRICS].isna().all(axis=None) and len(history) == 1
    assert len(results.frame(study, study.run(name), paths.SAMPLES)) == 220
    assert not paths.work(place("tiny", name)).exists()
    (row,) = measured.metrics(study, [study.run(name)], [Cell.parse(project.cell)]).to_dict("records")
    assert row["status"] == "diverged" and all(math.isnan(row[metric]) for metric in METRICS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("stops", [(), (6,), (8,), (9, 10)])
def test_the_step_of_the_divergence_is_recorded(project, value, stops):
    from benchmark.methods.ft import FT

    class Doomed(FT):
        """Its third step of the second epoch is no number."""

        def loss(self, outputs, batch, epoch):
            self.step = getattr(self, "step", -1) + 1 if epoch == getattr(self, "epoch", epoch) else 0
            self.epoch = epoch
            bad = epoch == 1 and batch["retain"].index.tolist() == self.batches(1)[2]["retain"].index.tolist()
            return super().loss(outputs, batch, epoch) * (value if bad else 1)

    METHODS.add("doomed", Doomed)
    study = project.unlearning(epochs=4)
    end = project.run(study, project.name("doomed"), stops)
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 2, "step": 3}
    assert end.history["epoch"].tolist() == [1, 2]
    assert end.history[METRICS].isna().any(axis=1).tolist() == [False, True]


def test_a_loss_beyond_all_bounds_is_a_divergence_though_still_a_number(project):
    from benchmark.methods.ft import FT

    class Huge(FT):
        """A loss of ten million, and no gradient."""

        def loss(self, outputs, batch, epoch):
            return super().loss(outputs, batch, epoch) * 0 + 1e7

    METHODS.add("huge", Huge)
    end = project.run(project.study(), project.name("huge"))
    assert end.status == "diverged" and end.record["diverged_at"] == {"epoch": 1, "step": 5}


def test_weights_that_a_last_step_spoiled_are_a_divergence_at_that_step(project):
    from benchmark.methods.ft import FT

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


# --- what a run needs -----------------------------------------------------------------------------------------------


def test_weights_that_were_changed_are_refused_and_set_aside(project):
    study = project.study()
    path = run_folder("tiny", project.original) / paths.MODEL
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(StaleOutput, match="is not what digits/convnet/original/trial-0 wrote"):
        project.run(study, project.name("ft"))
    assert not path.exists() and path.with_name(f"{path.name}.damaged").exists()
    with pytest.raises(StaleOutput, match="is missing"):
        project.run(study, project.name("ft"))


@pytest.mark.parametrize("file", [paths.SAMPLES, paths.HISTORY])
def test_results_that_were_changed_are_refused_and_set_aside(project, file):
    study = project.study()
    run = study.run(project.name("ft"))
    project.run(study, str(run.name))
    path = run_folder("tiny", run) / file
    pd.read_parquet(path).assign(loss=0.0).to_parquet(path)
    with pytest.raises(StaleOutput, match="set aside"):
        results.frame(study, run, file)
    assert not path.exists() and path.with_name(f"{file}.damaged").exists()


def test_results_of_another_configuration_are_refused_and_the_difference_named(project):
    project.run(project.study(), project.name("ft"))
    changed = project.unlearning(weight_decay=0.001)
    with pytest.raises(StaleOutput, match=r"settings\.weight_decay was 0\.0005, is 0\.001"):
        results.frame(changed, changed.run(project.name("ft")), paths.SAMPLES)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"slice": 1}'])
def test_a_damaged_record_is_stale(project, text):
    study = project.study()
    (run_folder("tiny", project.original) / paths.RUN).write_text(text)
    with pytest.raises(StaleOutput, match="is damaged"):
        results.record(study, study.run(project.original))


def test_original_of_another_configuration_is_not_unlearned(project):
    changed = project.study({"hyperparameters": {"*": {"training": {"lr": 0.2}}}})
    with pytest.raises(StaleOutput, match=r"settings\.lr was 0\.1, is 0\.2"):
        project.run(changed, project.name("ft"))


@pytest.mark.parametrize("missing", ["data", "split", "original"])
def test_what_is_missing_is_named(project, missing):
    study = project.study()
    path = {
        "data": study.dataset_folder("digits") / "provenance.json",
        "split": split_file("tiny"),
        "original": run_folder("tiny", project.original) / paths.RUN,
    }[missing]
    path.unlink()
    with pytest.raises(StaleOutput, match=f"{path} is missing"):
        project.run(study, project.name("ft"))


def test_running_again_starts_over_and_gives_the_same(project):
    study, name = project.study(), project.name("ft")
    first = project.run(study, name)
    path = run_folder("tiny", name) / paths.SAMPLES
    before = path.read_bytes()
    path.write_bytes(b"damaged")
    project.run(study, name)
    assert path.read_bytes() == before and first.pauses == 10


def test_a_run_that_memory_cannot_hold_says_what_to_change(project, monkeypatch):
    import torch

    from benchmark.training.job import run
    from benchmark.training.loop import Trainer

    def train(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Trainer, "train", train)
    with pytest.raises(BadInput, match="batch size 32: set a smaller batch_size"):
        run(project.study(), project.name("ft"), "a test")
