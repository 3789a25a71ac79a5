"""A study that draws Original and the split anew in each trial, with fewer trials in one cell than in another."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark import paths
from benchmark.report.draw import draw_table
from benchmark.results import measured
from benchmark.results.gather import gather
from benchmark.study.prepare import split
from benchmark.study.study import Study
from benchmark.workflow.targets import Workflow
from tests.places import split_file

MIXED: dict[str, Any] = {
    "trials": 2,
    "resample": ["original", "split"],
    "tables": {
        "table2": {"methods": ["original", "ft"]},
        "table8": {"methods": ["original", "ft"], "trials": 1},
        "taken": {
            "kind": "predictions",
            "caption": "What eights are taken for",
            "cells": ["digits/convnet/class-8", "digits/convnet/random-10"],
            "methods": ["ft"],
            "classes": ["8", "1", "3"],
            "trials": 1,
        },
    },
}


@pytest.fixture
def mixed(project) -> Study:
    """Every run of the study, and only such splits as some run has drawn."""
    study = project.study(MIXED)
    for run in study.runs():
        if not run.name.is_original:
            split(study, "digits", run.name.scenario, run.split_trial)
        project.run(study, str(run.name))
    return study


def test_original_has_a_place_where_other_runs_have_a_trial(mixed) -> None:
    frames = gather(mixed)
    for what in ("metrics", "predictions"):
        rows = frames[what]
        original = rows[rows["method"] == "original"]
        assert set(zip(original["scenario"], original["trial"], strict=True)) == {
            ("random-10", 0),
            ("random-10", 1),
            ("class-8", 0),
        }
    assert len(measured.metrics(mixed, mixed.runs(), mixed.cells)) == len(frames["metrics"]) == 3 + 3 + 3
    for name in mixed.tables:
        draw_table(mixed, name)


def test_every_split_that_a_table_reads_is_an_input_of_it(mixed) -> None:
    def splits(name: str) -> set[str]:
        return {path for path in Workflow(mixed).shown_by(name) if paths.SPLITS in path.parents}

    random, again, eights = (split_file(mixed, *of) for of in (("random-10", 0), ("random-10", 1), ("class-8", 0)))
    assert splits("table2") == {random, again}
    assert splits("table8") == {eights}
    assert splits("taken") == {eights, random}
