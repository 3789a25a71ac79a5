"""How time grows with trials, cells and the size of the dataset, from measured points; figures/bench/scale shows it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import mia, work
from bench.project import ROOT, Project, project
from bench.rows import Options, Row
from bench.timing import interleaved
from benchmark import files
from benchmark.metrics.mia import mia_rate
from benchmark.training.batches import Images
from benchmark.training.device import Device
from benchmark.training.evaluate import predict

FIGURE = Path("figures/bench/scale")
CORES = "2"
METHODS = ["ft", "coun"]
ARCH = "resnet18-w16-s2"
PERCENTS = (10, 20, 30, 40, 50, 60, 70, 80)


def rows(options: Options) -> list[Row]:
    """Return a row a point, and draw them."""
    counts = (1, 2, 4) if not options.short else (1,)
    sizes = (1_000, 2_000, 5_000, 10_000) if not options.short else (60, 120)
    found = {
        "trials of a cell": _studies(counts, lambda n: {"trials": n, "tables": _table(1)}, "trials"),
        "cells of a trial": _studies(counts, lambda n: {"tables": _table(n)}, "cells"),
        **_datasets(sizes, options),
    }
    if not options.short:
        found["trials of the paper study (dry run)"] = _dry_runs((1, 3, 10), options)
    figure = FIGURE.with_name("scale-short") if options.short else FIGURE
    _draw({what: points for what, points in found.items() if len(points) > 1}, figure)
    return [
        Row(f"{what}: {n:,}", "s", median, figures={"s each": median / n}, seconds={"ours": seconds})
        for what, points in found.items()
        for n, seconds in points
        for median in [statistics.median(seconds)]
    ]


Points = list[tuple[int, list[float]]]  # a number, and the seconds of every repeat


def _table(cells: int) -> dict[str, Any]:
    listed = [f"digits/convnet/random-{percent}" for percent in PERCENTS[:cells]]
    return {"gaps": {"kind": "unlearning", "cells": listed, "methods": METHODS}}


def _studies(counts: Sequence[int], changes: Callable[[int], dict[str, Any]], name: str) -> Points:
    """Time whole workflows of a tiny study: Retrain, FT and CoUn for each trial and cell, and a table."""
    found = []
    for n in counts:
        with project() as fresh:
            fresh.add_workflow()
            fresh.study(name, changes(n))
            gaps = ("gaps", "--cores", CORES, "--config", f"study={name}")
            found.append((n, [fresh.seconds(*gaps, module="snakemake")]))
    return found


def _dry_runs(counts: Sequence[int], options: Options) -> Points:
    """Time the planning of the paper study with so many trials."""
    found = []
    with project() as fresh:
        fresh.add_workflow()
        _config(fresh, "paper")
        for n in counts:
            (fresh.folder / "config" / f"paper-{n}.yaml").write_text(f"extends: paper\ntrials: {n}\n", encoding="utf-8")
            dry = ("all", "-n", "--quiet", "--cores", CORES, "--config", f"study=paper-{n}")
            found.append((n, [fresh.seconds(*dry, module="snakemake") for _ in range(options.size(3, 1))]))
    return found


def _config(fresh: Project, name: str) -> None:
    source = (ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8")
    (fresh.folder / "config" / f"{name}.yaml").write_text(source, encoding="utf-8")


def _datasets(sizes: Sequence[int], options: Options) -> dict[str, Points]:
    """Time an epoch of FT, an evaluation and an attack on datasets of so many training images."""
    names = f"training images (epoch of FT, {ARCH})", f"training images (evaluation, {ARCH})", "members (attack)"
    columns = zip(*(_dataset(size, options) for size in sizes), strict=True)
    return {name: list(zip(sizes, column, strict=True)) for name, column in zip(names, columns, strict=True)}


def _dataset(size: int, options: Options) -> list[list[float]]:
    device = Device.choose("auto", options.threads)
    data = work.arrays(size, test=10)
    trainer = work.trainer("ft", ARCH, data, device, batch_size=256, forget=size // 10)
    images = Images(data, work.AUGMENTATION, device.device)
    given = mia.confidences(mia.SPREAD, size, size // 10, seed=0)

    def epoch() -> None:
        trainer.model.train()
        for step in trainer.method.batches(0):
            trainer.train_step(step, progress=0.5)

    pieces: dict[str, Callable[[], object]] = {
        "epoch": epoch,
        "evaluation": lambda: predict(trainer.model, images, device),
        "attack": lambda: mia_rate(*given),
    }
    seconds = interleaved(pieces, options.size(3, 1), device.wait, least=0.0)
    return list(seconds.values())


def _draw(found: dict[str, Points], path: Path) -> None:
    """Draw seconds against numbers, a panel for each, with the straight line from the first point to the last."""
    if not found:
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from benchmark.report.figures.draw import METADATA
    from benchmark.report.style import FULL_WIDTH, RC

    with rc_context(RC):
        columns = 3
        lines = -(-len(found) // columns)
        figure = Figure(figsize=(FULL_WIDTH, 1.7 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for axes, (what, points) in zip(panels, found.items(), strict=False):
            x, y = np.array([(n, statistics.median(seconds)) for n, seconds in points]).T
            axes.plot(x[[0, -1]], y[[0, -1]], color="0.7", linewidth=0.8)
            axes.plot(x, y, "o", markersize=3, color="C0")
            axes.set_xlabel(what.replace(" (", "\n(").replace(", ", ",\n"))
            axes.set_ylabel("seconds")
            axes.set_xlim(0)
            axes.set_ylim(0)
        for axes in list(panels):
            axes.set_visible(False)
        for suffix, metadata in METADATA.items():
            with files.replacing(path.with_suffix(suffix)) as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=metadata)
