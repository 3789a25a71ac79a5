"""What jobs ask for: GPUs where the user wants them, and a cluster's time and memory."""

import json
import os
import re

import pytest
import yaml

from benchmark import paths
from benchmark.study.study import Study
from benchmark.workflow.resources import FIRST_MB
from tests.pool import run_folder
from tests.project import CELL, ROOT
from tests.workflow.conftest import jobs_of

COMPUTES = {"run", "weights", "embed"}


def requests(project, *options: str, **config: str) -> dict[str, list[dict[str, str]]]:
    """Return what the jobs of a dry run ask for, by rule."""
    jobs: dict[str, list[dict[str, str]]] = {}
    for rule, body in jobs_of(project.snakemake("all", "--dry-run", *options, check=True, **config).stdout):
        line = re.search(r"^    resources: (.+)$", body, re.M)
        job = dict(part.split("=") for part in line[1].split(", ")) if line else {}
        urgent = re.search(r"^    priority: (.+)$", body, re.M)
        jobs.setdefault(rule, []).append(job | {"priority": urgent[1] if urgent else "0"})
    return jobs


@pytest.mark.slow
def test_by_default_no_job_holds_a_gpu_and_what_others_wait_for_goes_first(fresh):
    # A similar run has taken an hour and 4000 MiB.
    run = Study.load("tiny").run(f"{CELL}/coun/trial-0")
    record = run_folder("tiny", run) / paths.RUN
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"wall_seconds": 3600, "peak_memory_mb": 4000, "slice": run.origin}))
    planned = requests(fresh)
    assert planned.keys() >= COMPUTES
    assert all(int(job.get("gpu", 0)) == 0 for jobs in planned.values() for job in jobs)
    priorities = {rule: {job["priority"] for job in jobs} for rule, jobs in planned.items()}
    assert priorities.pop("weights") == {"1"} and set.union(*priorities.values()) == {"0"}
    assert {(job["runtime"], job["mem_mb"]) for job in planned["run"]} == {("120", "7000")}


@pytest.mark.slow
def test_a_search_takes_no_more_jobs_at_once_than_runs_do(fresh):
    path = paths.study_file("tiny")
    path.write_text(path.read_text() + "threads: 2\n")
    planned = fresh.snakemake("tune", "--dry-run", "--printshellcmds", "--cores", "all", check=True).stdout
    assert f"tune tiny --jobs {max(1, (os.cpu_count() or 1) // 2)}\n" in planned
    planned = fresh.snakemake("tune", "--dry-run", "--printshellcmds", check=True, replace="yes").stdout
    assert "tune tiny --jobs 1 --replace\n" in planned


def test_of_more_cores_than_exist_all_that_exist_are_used(fresh):
    there = os.cpu_count() or 1
    printed = fresh.snakemake("prepare_digits", "--cores", str(there + 1), check=True).stdout
    assert f"Provided cores: {there}\n" in printed.replace(" (use --cores to define parallelism)", "")
    # Jobs do not share them by taking several each, which would leave some idle: three by two jobs of two.
    assert "threads: " not in fresh.snakemake("table2", "--dry-run", "--cores", str(there + 1), check=True).stdout


@pytest.mark.slow
def test_on_request_each_job_that_computes_takes_a_gpu_and_the_first_guess_of_time_can_be_set(fresh):
    planned = requests(fresh, "--resources", "gpu=2", minutes="25")
    assert {rule for rule, jobs in planned.items() if any("gpu" in job for job in jobs)} == COMPUTES
    assert all(job["gpu"] == "1" for rule in COMPUTES for job in planned[rule])
    assert {(job["runtime"], job["mem_mb"]) for job in planned["run"]} == {("25", str(FIRST_MB))}
    study = Study.load("tiny")
    for path in (paths.parked_weights(study.run(name).pool_path) for name in study.runs_with_weights):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # as a run leaves them, to be moved
    moves = requests(fresh, "--resources", "gpu=2")["weights"]
    assert moves and all(int(job.get("gpu", 0)) == 0 for job in moves)


@pytest.mark.slow
@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU")
def test_a_missing_gpu_is_named_in_a_line_and_not_replaced_by_the_cpu(project, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DEVICE", raising=False)
    project.add_workflow()
    record = run_folder(project.study(), f"{CELL}/ft/trial-0") / paths.RUN
    done = project.snakemake(str(record), "--resources", "gpu=1")
    assert done.returncode != 0 and "error: BENCHMARK_DEVICE=cuda: there is no GPU on" in done.stdout
    assert "Traceback" not in done.stdout and not record.exists()


def test_the_profile_for_slurm_is_used_beside_the_default_one_and_tries_again():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    assert not default.keys() & slurm.keys()
    assert default["keep-incomplete"]  # what a job has written whole is not lost where Snakemake calls it failed
    assert slurm["executor"] == "slurm" and slurm["retries"] > 0
    assert all("attempt" in slurm["default-resources"][name] for name in ("runtime", "mem_mb"))
