"""How long until the first batch? And until other answers: a whole quick study, a plan and its cost, audits."""

from __future__ import annotations

import os
import shutil
import time
from unittest import mock

from bench.project import ROOT, Project, temporary_project
from bench.rows import Options, Row, span, timed
from benchmark.commands import job_server

# How a job starts -> the interpreter's arguments. The jobs of a workflow are forked.
STARTS = {
    "started by itself": ("-m", "bench.first_batch"),
    "forked from a warm process": ("-I", "-S", job_server.__file__),
}
ANSWERS = {
    "started by itself": "the first batch of a job that starts by itself comes after {} s",
    "forked": "that of a job forked from a warm process after {} s",
    "quick study": "the quick study takes {} s",
    "dry run of the paper study": "planning the paper study takes {} s",
    "audits of cifar10-small": "drawing the audits of `cifar10-small` takes {} s",
}


def rows(options: Options) -> list[Row]:
    """Return a row for each way a job starts, the quick study, audits, and planning and pricing the paper study."""
    study = options.pick("paper", "start")
    with temporary_project() as project:
        measured = _first_batches(project, options.pick(["convnet", "resnet18"], ["convnet"]), options)
        if not options.short:
            measured.append(timed("quick study, all, 2 cores, once", {"ours": project.workflow("quick", "all")}))
            measured.append(timed("audits of cifar10-small, once", {"ours": _audits(project)}))
        dry_run = project.workflow(study, "all", "-n", "--quiet", repeats=options.repeats)
        cost = project.seconds("cost", study)
    return [
        *measured,
        timed(f"dry run of the {study} study, all", {"ours": dry_run}),
        timed(f"cost of the {study} study, once", {"ours": cost}),
    ]


def answer(rows: list[Row]) -> str:
    """Return how long each start takes, in a sentence."""
    parts = []
    for work, clause in ANSWERS.items():
        if matches := [row for row in rows if work in row["work"]]:
            parts.append(clause.format(span(matches, "ours")))
    return "; ".join(parts) + "."


def _first_batches(project: Project, archs: list[str], options: Options) -> list[Row]:
    table = {"kind": "unlearning", "methods": ["original", "coun"]}
    project.study("start", tables={arch: table | {"cells": [f"digits/{arch}/random-10"]} for arch in archs})
    imports = {"run": ("bench.first_batch", *job_server.RUNS)}
    with mock.patch.dict(os.environ), mock.patch.dict(job_server.IMPORTS, imports):
        os.environ.pop(job_server.SERVER, None)
        job_server.start({"run": 2}, project.environment())  # has imported everything before the first forked job comes
        project.command("prepare", "start", "digits")
        project.command("split", "start", "digits", "random-10")
        for arch in archs:
            project.command("run", "start", f"digits/{arch}/original/trial-0")
        return [
            timed(f"first batch of a CoUn job, {arch}, {start}", {"ours": _first_batch(project, arch, start, options)})
            for start in STARTS
            for arch in archs
        ]


def _first_batch(project: Project, arch: str, start: str, options: Options) -> list[float]:
    """Return the seconds from the command of a job to its first batch, in each repeat."""
    seconds = []
    for _ in range(options.repeats + (options.repeats > 1)):  # the first of several is not counted
        started = time.time()
        output = project.command("run", "start", f"digits/{arch}/random-10/coun/trial-0", program=STARTS[start])
        seconds.append(float(output.split()[-1]) - started)
    return seconds[-options.repeats :]


def _audits(project: Project) -> list[float]:
    """Return the seconds in which the committed results of `cifar10-small` give its audits: two tables, two figures."""
    shutil.copytree(ROOT / "results", project.folder / "results", dirs_exist_ok=True)
    outputs = {"table": ("audit", "metrics"), "figure": ("gap-and-audit", "not-forgotten")}
    commands = [(command, "cifar10-small", name) for command, names in outputs.items() for name in names]
    return [sum(project.seconds(*command)[0] for command in commands)]
