"""A study whose page can be looked at: two cells, or sequential removal alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark import paths
from benchmark.report.draw import draw_table
from benchmark.report.page import draw_page
from benchmark.results.gather import collect
from benchmark.study.study import Study
from tests.report.conftest import TRAIN, gap, write_images, write_map, write_run

CELL, SEQUENTIAL = "digits/convnet/random-10", "digits/convnet/sequential-2x10"
STUDY = """
description: A study in miniature
trials: 2
datasets:
  digits: {source: digits, augmentation: {mean: [0.3], std: [0.4]}}
hyperparameters:
  "*":
    training: {epochs: 3, lr: 0.1}
    unlearning: {epochs: 2}
tables:
  gaps: &gaps
    kind: unlearning
    caption: Two cells
    cells: [digits/convnet/random-10, digits/convnet/class-8]
    methods: [original, ft, not, coun, "coun@tau=0.2"]
  claims: {kind: claims}
figures:
  compared:
    <<: *gaps
    kind: maps
    methods: [retrain, ft]
"""


def after(level: float, away: float) -> dict[str, float]:
    """Metrics that all lie so many points below a level."""
    return dict.fromkeys(("ra", "ua", "ta", "mia"), level - away)


@pytest.fixture
def shown(study: Study) -> Study:
    """A study of two cells, where the fixtures' own study has its dataset and its splits."""
    paths.study_file(study.name).write_text(STUDY, encoding="utf-8")
    return Study.load(study.name)


@pytest.fixture
def filled(shown: Study, unchecked: None) -> Study:
    """The same with every run and map, with gaps that can be looked up, and its images."""
    gaps = {"retrain": 0.0, "ft": 1.25, "coun": 0.75}
    for run in shown.runs():
        metrics = gap(gaps.get(run.name.method, 4.0))
        write_run(shown, str(run.name), metrics, prediction=np.arange(TRAIN) % 10)
    for seed, one in enumerate(shown.derived):
        write_map(shown, str(one.run.name), one.scenario, seed)
    write_images(shown)
    collect(shown)
    draw_table(shown, "claims")
    return shown


@pytest.fixture
def page(filled: Study) -> Path:
    return draw_page(filled)


@pytest.fixture
def staged(study: Study) -> Path:
    """The page of a study of sequential removal alone: FT is 1 and 2 points from the first Retrain, 5 from the last."""
    figure = f"figures:\n  removed: {{kind: stages, cells: [{SEQUENTIAL}], methods: [ft]}}\n"
    paths.study_file(study.name).write_text(STUDY[: STUDY.index("tables:")] + figure, encoding="utf-8")
    study = Study.load(study.name)
    history = [(1, 90.0, 1.0), (1, 90.0, 2.0), (2, 80.0, 5.0)]
    rows = enumerate(history, 1)
    epochs = [{**after(level, away), "epoch": epoch, "stage": stage} for epoch, (stage, level, away) in rows]
    for trial in range(2):
        write_run(study, f"{CELL}/retrain/trial-{trial}", after(90.0, 0.0))
        write_run(study, f"digits/convnet/random-20/retrain/trial-{trial}", after(80.0, 1.0 - 2 * trial))
        write_run(study, f"{SEQUENTIAL}/ft/trial-{trial}", epochs=epochs)
    return draw_page(study, partial=True)
