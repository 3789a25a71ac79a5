"""Studies with a results page: of two cells, or of sequential removal alone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.report.draw import draw_table
from benchmark.report.page import draw_page
from benchmark.results.gather import collect
from benchmark.study.study import Study
from tests.report.conftest import STAGED, at_gap, changed, make_study, metrics, write_features, write_run


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study with its images, every run at a chosen gap, and every map; its folder is the working directory."""
    with contextlib.chdir(tmp_path_factory.mktemp("filled")):
        study = make_study("page")
        gaps = {"retrain": 0.0, "ft": 1.25, "coun": 0.75}
        for run in study.runs():
            values = at_gap(gaps.get(run.name.method, 4.0))
            write_run(study, str(run.name), values, prediction=np.arange(200) % 10)
        write_features(study)
        collect(study)
        draw_table(study, "claims")
        yield study


@pytest.fixture(scope="module")
def page(filled: Study) -> Path:
    """Its results page."""
    return draw_page(filled).resolve()


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of sequential removal alone: FT is 1, then 2 points from the first Retrain, and 5 from the last."""
    monkeypatch.chdir(tmp_path)
    make_study("page")
    figure = {"kind": "stages", "cells": [STAGED], "methods": ["ft"]}
    study = changed(tables={}, figures={"removed": figure})
    epochs = [metrics(points) | {"stage": stage} for stage, points in ((1, 89.0), (1, 88.0), (2, 75.0))]
    epochs = [row | {"epoch": number} for number, row in enumerate(epochs, 1)]
    for trial in range(2):
        write_run(study, f"digits/convnet/random-10/retrain/trial-{trial}", metrics(90.0))
        write_run(study, f"digits/convnet/random-20/retrain/trial-{trial}", metrics(79.0 + 2 * trial))
        write_run(study, f"{STAGED}/ft/trial-{trial}", epochs=epochs)
    return draw_page(study, partial=True)
