"""The lines that follow a study on a terminal, or in a log."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace

import pytest

from benchmark import paths
from benchmark.workflow.status import state_of
from benchmark.workflow.watch import Watch, is_over, jobs_of
from tests.pool import run_folder
from tests.project import CELL, ORIGINAL, call, environment
from tests.test_status import FT, FT_ONLY, HOST, under_way

COMMAND = [sys.executable, "-m", "benchmark", "status", "tiny", "--watch"]


@pytest.fixture
def study(project):
    """A study of Original, already run, Retrain and FT."""
    return project.study(FT_ONLY)


class Terminal:
    """A process that watches a study, on a terminal of its own."""

    def __init__(self, seconds: float, columns: int):
        self.screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, str(seconds)],
            env={**environment(), "TERM": "xterm", "COLUMNS": "", "LINES": ""},
            **dict.fromkeys(("stdin", "stdout", "stderr"), inside),
            start_new_session=True,
            # In the background of a shell, tests and all that they start ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(inside)
        os.set_blocking(self.screen, False)
        self.seen = ""

    def until(self, ready) -> None:
        """Read the screen until a condition holds; unread, the process would wait for room to write."""
        deadline, over = time.monotonic() + 90, False
        while not over:
            over = ready()
            with contextlib.suppress(BlockingIOError, OSError):
                while chunk := os.read(self.screen, 65536):
                    self.seen += chunk.decode()
            assert over or time.monotonic() < deadline, self.seen
            time.sleep(0.02)

    def wait_for(self, text: str) -> None:
        self.until(lambda: text in plain(self.seen))

    def ended(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        return self.process.returncode


@pytest.fixture
def terminal():
    opened = []

    def start(seconds: float, columns: int = 120) -> Terminal:
        opened.append(Terminal(seconds, columns))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.screen)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_on_a_terminal_the_lines_are_redrawn_in_place_until_the_study_is_done(project, study, terminal):
    project.run(study, f"{CELL}/retrain/trial-0")
    under_way(study, "ft", host="node7")
    watch = terminal(0.2)
    for text in ("tiny: 2 done, 1 running, of 3 · ", FT, "epoch 3/10", "loss 0.1235 ra 98.77", "node7"):
        watch.wait_for(text)
    under_way(study, "ft", host="node7", epoch=4, seconds=40.0, measured={"loss": 0.5})
    watch.wait_for("epoch 4/10")
    # Each new drawing goes up over the lines that it replaces.
    assert re.search(r"\x1b\[1A.*epoch 4/10", watch.seen, re.DOTALL)
    project.run(study, FT)
    assert watch.ended() == 0
    assert "tiny: 3 done, of 3" in plain(watch.seen).strip().splitlines()[-1]
    assert watch.seen.rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_ctrl_c_ends_watching_without_a_traceback_and_a_narrow_terminal_cuts_lines_instead_of_wrapping(study, terminal):
    under_way(study, "ft", measured=dict.fromkeys(("loss", "ra", "ua", "ta", "mia"), 12.3456))
    watch = terminal(30, columns=48)
    watch.wait_for("epoch 3")
    watch.process.send_signal(signal.SIGINT)
    assert watch.ended() == 130
    assert "Traceback" not in watch.seen and "Aborted" not in watch.seen and "\x1b[?25h" in watch.seen
    lines = plain(watch.seen.replace("\x1b[2K", "\n")).replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 48
    job = next(line for line in lines if line.startswith("epoch 3/10"))
    assert " left  digits/" in job and job.endswith("…")


def test_without_a_terminal_lines_are_printed_at_each_change_and_failures_named(project, study):
    project.run(study, f"{CELL}/retrain/trial-0")
    under_way(study, "ft")
    with subprocess.Popen([*COMMAND, "0.1"], env=environment(), stdout=subprocess.PIPE, text=True) as process:
        first, second = process.stdout.readline(), process.stdout.readline()
        assert first.startswith("tiny: 2 done, 1 running, of 3 · ") and first.endswith(" left at 1 at once\n")
        facts = re.escape(f"{FT}  loss 0.1235 ra 98.77  {HOST}")
        assert re.fullmatch(rf"  epoch 3/10  \d+ .*, .* left  {facts}\n", second)
        time.sleep(0.5)  # five looks without a change
        pool_path = study.run(FT).pool_path
        log = paths.log(pool_path)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("$ python\nerror: no space left\n")
        (paths.work(pool_path) / paths.PROGRESS).unlink()
        lines = process.stdout.read().splitlines()
        assert process.wait(30) == 1
    assert lines == ["tiny: 2 done, 1 failed, of 3", f"failed: {FT}: error: no space left (log: {log})"]


def test_a_study_that_is_done_is_printed_once(project, study):
    project.run_all(study)
    assert call("status", "tiny", "--watch", check=True).stdout == "tiny: 3 done, of 3\n"


def test_watching_ends_at_a_damaged_run_and_names_it(project, study):
    project.run_all(study)
    record = run_folder(study, FT) / paths.RUN
    record.write_bytes(record.read_bytes()[:50])
    done = call("status", "tiny", "--watch")
    assert done.returncode == 1 and f"damaged: {FT}: " in done.stdout


def test_watching_ends_when_an_original_has_failed_which_the_rest_would_start_from(study):
    states = [state_of(study, run) for run in study.runs()]
    failed = [
        replace(state, state="failed") if state.run.name.is_original else replace(state, state="left")
        for state in states
    ]
    assert [state.run.name.method for state in failed] == ["original", "retrain", "ft"] and not is_over(failed)
    assert is_over([state for state in failed if state.run.name.method != "retrain"])


def test_watching_remembers_how_many_ran_at_once_and_rereads_what_has_changed(study):
    view = Watch(study)
    under_way(study, "ft")
    under_way(study, "retrain")
    view.look()
    (paths.work(study.run(f"{CELL}/retrain/trial-0").pool_path) / paths.PROGRESS).unlink()
    states = view.look()
    assert view.at_once == 2 and not is_over(states)
    assert len(jobs_of(states)) == 1 and jobs_of(states)[0].startswith("epoch 3/10  ")
    (run_folder(study, ORIGINAL) / paths.RUN).unlink()
    assert [state.state for state in view.look()].count("done") == 0
