"""Searching for the values of a miniature study: what is tried and chosen, and how a search survives kills."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics import measure
from benchmark.names import Cell
from benchmark.results import records as results
from benchmark.seeds import members_stream
from benchmark.study.study import Study
from benchmark.training.device import Device
from benchmark.training.loop import Interrupted, Trainer
from benchmark.tune import search
from benchmark.tune.candidate import WORST, average_gap, objective
from benchmark.tune.journal import Journal
from tests.pool import run_folder
from tests.project import CELL, ORIGINAL, Project, call, environment, mistake
from tests.tune.conftest import TUNE, begun, candidates, pretend, references


@pytest.fixture(scope="module")
def tuned(prepared, tmp_path_factory):
    """The folder of a project after a search by two workers, and what was printed."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project.copied(prepared, tmp_path_factory.mktemp("tuned") / "project", patch)
        project.study(TUNE)
        return project.root, project.command("tune", "tiny", "--jobs", "2", check=True).stdout


@pytest.fixture
def searched(tuned, tmp_path, monkeypatch):
    """A copy of the project after the search."""
    return Project.copied(tuned[0], tmp_path / "project", monkeypatch)


def test_a_place_for_the_results_that_cannot_be_written_is_named_before_anything_is_trained(tiny, monkeypatch):
    monkeypatch.setattr(search, "_references", lambda *_: pytest.fail("training began"))
    paths.tuned("tiny").parent.write_text("a file where a folder is needed")
    with pytest.raises(OSError, match="config/tuned"):
        search.tune("tiny", 1)


def test_the_objective_is_the_average_gap_of_the_tables_and_the_accuracy_lost_beyond_the_budget():
    retrain = {"ra": 98.0, "ua": 30.0, "ta": 70.0, "mia": 43.0}
    candidate = {"ra": 94.0, "ua": 20.0, "ta": 76.0, "mia": 28.0}
    assert average_gap(candidate, retrain) == pytest.approx((4 + 10 + 6 + 15) / 4)
    assert objective(8.75, 68.0, 70.0, 2.0) == objective(8.75, 80.0, 70.0, 2.0) == 8.75
    assert objective(8.75, 65.0, 70.0, 2.0) == 11.75


def test_candidates_are_chosen_by_images_that_nothing_was_trained_on(tiny, project):
    assert Study.load("tiny-tuning").hold_out == 10
    candidate = begun(project)
    candidate.attempt(80.0)
    samples, forget = candidate._samples, candidate.forget
    assert candidate.history[-1]["ta"] == measure(samples, forget, unseen="held-out")["ta"]
    assert candidate.reference == measure(candidate.retrain, forget, unseen="held-out")
    by_test = [measure(frame, forget) for frame in (samples, candidate.retrain)]
    noted = candidate.trial.user_attrs
    assert noted["test_gap"] == average_gap(*by_test) != noted["avg_gap"]


def test_a_search_goes_on_in_a_checkout_which_has_no_weights(tiny, project):
    candidate = begun(project)
    (paths.run(Study.load("tiny-tuning").run(project.name("original")).pool_path) / paths.MODEL).unlink()
    search._references(Study.load("tiny-tuning"), [Cell.parse(CELL)], 1)
    assert candidate.attempt(80.0) is not None


def test_only_cells_with_candidates_left_need_references(project, monkeypatch):
    cells = [CELL, "digits/convnet/random-50"]
    project.study(TUNE, {"tune": {"budget": 1}, "tables": {"table2": {"cells": cells, "methods": ["ft"]}}})
    pretend()
    asked = []
    monkeypatch.setattr(search, "_run_all", lambda commands, *_: asked.extend(command for command, _ in commands))
    monkeypatch.setattr(results, "finished", lambda *_: None)
    search.tune("tiny", 1)
    references = [command[5] for command in asked if command[3] == "run"]
    assert references == [ORIGINAL, f"{cells[1]}/retrain/trial-0"]


