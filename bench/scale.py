"""How time grows with trials and the size of the dataset; figures/bench/scale shows it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from bench import mia, work
from bench.project import project
from bench.rows import Options, Row, timed
from bench.timing import clock, in_turns
from benchmark import paths
from benchmark.metrics.mia import mia_rate
from benchmark.training.batches import Images, predict
from benchmark.training.device import Device

FIGURE = Path("figures/bench/scale")
ARCH = "resnet18-w16-s2"
Points = dict[int, list[float]]  # the seconds of every repeat, by what grows


def rows(options: Options) -> list[Row]:
    """Return a row a point, and draw them."""
    series = {"trials of a cell": _studies((1, 2, 4) if not options.short else (1,), options)}
    if not options.short:
        series["trials of the paper study (dry run)"] = _dry_runs((1, 3, 10))
    series |= _datasets((1_000, 2_000, 5_000, 10_000) if not options.short else (60, 120), options)
    _draw(series, paths.BENCH / "short" if options.short else FIGURE)
    return [
        timed(f"{what}: {n:,}", {"ours": seconds}, figures={"s each": statistics.median(seconds) / n})
        for what, points in series.items()
        for n, seconds in points.items()
    ]


def _studies(counts: tuple[int, ...], options: Options) -> Points:
    """Time whole workflows of a tiny study: Original, Retrain, FT and CoUn for each trial, and a table."""
    table = {"kind": "unlearning", "cells": ["digits/convnet/random-10"], "methods": ["ft", "coun"]}
    points = {}
    for n in counts:
        with project() as fresh:
            fresh.study("tiny", trials=n, tables={"gaps": table})
            points[n] = fresh.workflow("tiny", "gaps", *["-n"] * options.short)
    return points


def _dry_runs(counts: tuple[int, ...]) -> Points:
    """Time the planning of the paper study with so many trials."""
    with project() as fresh:
        for n in counts:
            (fresh.folder / f"config/paper-{n}.yaml").write_text(f"extends: paper\ntrials: {n}\n", encoding="utf-8")
        return {n: fresh.workflow(f"paper-{n}", "all", "-n", "--quiet", repeats=3) for n in counts}


def _datasets(sizes: tuple[int, ...], options: Options) -> dict[str, Points]:
    """Time an epoch of FT, an evaluation and an attack on datasets of so many training images."""
    device = Device.choose("auto", options.threads)
    series: dict[str, Points] = {}
    for size in sizes:
        clocks = {name: clock(piece) for name, piece in _pieces(size, device).items()}
        for name, seconds in in_turns(clocks, options.size(3, 1)).items():
            series.setdefault(name, {})[size] = seconds
    return series


def _pieces(size: int, device: Device) -> dict[str, Callable[[], object]]:
    data = work.arrays(size, test=10)
    trainer = work.trainer("ft", ARCH, data, device, batch_size=256, forget=size // 10)
    images = Images(data, work.AUGMENTATION, device.device)
    confidences = mia.confidences(mia.SPREAD, size, size // 10, seed=0)

    def epoch() -> None:
        trainer.model.train()
        for step in trainer.method.batches(0):
            trainer.train_step(step, progress=0.5)

    return {
        f"training images (epoch of FT, {ARCH})": epoch,
        f"training images (evaluation, {ARCH})": lambda: predict(trainer.model, images, device),
        "members (attack)": lambda: mia_rate(*confidences),
    }


def _draw(series: dict[str, Points], path: Path) -> None:
    """Draw seconds against what grows, a panel for each, with the straight line from the first point to the last."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from benchmark.report.style import FULL_WIDTH, RC

    with rc_context(RC):
        figure = Figure(figsize=(FULL_WIDTH, 3.4), layout="constrained")
        for place, (what, points) in enumerate(series.items(), start=1):
            axes = figure.add_subplot(2, 3, place)
            x, y = list(points), [statistics.median(seconds) for seconds in points.values()]
            axes.plot([x[0], x[-1]], [y[0], y[-1]], color="0.7", linewidth=0.8)
            axes.plot(x, y, "o", markersize=3, color="C0")
            axes.set_xlabel(what.replace(" (", "\n(").replace(", ", ",\n"))
            axes.set(ylabel="seconds", xlim=(0, None), ylim=(0, None))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path.with_suffix(".pdf"))
        figure.savefig(path.with_suffix(".png"))
