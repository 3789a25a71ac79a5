import numpy as np
import pytest

from benchmark.metrics.samplewise.never_seen import OFFLINE, References, margin_auc


def models(trials: int = 6, samples: int = 3000, memory: float = 0.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Margins of training and test samples, each of its own difficulty, and what each trial forgot.

    What a model was trained on has a margin higher by 3, what it forgot by ``memory``.
    """
    rng = np.random.default_rng(seed)
    forgotten = rng.random((trials, samples)) < 0.5
    margin = rng.normal(0, 3, samples) + rng.normal(size=(trials, samples)) + np.where(forgotten, memory, 3)
    return margin, rng.normal(0, 3, samples) + rng.normal(size=(trials, samples)), forgotten


def test_plain_calibrated_and_relative_aucs_are_those_worked_out_on_paper():
    margin, test = np.array([[2.0, 0.0, 9.0], [1.0, 5.0, 1.0]]), np.array([[1.0, 2.0], [1.0, 1.0]])
    forgotten = np.array([[True, True, False], [True, False, True]])
    assert margin_auc(margin, test, forgotten) == pytest.approx([(1 + 0.5 + 0 + 0) / 4, 0.5])
    # Trial 0 forgot samples 0 and 1; of the other Retrains, both were not trained on 0, only the last one on 1.
    unseen = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    retrain = np.array([[9.0, 9.0, 9.0], [1.0, 9.0, 9.0], [3.0, 5.0, 9.0]])
    references = References(retrain, np.zeros((3, 40)), unseen)
    margin, test = np.array([[2.5, 4.0, 0.0]] * 3), np.tile(np.linspace(-2, 2, 40), (3, 1))
    # Above their means, 2 and 5, by 0.5 and -1.
    found = references.calibrated_auc(margin, test, unseen)[0]
    assert found == pytest.approx(np.mean([(test[0] < 0.5).mean(), (test[0] < -1).mean()]))
    # RMIA of one sample is the share of test samples that it exceeds.
    unseen = np.array([[True], [True]])
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    references = References(logit(np.array([[0.5], [0.4]])), logit(np.full((2, 3), 0.5)), unseen)
    test = logit(np.array([[0.5, 0.7, 0.9]] * 2))
    # a = 1: p / E p is 0.6 / 0.4 = 1.5 for the sample, 1, 1.4 and 1.8 for the others, whose scores are 0, 1/3 and 2/3.
    found = references.rmia_auc(logit(np.array([[0.6], [0.6]])), test, unseen, a=1.0)
    assert found[0] == pytest.approx((1 + 1 + 0.5) / 3)


@pytest.mark.parametrize("trials", [3, 6])
def test_what_is_not_remembered_reads_a_half_and_what_is_reads_more(trials: int):
    """Forgotten samples have fewer references than test samples would: that alone must not tell them apart."""
    retrain, retrain_test, forgotten = models(trials, 8_000)
    references = References(retrain, retrain_test, forgotten)
    rng = np.random.default_rng(9)
    for memory in (0.0, 1.5):
        margin = retrain + rng.normal(size=retrain.shape) + memory
        test = retrain_test + rng.normal(size=retrain_test.shape)
        raw = margin_auc(margin, test, forgotten).mean()
        calibrated = references.calibrated_auc(margin, test, forgotten).mean()
        rmia = references.rmia_auc(margin, test, forgotten, references.offline_a()).mean()
        if not memory:
            assert [raw, calibrated, rmia] == pytest.approx([0.5] * 3, abs=0.012)
        else:
            assert calibrated > raw + 0.05 and rmia > raw + 0.02 and raw > 0.55


def test_a_is_chosen_by_what_the_references_were_trained_on():
    retrain, test, forgotten = models(6, 2000)
    references = References(retrain, test, forgotten)
    chosen = references.offline_a()
    aucs = [references.rmia_auc(retrain, test, ~forgotten, a).mean() for a in OFFLINE]
    assert chosen == OFFLINE[int(np.argmax(aucs))] and max(aucs) > 0.7


def test_samples_that_no_other_trial_left_unseen_are_not_judged():
    retrain, test, forgotten = models(2, 500)
    alone = forgotten & ~forgotten[::-1]
    references = References(retrain, test, alone)
    assert np.isnan(references.calibrated_auc(retrain, test, alone)).all()
    assert np.isnan(references.rmia_auc(retrain, test, alone, 0.5)).all()
