"""From a process's start to its first batch, and to a finished table: what every job pays before it does any work.

``python -m bench.startup STUDY RUN`` is the run, ended after its first step, whose start and end it prints.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.rows import Options, Row


def rows(options: Options) -> list[Row]:
    """Return a row for a job of each architecture, and one for a table. They are medians of processes of their own."""
    from bench.project import project
    from bench.rows import Row, Wanted

    cell = "digits/{}/random-10"
    limits = {"convnet": 1.5, "resnet18": 3.0, "vgg16": 3.0, "vit": 3.0}
    archs = list(limits)[: options.size(4, 1)]
    found = []
    with project() as small:
        tables = {
            arch: {"kind": "unlearning", "cells": [cell.format(arch)], "methods": ["original", "ft", "coun"]}
            for arch in archs
        }
        small.study("startup", {"tables": tables})
        small.command("prepare", "startup", "digits")
        small.command("split", "startup", "digits", "random-10")
        for arch in archs:
            small.command("run", "startup", f"digits/{arch}/original/trial-0")
        taken: dict[str, list[list[float]]] = {arch: [] for arch in archs}
        for _ in range(options.repeats + 1):
            for arch in archs:
                run = f"{cell.format(arch)}/coun/trial-0"
                before = time.time()
                told = small.command("startup", run, module="bench.startup")
                taken[arch].append([float(moment) - before for moment in told.split()[-2:]])
        for arch in archs:
            wanted = (Wanted("ours", "<=", limits[arch]),)
            began, ended = (list(moments) for moments in zip(*taken[arch][1:], strict=True))
            found.append(
                Row(
                    f"start of a CoUn job to its first batch, {arch}",
                    "s",
                    statistics.median(began),
                    figures={"to the end of its first step": statistics.median(ended)},
                    wanted=wanted,
                    seconds={"ours": began},
                )
            )
        for method in ("retrain", "ft", "coun"):
            small.command("run", "startup", f"{cell.format(archs[0])}/{method}/trial-0")
        seconds = [small.seconds("table", "startup", archs[0]) for _ in range(options.repeats + 1)][1:]
        wanted = (Wanted("ours", "<=", 1.5),)
        found.append(Row("a table, whole", "s", statistics.median(seconds), wanted=wanted, seconds={"ours": seconds}))
        seconds = [small.seconds("status", "startup") for _ in range(options.repeats + 1)][1:]
        found.append(Row("status of a study, whole", "s", statistics.median(seconds), seconds={"ours": seconds}))
    return found


def _until_first_batch(study: str, run: str) -> None:
    """Do what the command ``run`` does, up to the end of the first step, and print the time then."""
    from benchmark.__main__ import main
    from benchmark.methods.base import Batch
    from benchmark.training.loop import Trainer

    step = Trainer.train_step

    def once(self: Trainer, batch: Batch, progress: float) -> None:
        began = time.time()
        step(self, batch, progress)
        self.device.wait()
        print(began, time.time(), flush=True)
        os._exit(0)

    Trainer.train_step = once  # type: ignore[method-assign]
    sys.argv[1:] = ["run", study, run]
    main()


if __name__ == "__main__":
    _until_first_batch(*sys.argv[1:])
