"""A miniature study that is tuned, and candidates that are made up or begun."""

import os

import pytest

from benchmark.study.prepare import split
from benchmark.study.study import Study
from benchmark.tune.candidate import Candidate
from benchmark.tune.journal import Journal

TUNE = {
    "tune": {"budget": 3, "utility": 80},
    "tables": {"table2": {"methods": ["original", "ft", "coun", "ft@lr=0.1"]}, "table8": None},
}
FT = {"tables": {"table2": {"methods": ["ft"]}}}
SEQUENTIAL = "digits/convnet/sequential-2x10"
STAGES = {"figure6": {"kind": "stages", "cells": [SEQUENTIAL], "methods": ["ft"]}}


def candidates() -> dict[str, list[tuple[dict[str, float], float]]]:
    """Return each method's values and objectives in order, from the journal."""
    journal = Journal(Study.load("tiny", tuned=False))
    return {
        pair.method: [(journal.values(trial), trial.value) for trial in journal.ended(pair)] for pair in journal.pairs
    }


def pretend(count: int = 1) -> None:
    """Write candidates that were never run into the journal, each better than the one before."""
    journal = Journal(Study.load("tiny", tuned=False))
    for _ in range(count):
        gap = 10.0 - sum(len(journal.ended(pair)) for pair in journal.pairs)
        _, trial = journal.next()
        trial.set_user_attr("history", [{"epoch": 2, "ra": 95.0, "pflops_executed": 1.0, "cpu_seconds": 1.0}])
        trial.set_user_attr("stamp", {"commit": "0", "device": "none", "precision": "float32"})
        trial.set_user_attr("avg_gap", gap)
        trial.study.tell(trial.number, gap)


def references(project) -> Study:
    """Train the Original and the Retrain that candidates need, and return their study."""
    tuning = Study.load("tiny-tuning")
    split(tuning, "digits", "random-10", 0)
    for name in ("original", "retrain"):
        project.run(tuning, project.name(name))
    return tuning


def begun(project, **values) -> Candidate:
    """Return FT's first candidate, with other values if any are given; its Original and Retrain have been trained."""
    references(project)
    journal = Journal(Study.load("tiny", tuned=False))
    journal.clean()
    pair, trial = journal.next()
    return Candidate(journal.study, pair.run(values or journal.values(trial)), pair.reference, trial, os.getppid())


@pytest.fixture
def tiny(project):
    return project.study(TUNE)
