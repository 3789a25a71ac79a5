"""A result depends on the run's name alone: not on what else runs, in which order, or how many at once."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from benchmark import paths
from benchmark.results.gather import collect
from benchmark.study.prepare import prepare, split
from tests.project import CELL, CLOCKS

DRAWN_ANEW = {
    "resample": ["original", "split"],
    "tables": {
        "table2": {"kind": "unlearning", "cells": [CELL], "methods": ["ft", "coun"]},
        "table8": None,
    },
}


def collected() -> dict[str, pd.DataFrame]:
    found = {what: pd.read_parquet(paths.collected("tiny", what)) for what in ("metrics", "history", "predictions")}
    clocks = [*CLOCKS, "wall_seconds", "peak_memory_mb", "commit"]
    return {what: frame.drop(columns=clocks, errors="ignore") for what, frame in found.items()}


@pytest.mark.slow
def test_results_do_not_depend_on_the_order_of_jobs_or_on_how_many_run_at_once(empty, tmp_path, monkeypatch):
    empty.add_workflow()
    study = empty.study(DRAWN_ANEW)
    empty.snakemake("collect", "--cores", "4", "--config", "study=tiny", check=True)
    at_once = collected()
    assert set(at_once["metrics"]["method"]) == {"original", "retrain", "ft", "coun"}

    # Elsewhere, by hand, one after the other: Originals first since others start from them, and the rest in disorder.
    other = type(empty)(tmp_path / "other")
    other.root.mkdir()
    monkeypatch.chdir(other.root)
    study = other.study(DRAWN_ANEW)
    prepare(study, "digits")
    for trial in range(study.trials):
        split(study, "digits", "random-10", trial)
    disorder = random.Random(0).sample(study.runs(), len(study.runs()))
    for run in sorted(disorder, key=lambda run: not run.name.is_original):
        other.run(study, str(run.name))
    collect(study)
    in_disorder = collected()
    for what, frame in at_once.items():
        pd.testing.assert_frame_equal(in_disorder[what], frame, check_exact=True)
