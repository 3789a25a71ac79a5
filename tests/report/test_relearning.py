"""The table of relearning."""

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.report.tables import relearning_table
from benchmark.study.kinds import RELEARNING
from benchmark.study.study import Study
from tests.report.conftest import RANDOM, Drawn, changed, write_derived, write_forget, write_run


def relearnt(*resample: str) -> Study:
    """Return a study whose Original of trial 0 knows 35 % of what is forgotten, and those of further trials 85 %."""
    section = {"kind": "relearning", "cells": [RANDOM], "methods": ["ft"]}
    study = changed(tables={"again": section}, figures={}, resample=[*resample])
    for trial in range(study.trials):
        write_forget(study, "random-10", np.arange(20), trial=trial)
    for run in study.runs():
        write_run(study, str(run.name))
    for derived in study.derived:
        name = derived.run.name
        known = (85.0 if name.trial else 35.0) if name.is_original else 10.0
        frame = pd.DataFrame({"step": [0, 10, 20], "forget_accuracy": [known, 40.0, 90.0]})
        write_derived(study, RELEARNING, str(name), derived.scenario, frame)
    return study


def steps(study: Study, partial: bool = False) -> float:
    return float(Drawn(study, "again", partial).by_method().loc["ft", "steps"])


def test_one_original_serves_all_trials_or_each_its_own_and_never_another(study) -> None:
    one = relearnt()
    assert steps(one) == pytest.approx(20 / 3)
    assert "Original, the model before unlearning, is a control." in Drawn(one, "again").caption  # which is not listed
    resampled = relearnt("original", "split")
    assert steps(resampled) == pytest.approx((20 / 3 + 18 + 18) / 3)
    original = resampled.derive(RELEARNING, resampled.run("digits/convnet/original/trial-1"), "random-10")
    paths.derived(original.pool_path).unlink()
    assert steps(resampled, partial=True) == pytest.approx((20 / 3 + 18) / 2)


def test_a_method_that_relearns_sooner_than_retrain_lies_above_it(study) -> None:
    one = relearnt()
    for derived in one.derived:
        if derived.run.name.method == "ft":
            frame = pd.DataFrame({"step": [0, 10, 20], "forget_accuracy": [30.0, 40.0, 90.0]})
            write_derived(one, RELEARNING, str(derived.run.name), derived.scenario, frame)
    again = Drawn(one, "again")
    # Retrain begins at 10 %: half an interval at 20 points more, of two.
    assert again.by_method().loc["ft", "difference"] == pytest.approx(5.0)
    assert again.row("FT")[3].startswith("5.00") and again.row("Retrain")[3] == "—"


def test_half_of_the_interval_stands_after_the_difference():
    row = {"method": "ft", "steps": 4.0, "diverged": 0, "trials": 3, "collapsed": 0}
    row |= {key: value for part in ("before", "after", "area") for key, value in ((part, 1.0), (f"{part}_sd", np.nan))}
    row |= {"difference": 5.0, "difference_low": 3.0, "difference_high": 7.0}
    ((_, *entries),) = relearning_table._rows(pd.DataFrame([row]), steps=20)
    assert entries[3] == "5.00±2.00"