def test_a_process_that_fails_costs_the_others_nothing_and_one_that_is_killed_ends_them(tmp_path, capsys):
    def asked(code: str) -> tuple[list[str], None]:
        return [sys.executable, "-c", code], None

    ended, endless = tmp_path / "ended", "import time; time.sleep(600)"
    fails, ends = asked("raise SystemExit(2)"), asked(f"import time; time.sleep(1); open({str(ended)!r}, 'w')")
    with pytest.raises(BadInput, match=r"SystemExit.* failed; run the same command to continue the tuning"):
        search._run_all([fails, ends], 2, 1)
    assert ended.exists() and "failed; the others go on" in capsys.readouterr().out
    with pytest.raises(BadInput, match="was killed; run the same command"):
        search._run_all([asked("import os; os.kill(os.getpid(), 9)"), asked(endless)], 2, 1)


def test_candidates_are_attacked_with_the_studys_choice_of_members(project):
    project.study(TUNE, {"members": "random"})
    candidate = begun(project)
    rng = members_stream(candidate.study.seed, Cell.parse(CELL))
    assert candidate.reference == measure(candidate.retrain, candidate.forget, "random", rng, unseen="held-out")


def test_a_candidate_ends_with_its_objective_and_one_that_diverges_with_the_worst(tiny, project, monkeypatch):
    candidate = begun(project)
    trial, reference = candidate.trial, candidate.reference | {"ta": 99.0}
    monkeypatch.setattr(candidate, "reference", reference)
    value = candidate.attempt(1.0)
    last_row = candidate.history[-1]
    assert trial.user_attrs["avg_gap"] == average_gap(last_row, reference)
    assert value == trial.user_attrs["avg_gap"] + 98 - last_row["ta"] > trial.user_attrs["avg_gap"]
    assert [row["epoch"] for row in trial.user_attrs["history"]] == [1, 2]
    assert begun(project, lr=1e30).attempt(1.0) == WORST >= objective(100.0, 0.0, 100.0, 0.0)


def test_a_candidate_is_stamped_as_a_run_is(tiny, project):
    candidate = begun(project)
    candidate.stamp |= {"commit": "0123456789ab+", "precision": "float32, compiled"}  # as with a plugin just edited
    candidate._keep_history()
    stamp = candidate.trial.user_attrs["stamp"]
    assert stamp == {key: candidate.stamp[key] for key in ("commit", "device", "precision", "data")}


def test_the_status_of_a_search_counts_its_candidates_and_what_these_need(tiny, project):
    lines = call("status", "tiny-tuning", check=True).stdout.splitlines()
    unknown = "time left: unknown until the first candidate has finished"
    needed = "2 references, which candidates need"
    assert lines == ["search of tiny: 0 candidates tried, 6 left", needed, "      2 left", unknown]
    assert not paths.journal("tiny").exists() and not paths.tuning_locks("tiny").exists()  # it reads and writes nothing
    begun(project)  # which trains both
    pretend()
    lines = call("status", "tiny-tuning", check=True).stdout.splitlines()
    assert lines[:3] == ["search of tiny: 1 candidates tried, 5 left", needed, "      2 done"]
    assert lines[3].startswith("time left: ") and lines[3].endswith(", 1 at once")
    Journal(tiny).clean()
    pretend(count=5)
    assert (paths.run(Study.load("tiny-tuning").run(ORIGINAL).pool_path) / paths.MODEL).is_file()
    assert call("status", "tiny-tuning", check=True).stdout == "search of tiny: 6 candidates tried, 0 left\n"
    assert "--watch: tiny-tuning is a search" in mistake("status", "tiny-tuning", "--watch")


@pytest.mark.parametrize("diverging", ["original", "retrain"])
def test_a_reference_that_diverged_is_named_before_any_candidate_is_tried(project, diverging):
    project.study(TUNE, {"hyperparameters": {"*": {diverging: {"lr": 1e30}}}})
    tuning = references(project)
    with pytest.raises(BadInput, match=f"reference {project.name(diverging)} of tiny-tuning diverged"):
        search._references(tuning, [Cell.parse(CELL)], 1)
    done = call("status", "tiny-tuning")
    assert done.returncode == 1 and "1 diverged" in done.stdout


def test_the_status_of_a_search_counts_an_original_without_weights_as_left(tiny, project):
    begun(project)
    Journal(tiny).clean()
    (paths.run(Study.load("tiny-tuning").run(ORIGINAL).pool_path) / paths.MODEL).unlink()
    assert "      1 done\n      1 left\n" in call("status", "tiny-tuning", check=True).stdout


