"""From a process's start to its first batch, and to a finished table: what every job pays before it does any work."""

from __future__ import annotations

import statistics
import time

from bench.project import Project, project
from bench.rows import Options, Row, timed

LIMITS = {"convnet": 1.5, "resnet18": 3, "vgg16": 3, "vit": 3}


def rows(options: Options) -> list[Row]:
    """Return a row for a job of each architecture, and one for a table; each time in a process of its own."""
    archs = list(LIMITS)[: options.size(4, 1)]
    kind = {"kind": "unlearning", "methods": ["original", "coun"]}
    tables = {arch: {**kind, "cells": [f"digits/{arch}/random-10"]} for arch in archs}
    with project() as small:
        small.study("startup", tables=tables)
        small.command("prepare", "startup", "digits")
        small.command("split", "startup", "digits", "random-10")
        measured = [_start(small, arch, options) for arch in archs]
        for method in ("retrain", "coun"):
            small.command("run", "startup", f"digits/convnet/random-10/{method}/trial-0")
        table = small.seconds("table", "startup", "convnet", repeats=options.repeats)
    return [*measured, timed("a table, whole", {"ours": table}, wanted=["ours ≤ 1.5"])]


def _start(small: Project, arch: str, options: Options) -> Row:
    small.command("run", "startup", f"digits/{arch}/original/trial-0")
    moments = []
    for _ in range(options.repeats + (options.repeats > 1)):  # the first of several is not counted
        before = time.time()
        printed = small.command("startup", f"digits/{arch}/random-10/coun/trial-0", module="bench.first_batch")
        moments.append([float(moment) - before for moment in printed.split()[-2:]])
    began, ended = (list(seconds) for seconds in zip(*moments[-options.repeats :], strict=True))
    figures = {"to the end of its first step": statistics.median(ended)}
    wanted = [f"ours ≤ {LIMITS[arch]}"]
    return timed(f"start of a CoUn job to its first batch, {arch}", {"ours": began}, figures=figures, wanted=wanted)
