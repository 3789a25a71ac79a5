"""How well simulated methods are told from Retrain, by how far samples are memorised."""

import numpy as np
import pandas as pd
import pytest

from benchmark.metrics.samplewise.battery import MethodOutputs
from benchmark.metrics.samplewise.built_in_audits import Forgetting
from benchmark.metrics.samplewise.memorisation import by_memorisation

TRIALS, SAMPLES = 6, 6000


def simulated(share: float, held_out: float = 0.0) -> tuple[pd.DataFrame, Forgetting]:
    """Return the AUCs of a perfect unlearner and of one that forgets nothing, and what was forgotten."""
    rng = np.random.default_rng(3)
    position = rng.random((TRIALS, SAMPLES))
    forgetting = Forgetting(np.arange(TRIALS), position < share, position >= 1 - held_out)
    hardness = rng.normal(0, 2, SAMPLES)
    learnt = ~forgetting.unseen
    methods = {}
    for method, remembered in (("retrain", learnt), ("perfect", learnt), ("original", ~forgetting.held_out)):
        margin = np.where(remembered, 4.0, hardness) + rng.normal(size=position.shape)
        test = rng.normal(0, 2, (TRIALS, 1000))
        # All samples are of class 0.
        predicted = (margin < 0).astype(np.int16)
        methods[method] = MethodOutputs(
            forgetting.trials, margin, predicted, test, test, np.zeros((TRIALS, 4)), np.zeros(TRIALS)
        )
    return by_memorisation(methods, forgetting, np.zeros(SAMPLES, np.int64)), forgetting


@pytest.fixture(scope="module")
def aucs() -> pd.Series:
    """The mean AUC by memorisation, of a perfect unlearner and of one that forgets nothing."""
    rows, _ = simulated(0.5)
    assert set(rows["trial"]) == set(range(TRIALS)) and (rows["samples"] >= 20).all()
    return rows.groupby(["method", "memorisation"])["auc"].mean()


def test_a_perfect_unlearner_scores_a_half_at_any_memorisation(aucs):
    assert len(aucs["perfect"]) >= 4 and aucs["perfect"].to_numpy() == pytest.approx(0.5, abs=0.03)


def test_a_method_that_forgets_nothing_scores_higher_the_more_samples_are_memorised(aucs):
    assert aucs["original"].is_monotonic_increasing and aucs["original", 1.0] > 0.95


def test_a_sample_that_the_other_trials_only_held_out_has_a_score_but_is_not_judged():
    rows, forgetting = simulated(0.1, held_out=0.3)
    judged = (forgetting.forgotten & (forgetting.forgotten.sum(axis=0) > 1)).sum(axis=1)
    counts = rows[rows["method"] == "perfect"].groupby("trial")["samples"].sum()
    assert (counts > 100).all() and (counts.to_numpy() <= judged).all()


def test_without_different_forget_sets_there_is_no_result():
    forgotten = np.tile(np.arange(200) < 100, (4, 1))
    forgetting = Forgetting(np.arange(4), forgotten, np.zeros_like(forgotten))
    margin = np.random.default_rng(0).normal(size=forgotten.shape)
    outputs = MethodOutputs(
        forgetting.trials, margin, (margin < 0).astype(np.int16), margin, margin, np.zeros((4, 4)), np.zeros(4)
    )
    assert by_memorisation({"retrain": outputs, "ft": outputs}, forgetting, np.zeros(200, np.int64)).empty