@pytest.mark.slow
def test_every_method_gets_its_budget_and_the_values_are_used(searched, tuned):
    tried = candidates()
    assert {method: len(trials) for method, trials in tried.items()} == {"ft": 3, "coun": 3} and "[6/6]" in tuned[1]
    assert tuned[1].count("; time left ") == 5  # the last candidate leaves none
    assert tried["ft"][0][0] == {"lr": 0.05}  # the study's own values come first
    for trials in tried.values():
        assert len({json.dumps(values) for values, _ in trials}) == len(trials)
    written = yaml.safe_load(paths.tuned("tiny").read_text())
    assert written["about"]["left"] == 0 and written["about"]["candidates"] == 6
    for method, trials in tried.items():
        best = min((value, values["lr"]) for values, value in trials)
        assert written["hyperparameters"][CELL][method]["lr"] == best[1]
    study = searched.study(TUNE, {"tuned": "tiny"})
    assert study.run(f"{CELL}/coun/trial-0").settings.lr == written["hyperparameters"][CELL]["coun"]["lr"]

    # No candidate leaves a run or a checkpoint behind, and none is tried twice.
    assert not list(paths.work("tiny-tuning").glob("*/*"))
    runs = {path.parent for path in paths.RUNS.rglob(paths.RUN)} - {run_folder("tiny", ORIGINAL)}
    assert {folder.parent.name for folder in runs} == {"original", "retrain"}
    assert "candidates left" not in call("tune", "tiny", check=True).stdout
    assert candidates() == tried


@pytest.mark.slow
def test_a_search_killed_at_any_moment_resumes_with_any_number_of_jobs_and_finds_the_same(searched):
    undisturbed = candidates()
    paths.journal("tiny").unlink()
    paths.tuned("tiny").unlink()
    command = [sys.executable, "-m", "benchmark", "tune", "tiny", "--jobs", "2"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as process:
        # Until a candidate has ended, and others are under way.
        deadline = time.monotonic() + 120
        while not (ended := sum(map(len, candidates().values()))) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert 0 < ended < sum(map(len, undisturbed.values())) and not paths.tuned("tiny").exists()
    call("tune", "tiny", check=True)
    assert candidates() == undisturbed


def test_a_candidate_that_was_stopped_continues_to_the_same_end(tiny, project, monkeypatch, capsys):
    undisturbed = begun(project)
    expected = undisturbed.attempt(80.0)
    stopped, step = begun(project), Trainer.train_step

    def stop(trainer, *arguments):
        step(trainer, *arguments)
        stopped._stop = signal.SIGTERM if trainer.epoch else None

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="in epoch 2; state saved"):
        patch.setattr(Trainer, "train_step", stop)
        stopped.attempt(80.0)
    resumed = begun(project)
    assert resumed.attempt(80.0) == expected and "resumed after epoch 1" in capsys.readouterr().out
    assert [row["ua"] for row in resumed.history] == [row["ua"] for row in undisturbed.history]


def test_a_worker_holds_no_candidate_while_it_waits_for_a_gpu(tiny, monkeypatch):
    def wait(*_):
        assert Journal(tiny).under_way() == 0
        raise Interrupted("still waiting")

    monkeypatch.setattr(Device, "choose", wait)
    with pytest.raises(Interrupted, match="still waiting"):
        search.work("tiny", 2, os.getppid())


def test_a_worker_ends_with_the_process_that_started_it(tiny):
    # The worker runs in this process, whose parent is not the one that it is told of.
    call("tune", "tiny", "--worker", str(os.getpid()), check=True)
    assert candidates() == {"ft": [], "coun": []}


def test_a_search_with_nothing_left_to_try_trains_nothing(tiny, capfd):
    journal, trained = Journal(tiny), set(paths.RUNS.rglob(paths.RUN))
    pretend(count=journal.tune.budget * len(journal.pairs))
    assert search.tune("tiny", 1) == paths.tuned("tiny")
    assert "nothing left to try" in capfd.readouterr().out and set(paths.RUNS.rglob(paths.RUN)) == trained
