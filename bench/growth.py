"""How does time grow, with trials and with the size of the dataset?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from bench import work
from bench.project import temporary_project
from bench.rows import Options, Row, number, timed
from bench.timing import clock, in_turns
from benchmark.metrics.mia import mia_rate
from benchmark.training.batches import Images, predict
from benchmark.training.device import Device

ARCH = "resnet18-w16-s2"  # whose epochs and evaluations are timed
Points = dict[int, list[float]]  # number of trials, images or members -> the seconds of every repeat


def rows(options: Options) -> list[Row]:
    """Return a row for each number of trials and each size of the dataset."""
    series = {"trials of a cell": _studies(options.pick((1, 2, 4), (1, 2)), options)}
    if not options.short:
        series["trials of the paper study (dry run)"] = _dry_runs((1, 3, 10))
    series |= _datasets(options.pick((1_000, 2_000, 5_000, 10_000), (60, 120)), options)
    return [
        timed(f"{label}: {n:,}", {"ours": seconds}) for label, points in series.items() for n, seconds in points.items()
    ]


def answer(rows: list[Row]) -> str:
    """Return how many times as long the largest count takes as the smallest, in a sentence."""
    parts = []
    for label, group in groupby(rows, lambda row: _point(row)[0]):
        points = list(group)
        growth, slowdown = _point(points[-1])[1] // _point(points[0])[1], points[-1]["ours"] / points[0]["ours"]
        parts.append(f"{growth} times the {label} take {number(slowdown)} times as long")
    return "; ".join(parts) + "."


def _point(row: Row) -> tuple[str, int]:
    """Return what a row counts, and the count."""
    label, _, count = row["work"].rpartition(": ")
    return label, int(count.replace(",", ""))


def _studies(counts: tuple[int, ...], options: Options) -> Points:
    """Time whole workflows of a tiny study: Original, Retrain, FT and CoUn for each trial, and a table."""
    table = {"kind": "unlearning", "cells": ["digits/convnet/random-10"], "methods": ["ft", "coun"]}
    points = {}
    for trials in counts:
        with temporary_project() as project:
            project.study("tiny", trials=trials, tables={"gaps": table})
            points[trials] = project.workflow("tiny", "gaps", *["-n"] * options.short)
    return points


def _dry_runs(counts: tuple[int, ...]) -> Points:
    """Time the planning of the paper study with each number of trials."""
    with temporary_project() as project:
        for n in counts:
            (project.folder / f"config/paper-{n}.yaml").write_text(f"extends: paper\ntrials: {n}\n", encoding="utf-8")
        return {n: project.workflow(f"paper-{n}", "all", "-n", "--quiet", repeats=3) for n in counts}


def _datasets(sizes: tuple[int, ...], options: Options) -> dict[str, Points]:
    """Time an epoch of FT, an evaluation and an attack for each number of training images."""
    device = Device.choose("auto", options.threads)
    series: dict[str, Points] = {}
    for size in sizes:
        clocks = {name: clock(piece) for name, piece in _pieces(size, device).items()}
        for name, seconds in in_turns(clocks, options.pick(3, 1)).items():
            series.setdefault(name, {})[size] = seconds
    return series


def _pieces(size: int, device: Device) -> dict[str, Callable[[], object]]:
    data = work.arrays(size, test=10)
    trainer = work.trainer("ft", ARCH, data, device, batch_size=256, forget=size // 10)
    images = Images(data, work.AUGMENTATION, device.device)
    confidences = work.confidences(work.SPREAD, size, size // 10, seed=0)

    def epoch() -> None:
        trainer.model.train()
        for step in trainer.method.batches(0):
            trainer.train_step(step, progress=0.5)

    return {
        "training images (epoch of FT)": epoch,
        "training images (evaluation)": lambda: predict(trainer.model, images, device),
        "members (attack)": lambda: mia_rate(*confidences),
    }
