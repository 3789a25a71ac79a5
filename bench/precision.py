"""bfloat16 beside float32: a small study of real images run in both, trial by trial, and their metrics compared.

Needs CIFAR-10 as parquet shards under ``images/cifar10``. Each trial trains an Original and a split of its own, so
that its metrics spread as those of a study that draws both anew.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.project import Project, project
from bench.rows import Options, Row, Wanted
from benchmark.errors import BadInput
from benchmark.settings import DatasetSettings

IMAGES = Path("images/cifar10")
CELL = "cifar10/resnet18-w16-s2/random-50"
METHODS = ("retrain", "ft", "coun")
METRICS = ("ra", "ua", "ta", "mia")
PRECISIONS = ("bfloat16", "float32")
SPREADS = "difference over both standard deviations"


def missing() -> str | None:
    """Return what is missing for this section, as a line; None if nothing is."""
    shards = DatasetSettings(source="parquet")
    if all(any(IMAGES.glob(pattern)) for pattern in (shards.train, shards.test)):
        return None
    return f"{IMAGES} lacks {shards.train} or {shards.test}: the section 'precision' reads CIFAR-10 from there"


def rows(options: Options) -> list[Row]:
    """Return a row for each method and metric: the means over trials in bfloat16 and in float32.

    Raises
    ------
    BadInput
        If the images are not there.
    """
    if told := missing():
        raise BadInput(told)
    trials = options.size(max(options.repeats, 5), 2)
    with project() as fresh:
        (fresh.folder / "images").mkdir()
        (fresh.folder / IMAGES).symlink_to(IMAGES.resolve())
        for precision in PRECISIONS:
            fresh.study(precision, _study(precision, trials, options))
        fresh.command("prepare", PRECISIONS[0], "cifar10")
        with ThreadPoolExecutor(options.threads) as pool:
            both = [(precision, trial) for trial in range(trials) for precision in PRECISIONS]
            list(pool.map(lambda one: _trial(fresh, *one), both))
        for precision in PRECISIONS:
            fresh.command("collect", precision)
        found = {name: _metrics(fresh.folder / "results" / f"{name}-metrics.parquet") for name in PRECISIONS}
    return [_row(found, method, metric, trials) for method in METHODS for metric in METRICS]


def _study(precision: str, trials: int, options: Options) -> dict[str, Any]:
    images, tested, epochs = options.size(3000, 100), options.size(2000, 50), options.size(16, 1)
    return {
        "trials": trials,
        "resample": ["original", "split"],
        "precision": precision,
        "datasets": {
            "digits": None,
            "cifar10": {"source": "parquet", "path": str(IMAGES), "subset": images, "test_subset": tested},
        },
        "hyperparameters": {
            "*": {
                "training": {"epochs": epochs, "batch_size": 64, "lr": 0.1, "schedule": "cosine"},
                "unlearning": {"epochs": options.size(6, 1), "batch_size": 64, "lr": 0.05, "evaluate_every": 100},
            }
        },
        "tables": {"gaps": {"kind": "unlearning", "cells": [CELL], "methods": [*METHODS[1:]]}},
    }


def _trial(fresh: Project, study: str, trial: int) -> None:
    fresh.command("split", study, "cifar10", CELL.rsplit("/", 1)[1], str(trial))
    fresh.command("run", study, f"{CELL.rsplit('/', 1)[0]}/original/trial-{trial}")
    for method in METHODS:
        fresh.command("run", study, f"{CELL}/{method}/trial-{trial}")


def _metrics(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).set_index(["method", "trial"])[list(METRICS)]


def _row(found: dict[str, pd.DataFrame], method: str, metric: str, trials: int) -> Row:
    half, full = (found[precision].loc[method][metric].to_numpy() for precision in PRECISIONS)
    deviations = [float(np.std(values, ddof=1)) for values in (half, full)]
    apart = float(abs(half.mean() - full.mean()))
    figures = {
        "standard deviation in bfloat16": deviations[0],
        "in float32": deviations[1],
        SPREADS: apart / max(sum(deviations), 1e-9) if apart else 0.0,
    }
    return Row(
        f"{method}, {metric.upper()}; reference: float32",
        "%",
        float(half.mean()),
        float(full.mean()),
        figures=figures,
        wanted=(Wanted(SPREADS, "<=", 1.0),),
        how=f"mean of {trials} trials",
    )
