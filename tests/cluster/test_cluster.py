"""The workflow on a real one-node Slurm, on request: it takes six minutes, and packages that few machines have.

Whatever happens to its jobs, the workflow succeeds and makes the same files as without a cluster.
"""

import collections
import importlib.util
import os
import subprocess
import sys
import time

import pytest

from tests.cluster.slurm import cluster, missing
from tests.faults.campaign import outcome
from tests.faults.study import NAME, ROOT, build

PATIENCE = 3600  # seconds for one call of the workflow
EPOCHS = 40  # of the slow method: as long as a minute's time limit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SLURM" not in os.environ, reason="starts a Slurm and runs on it for minutes: set SLURM=1"),
]


class Workflow:
    """A project in a folder of its own, run with or without a cluster; its slow method rests after each step."""

    def __init__(self, root, slurm=None, rest=0.0):
        build(root, EPOCHS)
        self.root, self.slurm, self.log = root, slurm, root / "snakemake.txt"
        # It saves as rarely as by default; the cluster's GPU is pretended.
        settings = {"PYTHONPATH": str(ROOT), "REST": str(rest), "SAVE": "60"}
        settings |= {"BENCHMARK_DEVICE": "cpu", "BENCHMARK_SERVER": "off"}
        self.environment = (slurm.environment if slurm else dict(os.environ)) | settings

    def start(self, *options):
        executor = ["--cores", "2"]
        if self.slurm:
            executor = ["--profile", "profiles/slurm", "--slurm-status-command", "squeue"]
            executor += ["--slurm-init-seconds-before-status-checks", "5"]
        command = [sys.executable, "-m", "snakemake", "all", *executor, *options, "--config", f"study={NAME}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.root, env=self.environment, stdout=log, stderr=log)

    def wait(self, ready):
        """Wait for a condition while the workflow runs."""
        deadline = time.monotonic() + 400
        while not ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()[-6000:]
            time.sleep(0.2)

    def end(self):
        """Wait for the workflow, which must succeed; return the content of each of its files."""
        try:
            status = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        assert status == 0, self.log.read_text()[-6000:]
        return outcome(self.root)

    def steps(self):
        """Return the slow method's steps in order: epoch, first image, GPU."""
        path = self.root / "steps.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The files that a run without a cluster makes."""
    plugin = [] if importlib.util.find_spec("snakemake_executor_plugin_slurm") else ["this project's extra 'cluster'"]
    assert missing() + plugin == []
    local = Workflow(tmp_path_factory.mktemp("cluster") / "local")
    local.start()
    return local.end()


@pytest.fixture
def slurm(expected):
    """A cluster for each test, so that its jobs are the test's."""
    with cluster() as running:
        yield running


def states(slurm):
    return collections.Counter(slurm.jobs())


def differing(files, expected):
    return [file for file in files.keys() | expected if files.get(file) != expected.get(file)]


def test_a_study_on_the_cluster_makes_the_same_files(slurm, expected, tmp_path):
    workflow = Workflow(tmp_path / "study", slurm)
    workflow.start()
    assert differing(workflow.end(), expected) == []


def test_a_job_that_hits_its_time_limit_resumes_with_a_longer_one(slurm, expected, tmp_path):
    workflow = Workflow(tmp_path / "study", slurm, rest=1.0)
    workflow.start("--set-resources", "run:runtime=attempt")
    workflow.wait(lambda: states(slurm)["TIMEOUT"])
    assert differing(workflow.end(), expected) == []
    assert len(workflow.steps()) == len(set(workflow.steps()))  # none was done twice


def test_jobs_wait_for_a_drained_node_and_each_gets_the_gpu_it_asks_for(slurm, expected, tmp_path):
    workflow = Workflow(tmp_path / "study", slurm, rest=0.1)
    workflow.start("--resources", "gpu=1")
    workflow.wait(lambda: len(workflow.steps()) > 9)
    slurm.update("state=drain", "reason=shown")
    workflow.wait(lambda: slurm.state() == "IDLE+DRAIN")
    workflow.wait(lambda: states(slurm)["PENDING"])
    slurm.update("state=resume")
    assert differing(workflow.end(), expected) == []
    checked, *trained = (step.split()[2] for step in workflow.steps())
    assert checked == "None" and set(trained) == {"0"}  # the first is a step that Snakemake tries before any job


def test_a_job_whose_node_goes_down_is_queued_again(slurm, expected, tmp_path):
    workflow = Workflow(tmp_path / "study", slurm, rest=0.2)
    workflow.start()
    workflow.wait(lambda: len(workflow.steps()) > 29)
    slurm.update("state=down", "reason=shown")
    workflow.wait(lambda: states(slurm)["PENDING"])
    slurm.update("state=resume")
    assert differing(workflow.end(), expected) == []
