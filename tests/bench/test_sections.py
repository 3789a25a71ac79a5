"""Every section runs, on so little work that its numbers mean nothing; and what a job imports before its first step."""

import contextlib
import math
import pickle
import re

import pytest
import torch

from bench import report, work
from bench.project import BENCHMARK, Project
from bench.report import SECTIONS, answered, rows_by_work
from bench.rows import Options
from bench.timing import clock
from benchmark.__main__ import app
from benchmark.registry import METHODS
from benchmark.training.device import Device

NUMBER = r"[\d,.]+( to [\d,.]+)?"
ANSWERS = {
    "training": f"a training step is {NUMBER} times as fast as plain code, at {NUMBER} of the hardware's peak.",
    "start": f"the first batch of a job that starts by itself comes after {NUMBER} s; "
    f"that of a job forked from a warm process after {NUMBER} s.",
    "growth": f"2 times the trials of a cell take {NUMBER} times as long; "
    f"2 times the training images .epoch of FT. take {NUMBER} times as long; .*",
}


def in_this_process(make, *arguments, copies=1):
    """Time work in this process instead of another, which tests/bench/test_timing.py starts."""
    make, arguments = pickle.loads(pickle.dumps((make, arguments)))
    return contextlib.nullcontext(clock(make(*arguments)))


def command(project, *arguments, program=BENCHMARK):
    """Run a stage in this process; start any other program in its own, as always."""
    if program != BENCHMARK:
        return Project.started(project, *arguments, program=program)
    with contextlib.chdir(project.folder):
        app(arguments, standalone_mode=False)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_runs_and_answers_its_question(section, empty, monkeypatch):
    monkeypatch.setattr("bench.training.Process", in_this_process)
    monkeypatch.setattr(Project, "started", Project.command, raising=False)
    monkeypatch.setattr(Project, "command", command)
    monkeypatch.setattr("bench.timing.LEAST", 0.01)
    path = report.bench([section], Options(repeats=1, threads=1, short=True), "short")
    sections = report.read(path.parent)["short"]
    rows = rows_by_work(sections, section).values()
    assert len(rows) == sum(len(part["rows"]) for part in sections[section]) > 2
    for row in rows:
        assert math.isfinite(row["ours"]) and row["ours"] > 0
        assert all(seconds > 0 for repeats in row["seconds"].values() for seconds in repeats)
        assert row["work"].startswith("matrix") or (row["ratio"] or 0) > 0 or section != "training"
    answer = answered(section, {"here": sections}).partition("- **here**: ")[2].partition("\n")[0]
    assert re.fullmatch(ANSWERS[section], answer), answer


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", [name for name in METHODS if name != "ssd"])
def test_no_step_waits_for_the_gpu(method, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DEVICE")
    device = Device.choose("auto", threads=1)
    step = work.steps(work.trainer(method, "convnet", work.arrays(train=40), device, batch_size=8, forget=8))
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_job_that_starts_from_an_original_does_not_import_the_compiler(project):
    project.study()
    code = "import sys; from benchmark.study.study import Study; from benchmark.training.job import Job\n"
    code += f"study = Study.load('tiny'); Job(study, study.run('{project.name('coun')}'), 'a test').go()\n"
    assert project.python(f"{code}print('torch._dynamo' in sys.modules)").splitlines()[-1] == "False"
