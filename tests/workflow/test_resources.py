"""What jobs ask for: GPUs where the user asks for them, time and memory of a cluster."""

from __future__ import annotations

import re

import pytest
import yaml

from benchmark import paths
from benchmark.workflow.resources import FIRST_MB
from tests.places import place, run_folder
from tests.project import ROOT

CELL = "digits/convnet/random-10"
COMPUTES = {"run", "run_and_keep", "embed"}


@pytest.fixture
def asked(fresh):
    """What the jobs of a dry run ask for, by rule."""

    def ask(*options: str) -> dict[str, list[dict[str, str]]]:
        told = fresh.snakemake("all", "--dry-run", *options, "--config", "study=tiny", check=True)
        found: dict[str, list[dict[str, str]]] = {}
        for rule, body in re.findall(r"^(?:local)?rule (\S+):\n((?:    .*\n)+)", told.stdout + told.stderr, re.M):
            line = re.search(r"^    resources: (.+)$", body, re.M)
            job = dict(part.split("=") for part in line[1].split(", ")) if line else {}
            urgent = re.search(r"^    priority: (.+)$", body, re.M)
            found.setdefault(rule, []).append(job | {"priority": urgent[1] if urgent else "0"})
        return found

    return ask


def test_unless_asked_for_no_job_holds_a_gpu_so_that_nothing_limits_how_many_run_at_once(asked):
    jobs = asked()
    assert jobs.keys() >= COMPUTES
    assert all(int(job.get("gpu", 0)) == 0 for found in jobs.values() for job in found)


def test_where_gpus_are_asked_for_each_job_that_computes_takes_one(asked):
    jobs = asked("--resources", "gpu=2")
    assert {rule for rule, found in jobs.items() if any("gpu" in job for job in found)} == COMPUTES
    assert all(job["gpu"] == "1" for rule in COMPUTES for job in jobs[rule])


def test_what_others_wait_for_goes_first(asked):
    priorities = {rule: {job["priority"] for job in found} for rule, found in asked().items()}
    assert priorities.pop("run_and_keep") == {"1"}
    assert set.union(*priorities.values()) == {"0"}


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_not_there_is_said_in_a_line_and_not_replaced_by_the_cpu(project, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DEVICE", raising=False)
    project.add_workflow()
    project.study()
    run = f"results/tiny/runs/{CELL}/ft/trial-0/run.json"
    done = project.snakemake(run, "--resources", "gpu=1", "--config", "study=tiny")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "error: BENCHMARK_DEVICE=cuda: no GPU is to be seen on" in said
    assert "Traceback" not in said and not (run_folder("tiny", f"{CELL}/ft/trial-0") / paths.RUN).exists()


def test_runs_ask_for_the_time_and_memory_that_is_known_and_for_a_guess_that_can_be_set(asked, fresh):
    usage = paths.usage(place("tiny", f"{CELL}/coun/trial-0"))
    usage.parent.mkdir(parents=True)
    usage.write_text("s\tmax_rss\n1800\t2000\n")
    jobs = asked()
    assert {(job["runtime"], job["mem_mb"]) for job in jobs["run"]} == {("60", "4000")}
    usage.unlink()
    jobs = asked()
    assert {(job["runtime"], job["mem_mb"]) for job in jobs["run"]} == {("60", str(FIRST_MB))}
    told = fresh.snakemake("all", "--dry-run", "--config", "study=tiny", "minutes=25", check=True)
    assert "runtime=25" in told.stdout + told.stderr
    told = fresh.snakemake("all", "--dry-run", "--config", "study=tiny", "minutes=soon")
    assert told.returncode != 0 and "--config minutes=soon: accepted is" in told.stdout + told.stderr


def test_the_profile_for_slurm_is_used_beside_the_default_one_and_tries_again():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    assert not default.keys() & slurm.keys()
    assert slurm["executor"] == "slurm" and slurm["retries"] > 0
    assert all("attempt" in slurm["default-resources"][name] for name in ("runtime", "mem_mb"))
