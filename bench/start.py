"""How long until the first batch? From a command to the first step of a job, to a whole quick study, to a plan."""

from __future__ import annotations

import os
import time
from unittest import mock

from bench.project import Project, project
from bench.rows import Options, Row, span, timed
from benchmark.commands import warm

# How a job starts, and the interpreter's arguments for it; a workflow's jobs are forked.
STARTS = {
    "started by itself": ("-m", "bench.first_batch"),
    "forked from a warm process": ("-I", "-S", warm.__file__),
}
ANSWERS = {
    "started by itself": "the first batch of a job that starts by itself comes after {} s",
    "forked": "that of a job forked from a warm process after {} s",
    "quick study": "the quick study takes {} s",
    "dry run of the paper study": "planning the paper study takes {} s",
}


def rows(options: Options) -> list[Row]:
    """Return a row for each start of a job, for the quick study, and for planning and pricing the paper study."""
    study = options.pick("paper", "start")
    with project() as fresh:
        measured = _first_batches(fresh, options.pick(["convnet", "resnet18"], ["convnet"]), options)
        if not options.short:
            measured.append(timed("quick study, all, 2 cores, once", {"ours": fresh.workflow("quick", "all")}))
        dry = fresh.workflow(study, "all", "-n", "--quiet", repeats=options.repeats)
        cost = fresh.seconds("cost", study)
    return [
        *measured,
        timed(f"dry run of the {study} study, all", {"ours": dry}),
        timed(f"cost of the {study} study, once", {"ours": cost}),
    ]


def answer(rows: list[Row]) -> str:
    """Return how long each start takes, in a sentence."""
    parts = []
    for what, words in ANSWERS.items():
        if alike := [row for row in rows if what in row["work"]]:
            parts.append(words.format(span(alike, "ours")))
    return "; ".join(parts) + "."


def _first_batches(fresh: Project, archs: list[str], options: Options) -> list[Row]:
    methods = {"kind": "unlearning", "methods": ["original", "coun"]}
    fresh.study("start", tables={arch: methods | {"cells": [f"digits/{arch}/random-10"]} for arch in archs})
    served = {"run": ("bench.first_batch", *warm.RUNS)}
    with mock.patch.dict(os.environ), mock.patch.dict(warm.IMPORTS, served):
        os.environ.pop(warm.SERVER, None)
        warm.start({"run": 2}, fresh.environment())  # it has imported everything by the time of the first forked job
        fresh.command("prepare", "start", "digits")
        fresh.command("split", "start", "digits", "random-10")
        for arch in archs:
            fresh.command("run", "start", f"digits/{arch}/original/trial-0")
        return [
            timed(f"first batch of a CoUn job, {arch}, {how}", {"ours": _until_first_batch(fresh, arch, how, options)})
            for how in STARTS
            for arch in archs
        ]


def _until_first_batch(fresh: Project, arch: str, how: str, options: Options) -> list[float]:
    seconds = []
    for _ in range(options.repeats + (options.repeats > 1)):  # the first of several is not counted
        before = time.time()
        printed = fresh.command("run", "start", f"digits/{arch}/random-10/coun/trial-0", program=STARTS[how])
        seconds.append(float(printed.split()[-1]) - before)
    return seconds[-options.repeats :]
