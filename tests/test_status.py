"""The standing of a study, read from files that runs leave; and the lines that follow it on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from benchmark import paths
from benchmark.files import write_record
from benchmark.workflow.status import FRESH_SECONDS, State, spell, state_of, status, time_left
from benchmark.workflow.watch import Watch, is_over, jobs_of
from tests.project import environment
from tests.places import place, run_folder

CELL = "digits/convnet/random-10"
DEAD = 2**22  # above the kernel's highest number of a process
ONE = {"trials": 1, "tables": {"table2": {"methods": ["ft"]}, "table8": None}}


@pytest.fixture
def study(project):
    """Original, which has been run, Retrain and FT."""
    return project.study(ONE)


def under_way(study, method, touched: float = 0, **told):
    """Write the note of a pretended job, last touched so many seconds ago, and return how its run then stands."""
    run = study.run(f"{CELL}/{method}/trial-0")
    path = paths.work(place(study, run)) / paths.PROGRESS
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {
        "epoch": 3,
        "epochs": 10,
        "first_epoch": 0,
        "started": (datetime.now(UTC) - timedelta(seconds=30)).isoformat(),
        "seconds": 30.0,
        "measured": {"loss": 0.123456, "ra": 98.7654},
        "process": os.getpid(),
        "host": os.uname().nodename,
    }
    path.write_text(json.dumps({key: value for key, value in (note | told).items() if value is not None}))
    os.utime(path, (time.time() - touched,) * 2)
    return state_of(study, run)


# --- how a run stands ---------------------------------------------------------------------------------------------


def test_a_job_of_this_host_runs_as_long_as_its_process_does(study):
    assert under_way(study, "ft").state == "running"
    born = psutil.Process().create_time()
    assert under_way(study, "ft", touched=time.time() - born + 60, started=_at(born)).state == (
        "interrupted"  # it was last touched before this process began: another process had this number
    )
    assert under_way(study, "ft", process=DEAD).state == "interrupted"


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_job_of_another_host_is_believed_while_its_note_is_fresh(study):
    told = under_way(study, "ft", host="node7", process=DEAD, touched=FRESH_SECONDS - 30)
    assert (told.state, told.remark) == ("running", "epoch 3 of 10 on node7")
    assert under_way(study, "ft", host="node7", process=os.getpid(), touched=FRESH_SECONDS + 30).state == "interrupted"


@pytest.mark.parametrize("lacking", ["epoch", "epochs", "first_epoch", "started", "seconds", "process", "host"])
def test_a_note_of_another_form_is_none(study, lacking):
    assert under_way(study, "ft", **{lacking: None}).state == "left"


def test_half_a_note_is_none(study):
    under_way(study, "ft")
    path = paths.work(place("tiny", f"{CELL}/ft/trial-0")) / paths.PROGRESS
    path.write_text(path.read_text()[:40])
    assert state_of(study, study.run(f"{CELL}/ft/trial-0")).state == "left"


@pytest.mark.parametrize(
    ("text", "age", "state", "told"),
    [
        ("", 0, "running", "starting"),
        ("$ python -m benchmark run  # process 7 on node7\n", 0, "running", "starting on node7"),
        (
            "$ python  # process ALIVE on HERE\nwaiting for a lock\n",
            0,
            "running",
            "starting on",
        ),
        (f"$ python  # process {DEAD} on HERE\n", 0, "failed", "ended before it began"),
        ("", FRESH_SECONDS + 30, "left", ""),
        (
            "$ python -m benchmark run  # process 7 on node7\n",
            FRESH_SECONDS + 30,
            "failed",
            "ended before it began (log: ",
        ),
        ("$ python -m benchmark run\nfinished\n", 0, "left", "what it made is gone"),
        ("$ python -m benchmark run\nerror: no space\n", 0, "failed", "error: no space (log: results/tiny/logs/"),
    ],
)
def test_a_run_with_nothing_but_a_log(study, text, age, state, told):
    log = paths.log(place("tiny", f"{CELL}/ft/trial-0"))
    log.parent.mkdir(parents=True, exist_ok=True)
    # Filled in here, since a test's name must be the same in every worker.
    log.write_text(text.replace("ALIVE", str(os.getpid())).replace("HERE", os.uname().nodename))
    os.utime(log, (time.time() - age,) * 2)
    found = state_of(study, study.run(f"{CELL}/ft/trial-0"))
    assert found.state == state and found.remark.startswith(told)


@pytest.mark.parametrize("problem", ["other images", "damaged"])
def test_looking_moves_nothing(project, problem):
    study = project.study()
    run = study.run(project.original)
    path = run_folder("tiny", run) / paths.RUN
    told = json.loads(path.read_text())
    told.pop("digest")
    write_record(path, told | {"stamp": told["stamp"] | {"data": "0" * 16}})
    if problem == "damaged":
        path.write_text(path.read_text()[:-9])
    before = path.read_bytes()
    states = [state_of(study, run) for _ in "ab"]
    assert [state.state for state in states] == ["out of date"] * 2 and states[0].remark == states[1].remark
    assert path.read_bytes() == before and list(path.parent.glob("run.json.*")) == []


def test_a_diverged_run_has_ended(project):
    study = project.study()
    path = run_folder("tiny", project.original) / paths.RUN
    told = json.loads(path.read_text())
    told.pop("digest")
    write_record(path, told | {"status": "diverged"})
    assert state_of(study, study.run(project.original)).state == "diverged"
    assert "1 diverged" in status(study)


def test_a_real_job_says_how_far_it_is_before_its_first_epoch_after_each_and_when_resumed(project):
    study = project.study(ONE, {"hyperparameters": {"*": {"unlearning": {"epochs": 3}}}})
    name = f"{CELL}/ft/trial-0"
    notes = []

    class Noted(Exception):
        pass

    def job(stop_at):
        job = project.job(study, name, stop_at)
        tell = job._tell

        def noted(trainer):
            tell(trainer)
            state = state_of(study, study.run(name))
            notes.append((state.state, state.note["first_epoch"], state.note["epoch"], bool(state.note["measured"])))

        job._tell = noted
        return job

    from benchmark.training.loop import Interrupted

    with pytest.raises(Interrupted):
        job(stop_at=8).go()  # 5 steps an epoch, and a pause at its end: in the second epoch
    assert job(None).go() == "finished"
    running = [("running", 0, 0, False), ("running", 0, 1, True), ("running", 1, 1, True)]
    assert notes == [*running, ("running", 1, 2, True), ("running", 1, 3, True)]
    assert state_of(study, study.run(name)).state == "done"


def test_a_job_keeps_its_note_fresh_between_two_epochs(project, study, monkeypatch):
    from benchmark.training import progress as module

    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", -1.0)
    job = project.job(study, f"{CELL}/ft/trial-0")
    path = job.checkpoint.folder / paths.PROGRESS
    pause, ages = job._pause, []

    def aged(trainer):
        os.utime(path, (0, 0))
        pause(trainer)
        ages.append(time.time() - path.stat().st_mtime)

    job._pause = aged
    assert job.go() == "finished"
    assert ages and max(ages) < 60


# --- time left ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (18725, "5 h 12 min"), (90000, "1 d 1 h")],
)
def test_durations_in_two_units(seconds, told):
    assert spell(seconds) == told


def test_a_job_under_way_is_taken_at_its_own_pace(study):
    # 3 of 10 epochs in 30 seconds: 70 more. Resumed after the second: one epoch in 30 seconds, 7 more take 210.
    assert under_way(study, "ft").left == pytest.approx(70, abs=1)
    assert under_way(study, "ft", first_epoch=2).left == pytest.approx(210, abs=1)
    assert under_way(study, "ft", first_epoch=3).left is None
    # An epoch that takes longer than the ones before is not late by a negative time.
    assert under_way(study, "ft", started=_at(time.time() - 500)).left == 0


def test_time_left_by_finished_runs_of_the_method_and_by_how_many_run_at_once(project):
    study = project.study({"trials": 2, "tables": {"table2": {"methods": ["ft", "salun"]}, "table8": None}})

    def state(method, trial, state, seconds=None):
        name = "digits/convnet/original/trial-0" if method == "original" else f"{CELL}/{method}/trial-{trial}"
        return State(study.run(name), state, seconds=seconds)

    nothing = [state("original", 0, "left"), state("ft", 0, "left")]
    assert time_left(nothing, 2) is None
    done = [state("original", 0, "done", 40.0), state("ft", 0, "done", 20.0)]
    assert time_left([*done, state("ft", 1, "left")], 1) == 20
    # A method that has not ended yet takes the mean of those of its dataset and architecture.
    assert time_left([*done, state("salun", 0, "left")], 1) == 30
    assert time_left([*done, state("ft", 1, "left"), state("salun", 0, "failed")], 1) == 50
    # Two at once halve it, but no run is shared between two.
    assert time_left([*done, state("ft", 1, "left"), state("salun", 0, "left")], 2) == 30
    assert time_left([*done, *[state("ft", 1, "left")] * 8], 4) == 40


def test_seconds_of_a_run_are_snakemakes_where_it_measured(project, study):
    run = study.run("digits/convnet/original/trial-0")
    assert state_of(study, run).seconds == project_record(study, run)["wall_seconds"]
    usage = paths.usage(place("tiny", run))
    usage.parent.mkdir(parents=True)
    usage.write_text("s\th:m:s\tmax_rss\n1250\t0:20:50\t300\n")
    assert state_of(study, run).seconds == 1250
    # It counts the last call only of a run that was interrupted.
    usage.write_text("s\th:m:s\tmax_rss\n0.001\t0:00:00\t300\n")
    assert state_of(study, run).seconds == project_record(study, run)["wall_seconds"]


def test_a_run_that_lacks_a_file_is_not_done_and_one_that_lacks_weights_is(project, study):
    run = study.run("digits/convnet/original/trial-0")
    folder = run_folder(study, run)
    (folder / paths.MODEL).unlink()
    assert state_of(study, run).state == "done"
    (folder / paths.SAMPLES).unlink()
    found = state_of(study, run)
    assert (found.state, found.remark) == ("out of date", f"{folder / paths.SAMPLES} is missing")


def project_record(study, run):
    return json.loads((run_folder(study, run) / paths.RUN).read_text())


def test_the_standing_in_words(study):
    told = status(study).splitlines()
    assert told[0] == "study tiny: 3 runs" and "      1 done" in told and "      2 left" in told
    assert re.fullmatch(r"time left: \d+ s, 1 at once", told[-1])
    under_way(study, "ft", host="node7")
    assert f"running: {CELL}/ft/trial-0: epoch 3 of 10 on node7" in status(study)


# --- watching -----------------------------------------------------------------------------------------------------


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments: str, columns: int = 120):
        self.child, self.screen = pty.openpty()
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", *arguments],
            env={**environment(), "TERM": "xterm", "COLUMNS": "", "LINES": ""},
            stdin=self.screen,
            stdout=self.screen,
            stderr=self.screen,
            start_new_session=True,
            # Where tests run in the background of a shell, all that they start ignores it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(self.screen)
        os.set_blocking(self.child, False)
        self.told = ""

    def read(self) -> str:
        with suppress(BlockingIOError, OSError):
            while chunk := os.read(self.child, 65536):
                self.told += chunk.decode()
        return self.told

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + 60
        while text not in plain(self.read()):
            assert time.monotonic() < until and self.process.poll() is None, self.told
            time.sleep(0.05)

    def ended(self) -> int:
        until = time.monotonic() + 60
        while self.process.poll() is None:  # read meanwhile, lest it wait for room to write
            self.read()
            assert time.monotonic() < until, self.told
            time.sleep(0.05)
        self.read()
        os.close(self.child)
        return self.process.returncode


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_on_a_terminal_the_lines_are_redrawn_in_place_until_the_study_is_done(project, study):
    project.run(study, f"{CELL}/retrain/trial-0")
    under_way(study, "ft", host="node7")
    terminal = Terminal("status", "tiny", "--watch", "0.2")
    terminal.wait_for("tiny: 2 done, 1 running, of 3 · ")
    terminal.wait_for(f"{CELL}/ft/trial-0")
    terminal.wait_for("epoch 3/10")
    terminal.wait_for("loss 0.1235 ra 98.77")
    terminal.wait_for("node7")
    under_way(study, "ft", host="node7", epoch=4, seconds=40.0, measured={"loss": 0.5})
    terminal.wait_for("epoch 4/10")
    # Each further drawing goes up over the line that it draws again.
    assert re.search(r"\x1b\[1A.*epoch 4/10", terminal.told, re.DOTALL)
    project.run(study, f"{CELL}/ft/trial-0")
    assert terminal.ended() == 0
    last = plain(terminal.told).strip().splitlines()[-1]
    assert "tiny: 3 done, of 3" in last
    assert terminal.told.rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_ctrl_c_ends_it_without_a_trace(study):
    under_way(study, "ft")
    terminal = Terminal("status", "tiny", "--watch", "30")
    terminal.wait_for("epoch 3/10")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.told and "Aborted" not in terminal.told
    assert "\x1b[?25h" in terminal.told


def test_a_narrow_terminal_cuts_lines_instead_of_wrapping_them(study):
    under_way(study, "ft", measured=dict.fromkeys(("loss", "ra", "ua", "ta", "mia"), 12.3456))
    terminal = Terminal("status", "tiny", "--watch", "30", columns=48)
    terminal.wait_for("epoch 3")
    terminal.process.send_signal(signal.SIGINT)
    terminal.ended()
    lines = plain(terminal.told.replace("\x1b[2K", "\n")).replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 48
    job = next(line for line in lines if line.startswith("epoch 3/10"))
    assert " left  digits/" in job and job.endswith("…")


def test_without_a_terminal_it_prints_lines_when_something_changes_and_names_what_failed(project, study):
    project.run(study, f"{CELL}/retrain/trial-0")
    under_way(study, "ft")
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", "status", "tiny", "--watch", "0.1"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    first, second = process.stdout.readline(), process.stdout.readline()
    assert first.startswith("tiny: 2 done, 1 running, of 3 · ") and first.endswith(" left at 1 at once\n")
    told = re.escape(f"{CELL}/ft/trial-0  loss 0.1235 ra 98.77  {os.uname().nodename}")
    assert re.fullmatch(rf"  epoch 3/10  \d+ s, .* left  {told}\n", second)
    time.sleep(0.5)  # five looks at the same thing
    log = paths.log(place("tiny", f"{CELL}/ft/trial-0"))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("$ python\nerror: no space left\n")
    (paths.work(place("tiny", f"{CELL}/ft/trial-0")) / paths.PROGRESS).unlink()
    told = process.stdout.read().splitlines()
    assert process.wait(30) == 1
    assert told == ["tiny: 2 done, 1 failed, of 3", f"failed: {CELL}/ft/trial-0: error: no space left (log: {log})"]


def test_a_study_that_is_done_is_told_once(project, study, capsys):
    for method in ("retrain", "ft"):
        project.run(study, f"{CELL}/{method}/trial-0")
    done = project.command("status", "tiny", "--watch", check=True)
    assert done.stdout == "tiny: 3 done, of 3\n"


def test_it_remembers_how_many_have_run_at_once_and_reads_again_what_has_changed(project, study):
    view = Watch(study)
    under_way(study, "ft")
    under_way(study, "retrain")
    view.look()
    (paths.work(place("tiny", f"{CELL}/retrain/trial-0")) / paths.PROGRESS).unlink()
    states = view.look()
    assert view.at_once == 2 and not is_over(states)
    assert len(jobs_of(states)) == 1 and jobs_of(states)[0].startswith("epoch 3/10  ")
    record = run_folder("tiny", project.original) / paths.RUN
    record.unlink()
    assert [state.state for state in view.look()].count("done") == 0
