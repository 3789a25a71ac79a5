"""Snakemake in a process forked from one that has imported it, beside the server that forks its jobs."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark.commands import job_server
from benchmark.workflow.resources import THREADS

ROOT = Path(__file__).resolve().parents[1]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["snakemake.cli", "benchmark.workflow.targets", "benchmark.workflow.session", "tests.forked"]
)


def serve() -> None:
    """Start a server that forks the jobs of all workflows of this process, unless there is one already."""
    # It uses this checkout, wherever this process works: another one may be installed.
    job_server.start({"run": 2, "embed": 2, "draw": 2}, {"PYTHONPATH": str(ROOT), **dict.fromkeys(THREADS, "1")})


def snakemake(arguments: list[str], root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``snakemake`` in a folder, in a process forked from one that has imported it; all it prints is ``stdout``."""
    serve()
    environment = {job_server.SERVER: os.environ[job_server.SERVER]} | environment
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
        process = FORKS.Process(target=_snakemake, args=(arguments, str(root), environment, printed.name))
        process.start()
        process.join(300)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"snakemake {' '.join(arguments)}:\n{printed.read()}")
        return subprocess.CompletedProcess(arguments, process.exitcode, printed.read(), "")


def _snakemake(arguments: list[str], folder: str, environment: dict[str, str], output: str) -> None:
    import snakemake.cli

    with Path(output).open("w", encoding="utf-8") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder]
    sys.argv = ["snakemake", *arguments]
    snakemake.cli.main()
