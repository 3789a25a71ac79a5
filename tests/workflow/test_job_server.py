"""Jobs forked from a server end as separate processes would, whatever becomes of job or server."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmark import paths
from benchmark.commands import job_server
from tests.pool import run_folder
from tests.project import CELL, environment

CLIENT = [sys.executable, "-I", "-S", job_server.__file__]
FT = f"{CELL}/ft/trial-0"
PATIENCE = 60


@pytest.fixture(scope="module")
def server() -> Iterator[psutil.Process]:
    """A process like Snakemake's, below which a server waits for jobs."""
    start = """if True:
        import os, sys
        from benchmark.commands import job_server
        job_server.start({"run": 2}, {})
        print(os.environ[job_server.SERVER], flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", start]
    variables = {name: value for name, value in environment().items() if name != job_server.SERVER}
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=variables, **streams) as parent:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(job_server.SERVER, parent.stdout.readline().strip())
            (serving,) = psutil.Process(parent.pid).children()
            yield serving
        parent.communicate()
    # It ends with the process that it was started for.
    serving.wait(PATIENCE)


def client(*arguments: str) -> subprocess.Popen[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*CLIENT, *arguments], env=environment(), **streams)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


def wait(ready) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fork_of(server: psutil.Process, study) -> psutil.Process:
    """Return the process that trains FT, once it has begun."""
    note = paths.work(study.run(FT).pool_path) / paths.PROGRESS
    wait(note.is_file)
    (job,) = server.children()
    return job


def test_a_forked_job_prints_and_leaves_what_a_separate_process_would(server, project):
    study = project.study()
    status, output = ended(client("run", "tiny", FT))
    assert status == 0 and output.endswith("finished\n") and f"run tiny {FT}  # process" in output
    forked = (run_folder(study, FT) / paths.SAMPLES).read_bytes()
    cold = project.command("run", "tiny", FT, "--again", check=True).stdout
    assert cold.endswith("finished\n") and "differ from before" not in cold
    assert (run_folder(study, FT) / paths.SAMPLES).read_bytes() == forked
    # A user's mistake, and a wrong option.
    for arguments in (("run", "tiny", "digits/nothing"), ("run", "--what")):
        separate = project.command(*arguments)
        status, output = ended(client(*arguments))
        assert (status, output) == (separate.returncode, separate.stdout + separate.stderr) and status == 2


def test_a_server_that_cannot_be_started_stops_nothing(monkeypatch, tmp_path):
    monkeypatch.delenv(job_server.SERVER, raising=False)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(tmp_path / ("long" * 30)))
    job_server.start({"run": 2}, {})
    assert job_server.SERVER not in os.environ


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopping_the_command_stops_the_job(server, project, number):
    study = project.study({"hyperparameters": {"*": {"unlearning": {"epochs": 100_000}}}})
    command = client("run", "tiny", FT)
    job = fork_of(server, study)
    command.send_signal(number)
    status, output = ended(command)
    assert status == (-9 if number == signal.SIGKILL else 143) and "state saved" in output
    job.wait(PATIENCE)


def test_a_signal_that_comes_as_the_job_ends_does_not_start_it_again(monkeypatch):
    with subprocess.Popen(["true"]) as job:
        job.wait()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address := f"{folder}/jobs")
        listener.listen()
        monkeypatch.setenv(job_server.SERVER, address)
        command = client("--version")
        connection, _ = listener.accept()
        with connection:
            connection.sendall(job.pid.to_bytes(4))
            wait(lambda: catches(command.pid, signal.SIGTERM))
            command.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            with contextlib.suppress(BrokenPipeError):  # the command has become another
                connection.sendall(bytes([143]))
        assert ended(command) == (143, "")


def catches(process: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal."""
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (number - 1) & 1)


def test_a_killed_job_takes_nothing_with_it_and_without_a_server_jobs_start_by_themselves(server, project):
    study = project.study({"hyperparameters": {"*": {"ft": {"epochs": 100_000}}}})
    command = client("run", "tiny", FT)
    fork_of(server, study).kill()
    status, output = ended(command)
    assert status == 137 and output.endswith("error: the process of this job was killed\n")
    assert ended(client("split", "tiny", "digits", "random-10"))[0] == 0
    server.kill()
    wait(lambda: server.status() == psutil.STATUS_ZOMBIE)
    status, output = ended(client("split", "tiny", "digits", "random-10"))
    assert status == 0 and "results/splits" in output
