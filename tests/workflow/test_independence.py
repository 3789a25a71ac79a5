"""A result depends on the run's name alone: not on what else runs, in which order, or how many at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from benchmark import paths
from benchmark.study.study import Study
from tests.project import CLOCKS

CELL = "digits/convnet/random-10"
DRAWN_ANEW = {
    "resample": ["original", "split"],
    "tables": {
        "table2": {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "coun", "salun"]},
        "table8": None,
    },
}

pytestmark = pytest.mark.slow


def collected() -> dict[str, pd.DataFrame]:
    found = {what: pd.read_parquet(paths.collected("tiny", what)) for what in ("metrics", "history", "predictions")}
    clocks = [*CLOCKS, "wall_seconds", "peak_memory_mb", "commit"]
    return {what: frame.drop(columns=clocks, errors="ignore") for what, frame in found.items()}


def test_results_do_not_depend_on_the_order_of_jobs_or_on_how_many_run_at_once(empty, tmp_path, monkeypatch):
    empty.add_workflow()
    study = empty.study(DRAWN_ANEW)
    empty.snakemake("collect", "--cores", "1", "--config", "study=tiny", check=True)
    one_at_a_time = collected()
    assert set(one_at_a_time["metrics"]["method"]) == {"original", "retrain", "ft", "coun", "salun"}

    # Elsewhere, by hand: four at once, Originals first since others start from them, and the rest in disorder.
    other = type(empty)(tmp_path / "other")
    other.root.mkdir()
    monkeypatch.chdir(other.root)
    other.study(DRAWN_ANEW)
    other.command("prepare", "tiny", "digits", check=True)
    for trial in range(study.trials):
        other.command("split", "tiny", "digits", "random-10", str(trial), check=True)
    names = [str(run.name) for run in Study.load("tiny").runs()]
    random.Random(0).shuffle(names)
    with ThreadPoolExecutor(4) as pool:
        for group in (True, False):
            some = [name for name in names if ("/original/" in name) == group]
            list(pool.map(lambda name: other.command("run", "tiny", name, check=True), some))
    other.command("collect", "tiny", check=True)
    in_disorder = collected()
    for what, frame in one_at_a_time.items():
        pd.testing.assert_frame_equal(in_disorder[what], frame, check_exact=True)
