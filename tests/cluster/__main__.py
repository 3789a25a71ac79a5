"""Run the workflow on a real Slurm of one node, which is started and stopped here. Not a quick test::

    python -m tests.cluster                    # a small study, six minutes on two cores
    python -m tests.cluster --only parity --study quick

It needs Debian's slurm-wlm and munge, and this project's extra ``cluster``. There are four checks:

- parity: a study run through the scheduler gives the numbers that it gives without;
- timeout: a job that its time limit ends goes on from where it was, with a longer limit;
- drain: a node is drained while jobs wait, each for a GPU, and resumed later;
- failure: a node goes down under a running job, which Slurm queues again.

After each the workflow must have ended well, with all that it made as in a run without a cluster (time, memory and
commit aside). Nothing is left running.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.slurm import Cluster, cluster, missing
from tests.faults import study as small
from tests.faults.campaign import outcome

PATIENCE = 3600  # seconds for one call of the workflow
CHECKS = ("parity", "timeout", "drain", "failure")

EPOCHS = 40  # of the slow method: as long as a minute's time limit


class Workflow:
    """A project in a folder of its own, run with or without a cluster; its slow method rests after each step."""

    def __init__(self, root: Path, study: str, on: Cluster | None = None, rest: float = 0.0):
        small.build(root, EPOCHS)
        if study != small.NAME:
            shutil.copy(small.ROOT / "config" / f"{study}.yaml", root / "config")
        self.root, self.study, self.on = root, study, on
        self.log = root / "snakemake.txt"
        self.environment = {
            **(on.environment if on else os.environ),
            "PYTHONPATH": str(small.ROOT),
            "REST": str(rest),
            "SAVE": "60",  # as seldom as ever
            "BENCHMARK_DEVICE": "cpu",  # the cluster's GPU is a pretended one
        }

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the workflow for everything that the study shows."""
        where = ["--cores", "2"]
        if self.on:
            where = ["--profile", "profiles/slurm", "--slurm-status-command", "squeue"]
            where += ["--slurm-init-seconds-before-status-checks", "5"]
        command = [sys.executable, "-m", "snakemake", "all", *where, *options, "--config", f"study={self.study}"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=self.root, env=self.environment, stdout=log, stderr=log)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the workflow; raise with what it printed unless it ended well."""
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
        if status:
            raise RuntimeError(f"the workflow ended with status {status}\n{self.log.read_text()[-6000:]}")

    def steps(self) -> list[str]:
        """Return the steps that the slow method did, in order."""
        path = self.root / "steps.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def wait(self, ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
        """Wait until something is so while the workflow runs."""
        until = time.monotonic() + 400
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"never seen: {what}\n{self.log.read_text()[-6000:]}")
            time.sleep(0.2)


class Checks:
    """The checks of one study. Each method makes one on a cluster and returns what was seen."""

    def __init__(self, folder: Path, study: str):
        self.folder, self.study = folder, study
        local = Workflow(folder / "local", study)
        local.end(local.start())
        self.expected = outcome(local.root, study)

    def parity(self, on: Cluster) -> str:
        """A study through the scheduler."""
        workflow = Workflow(self.folder / "parity", self.study, on)
        workflow.end(workflow.start())
        return f"{_states(on)}; {self._equal(workflow)}"

    def timeout(self, on: Cluster) -> str:
        """A job that its time limit ends."""
        workflow = Workflow(self.folder / "timeout", self.study, on, rest=1.0)
        process = workflow.start("--set-resources", "run:runtime=attempt")
        workflow.wait(lambda: "TIMEOUT" in _states(on), "a job at its time limit", process)
        return self._recovered(workflow, process, on)

    def drain(self, on: Cluster) -> str:
        """A node that is drained while a job runs and others wait, and resumed later; each job asks for a GPU."""
        workflow = Workflow(self.folder / "drain", self.study, on, rest=0.1)
        process = workflow.start("--resources", "gpu=1")
        workflow.wait(lambda: len(workflow.steps()) > 9, "a slow job at work", process)
        on.update("state=drain", "reason=shown")
        workflow.wait(lambda: on.state() == "IDLE+DRAIN", "a drained node", process)
        workflow.wait(lambda: "PENDING" in _states(on), "a job that waits for the node", process)
        on.update("state=resume")
        seen = self._recovered(workflow, process, on)
        if other := {step.split()[2] for step in workflow.steps()} - {"0"}:
            raise RuntimeError(f"the job that asked for the node's one GPU was given {other}")
        return seen

    def failure(self, on: Cluster) -> str:
        """A node that goes down under a running job, which Slurm then queues again."""
        workflow = Workflow(self.folder / "failure", self.study, on, rest=0.2)
        process = workflow.start()
        workflow.wait(lambda: len(workflow.steps()) > 29, "a slow job at work", process)
        on.update("state=down", "reason=shown")
        workflow.wait(lambda: "PENDING" in _states(on), "a job that is queued again", process)
        on.update("state=resume")
        return self._recovered(workflow, process, on)

    def _recovered(self, workflow: Workflow, process: subprocess.Popen[bytes], on: Cluster) -> str:
        epoch = int(workflow.steps()[-1].split()[0]) + 1
        workflow.end(process)
        steps = workflow.steps()
        again = f"slow run: in epoch {epoch} of {EPOCHS} then, {len(steps) - len(set(steps))} of its steps done twice"
        return f"{_states(on)}; {again}; {self._equal(workflow)}"

    def _equal(self, workflow: Workflow) -> str:
        made = outcome(workflow.root, self.study)
        differs = [file for file in made.keys() | self.expected if made.get(file) != self.expected.get(file)]
        if differs:
            raise RuntimeError(f"not as without a cluster: {', '.join(sorted(differs))}")
        return f"{len(made)} files are equal"


def _states(on: Cluster) -> str:
    count = sorted(collections.Counter(on.jobs()).items())
    return "jobs of Slurm: " + ", ".join(f"{number} {state}" for state, number in count)


def check(names: Sequence[str] = CHECKS, study: str = small.NAME) -> dict[str, str | RuntimeError]:
    """Make checks by name; return what was seen in each, or what went wrong."""
    seen: dict[str, str | RuntimeError] = {}
    with tempfile.TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as folder:
        checks = Checks(Path(folder), study)
        for name in names:
            try:
                with cluster() as on:  # one for each, so that its jobs are those of this check
                    seen[name] = getattr(checks, name)(on)
            except RuntimeError as error:
                seen[name] = error
            print(f"{name}: {'FAILED: ' if isinstance(seen[name], Exception) else ''}{seen[name]}", flush=True)
    return seen


def lacking() -> str:
    """Return what is not installed here, or nothing."""
    plugin = [] if importlib.util.find_spec("snakemake_executor_plugin_slurm") else ["this project's extra 'cluster'"]
    return ", ".join(missing() + plugin)


def main() -> None:
    """Make checks from the command line; exit status 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--only", choices=CHECKS, nargs="*", default=CHECKS, help="which checks")
    parser.add_argument("--study", default=small.NAME, help="for parity: another study, such as quick")
    options = parser.parse_args()
    if programs := lacking():
        sys.exit(f"not installed here: {programs}")
    for number in (signal.SIGTERM, signal.SIGINT):  # as any other end, so that the cluster is stopped
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.exit(any(isinstance(seen, Exception) for seen in check(options.only, options.study).values()))


if __name__ == "__main__":
    main()
