"""Test samples that are as hard as forgotten ones, and audits of forgotten samples that are harder than the others."""

import numpy as np
import pytest

from benchmark.metrics.samplewise.battery import MethodOutputs, by_trial
from benchmark.metrics.samplewise.built_in_audits import Forgetting
from benchmark.metrics.samplewise.matching import _expected, as_hard
from benchmark.names import RETRAIN

TRIALS, SAMPLES = 6, 4000
AUDITS = ["unseen-auc", "unseen-auc-calibrated", "rmia-auc", "kept"]


def test_the_retrains_of_other_trials_say_how_hard_a_sample_is():
    margin = np.array([[0.0, 9.0], [2.0, 9.0]])
    tests = np.array([[3.0, 8.0, 1.0], [-1.0, 7.0, 2.0]])
    # Forgotten samples at 2 and 9 are compared with tests at -1, 7 and 2; those at 0 and 9 with tests at 3, 8 and 1.
    assert as_hard(margin, tests).tolist() == [[2, 1], [2, 1]]
    assert as_hard(margin[:1], tests[:1]).tolist() == [[2, 1]]  # a single trial has no others


def test_samples_are_as_hard_if_a_further_retrain_is_expected_to_find_them_so():
    # Their means are 0 and 4, of whose variance half is noise.
    assert _expected(np.array([[0.0, 2.0], [0.0, 6.0]])).tolist() == [1.0, 3.0]
    assert _expected(np.array([[0.5, 2.1]] * 3)).tolist() == [0.5, 2.1]


def audited(chosen: bool) -> dict[str, tuple[float, float]]:
    """Return value and null of the audits of a model that kept nothing, but is less sure than Retrain of everything.

    The forgotten tenth is the hardest. Test samples are matched if it is said that a file has ``chosen`` it.
    """
    rng = np.random.default_rng(0)
    hard, tests = np.sort(rng.normal(2, 2, SAMPLES)), rng.normal(2, 2, 10 * SAMPLES)
    forgotten = np.tile(np.arange(SAMPLES) < SAMPLES // 10, (TRIALS, 1))

    def outputs(scale: float) -> tuple[np.ndarray, np.ndarray]:
        return tuple(rng.normal(size=(TRIALS, len(mean))) + scale * mean for mean in (hard, tests))

    margins = {RETRAIN: outputs(1.0), "unsure": outputs(0.5)}
    retrain, retrain_tests = margins[RETRAIN]
    compared = as_hard(retrain[:, forgotten[0]], retrain_tests) if chosen else None
    forgetting = Forgetting(np.arange(TRIALS), forgotten, np.zeros_like(forgotten), compared)
    methods = {}
    for method, (margin, test) in margins.items():
        unseen = forgetting.compared_of(test)
        known = 100 * ((margin > 0)[:, forgotten[0]].mean(axis=1) - (unseen > 0).mean(axis=1))
        metrics, predicted = np.zeros((TRIALS, 4)), (margin > 0).astype(np.int16)
        methods[method] = MethodOutputs(np.arange(TRIALS), margin, predicted, test, test, metrics, known)
    means = by_trial(methods, forgetting).groupby("audit")[["value", "null"]].mean()
    return {audit: tuple(means.loc[audit]) for audit in AUDITS}


def test_a_model_that_is_less_sure_of_everything_has_kept_nothing_of_the_hardest_samples():
    readings = audited(chosen=True)
    assert readings["kept"] == pytest.approx((0, 0), abs=2)
    assert readings["unseen-auc"] == pytest.approx((0.5, 0.5), abs=0.02)
    for audit in AUDITS[1:3]:
        value, null = readings[audit]
        assert value == pytest.approx(null, abs=0.02), audit


def test_with_all_test_samples_it_would_seem_to_have_kept_them():
    readings = audited(chosen=False)
    value, null = readings["unseen-auc-calibrated"]
    assert value > 0.8 and null == pytest.approx(0.5, abs=0.02) and readings["kept"][0] > 15
