"""How well simulated methods are told from Retrain, by how far samples are memorised."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.samplewise.battery import Outputs
from benchmark.metrics.samplewise.memorisation import by_memorisation
from benchmark.metrics.samplewise.sufficiency import Forgetting

TRIALS, SAMPLES = 6, 6000


@pytest.fixture(scope="module")
def aucs() -> pd.Series:
    """The mean AUC by memorisation, of a perfect unlearner and of one that forgets nothing."""
    rng = np.random.default_rng(3)
    forgotten = rng.random((TRIALS, SAMPLES)) < 0.5
    forgetting = Forgetting(np.arange(TRIALS), forgotten, np.zeros_like(forgotten))
    hardness = rng.normal(0, 2, SAMPLES)
    methods = {}
    for method, learnt in (("retrain", ~forgotten), ("perfect", ~forgotten), ("original", np.ones_like(forgotten))):
        margin = np.where(learnt, 4.0, hardness) + rng.normal(size=forgotten.shape)
        test = rng.normal(0, 2, (TRIALS, 1000))
        # All samples are of class 0.
        predicted = (margin < 0).astype(np.int16)
        methods[method] = Outputs(forgetting.trials, margin, predicted, test, test, np.zeros((TRIALS, 4)))
    rows = by_memorisation(methods, forgetting, np.zeros(SAMPLES, np.int64))
    assert set(rows["trial"]) == set(range(TRIALS)) and (rows["samples"] >= 20).all()
    return rows.groupby(["method", "memorisation"])["auc"].mean()


def test_a_perfect_unlearner_scores_a_half_at_any_memorisation(aucs):
    assert len(aucs["perfect"]) >= 4 and aucs["perfect"].to_numpy() == pytest.approx(0.5, abs=0.03)


def test_a_method_that_forgets_nothing_scores_higher_the_more_samples_are_memorised(aucs):
    assert aucs["original"].is_monotonic_increasing and aucs["original", 1.0] > 0.95


def test_without_different_forget_sets_there_is_no_result():
    forgotten = np.tile(np.arange(200) < 100, (4, 1))
    forgetting = Forgetting(np.arange(4), forgotten, np.zeros_like(forgotten))
    margin = np.random.default_rng(0).normal(size=forgotten.shape)
    outputs = Outputs(forgetting.trials, margin, (margin < 0).astype(np.int16), margin, margin, np.zeros((4, 4)))
    assert by_memorisation({"retrain": outputs, "ft": outputs}, forgetting, np.zeros(200, np.int64)).empty
