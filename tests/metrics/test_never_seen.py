import numpy as np
import pytest

from benchmark.metrics.samplewise.never_seen import OFFLINE, References, margin_auc


def models(trials: int = 6, samples: int = 3000, memory: float = 0.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return margins of training and test samples of varying difficulty, and what each trial forgot.

    A model's margin is higher by 3 on samples it was trained on, by ``memory`` on those it forgot.
    """
    rng = np.random.default_rng(seed)
    forgotten = rng.random((trials, samples)) < 0.5
    margin = rng.normal(0, 3, samples) + rng.normal(size=(trials, samples)) + np.where(forgotten, memory, 3)
    return margin, rng.normal(0, 3, samples) + rng.normal(size=(trials, samples)), forgotten


def test_plain_calibrated_and_relative_aucs_equal_cases_worked_out_on_paper():
    margin, test = np.array([[2.0, 0.0, 9.0], [1.0, 5.0, 1.0]]), np.array([[1.0, 2.0], [1.0, 1.0]])
    forgotten = np.array([[True, True, False], [True, False, True]])
    assert margin_auc(margin, test, forgotten) == pytest.approx([(1 + 0.5 + 0 + 0) / 4, 0.5])
    # Trial 0 forgot samples 0 and 1: both other Retrains were not trained on 0, only the last not on 1.
    unseen = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    retrain = np.array([[9.0, 9.0, 9.0], [1.0, 9.0, 9.0], [3.0, 5.0, 9.0]])
    references = References(retrain, np.zeros((3, 40)), unseen)
    margin, test = np.array([[2.5, 4.0, 0], [6.5, 0, 0], [4.5, 9.5, 0]]), np.tile(np.linspace(-2, 2, 40), (3, 1))
    below = lambda *values: np.mean([(test[0] < value).mean() for value in values])  # noqa: E731
    # Reference means: 2 and 5 for trial 0, 6 for trial 1, 5 and 9 for trial 2.
    expected = [below(0.5, -1), below(0.5), below(-0.5, 0.5)]
    assert references.calibrated_auc(margin, test, unseen).mean() == pytest.approx(np.mean(expected))
    # The RMIA score of a sample is the share of test samples that it exceeds.
    unseen = np.array([[True], [True]])
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    references = References(logit(np.array([[0.5], [0.4]])), logit(np.full((2, 3), 0.5)), unseen)
    test = logit(np.array([[0.5, 0.7, 0.9]] * 2))
    # a = 1: p / E p is 0.6 / 0.4 = 1.5 for the sample; 1, 1.4 and 1.8 for the others, of which it exceeds two.
    aucs = references.rmia_auc(logit(np.array([[0.6], [0.6]])), test, unseen, a=1.0)
    # Trial 1's sample, with 0.6 / 0.5, exceeds one of them. Two trials give no spread of the mean.
    assert aucs[0] == pytest.approx(np.mean([2 / 3, 1 / 3])) and np.isnan(aucs[1])


@pytest.mark.parametrize("trials", [3, 6])
def test_forgotten_samples_score_a_half_and_remembered_ones_more(trials: int):
    """Forgotten samples have fewer references than test samples: that alone must not tell them apart."""
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


def test_a_is_chosen_by_how_well_it_finds_what_references_were_trained_on():
    retrain, test, forgotten = models(6, 2000)
    references = References(retrain, test, forgotten)
    chosen = references.offline_a()
    aucs = [references.rmia_auc(retrain, test, ~forgotten, a).mean() for a in OFFLINE]
    assert chosen == OFFLINE[int(np.argmax(aucs))] and max(aucs) > 0.7


def test_samples_that_all_other_trials_trained_on_are_not_judged():
    retrain, test, forgotten = models(2, 500)
    alone = forgotten & ~forgotten[::-1]
    references = References(retrain, test, alone)
    assert np.isnan(references.calibrated_auc(retrain, test, alone)).all()
    assert np.isnan(references.rmia_auc(retrain, test, alone, 0.5)).all()


def test_standard_errors_hold_although_trials_are_references_for_one_another():
    """Without the jackknife, the calibrated form's error would be a quarter too small."""
    rng = np.random.default_rng(1)
    difficulty = rng.normal(0, 2, (2, 1, 200))  # of forgotten and of test samples, in all draws
    aucs: dict[str, list[np.ndarray]] = {"calibrated": [], "rmia": []}
    for _ in range(60):
        forgotten = rng.random((16, 200)) < 0.5
        # Retrains and unlearned models, each shifted as a whole.
        noise = rng.normal(size=(2, 2, 16, 200)) + 0.3 * rng.normal(size=(2, 1, 16, 1))
        (retrain, retrain_test), (margin, test) = noise + difficulty
        references = References(retrain, retrain_test, forgotten)
        margin = margin + 0.7 * forgotten
        aucs["calibrated"].append(references.calibrated_auc(margin, test, forgotten))
        aucs["rmia"].append(references.rmia_auc(margin, test, forgotten, 0.5))
    for name, values in aucs.items():
        error = np.std(values, axis=1, ddof=1).mean() / np.sqrt(16)
        assert 0.85 < error / np.mean(values, axis=1).std(ddof=1) < 1.2, name
