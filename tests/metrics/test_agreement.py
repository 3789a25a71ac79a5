import numpy as np
import pytest

from benchmark.metrics.samplewise.agreement import (
    TUG_OF_WAR_MIA,
    confidence_difference,
    disagreement,
    known_beyond_test,
    tug_of_war,
)
from benchmark.metrics.samplewise.memorisation import memorisation


def test_disagreement_and_confidence_difference_are_of_forgotten_samples_alone():
    forgotten = np.array([[True, True, True, False], [False, True, False, True]])
    unlearned, retrain = np.array([[0, 1, 2, 3], [0, 1, 2, 3]]), np.array([[0, 1, 3, 0], [1, 0, 0, 3]])
    assert disagreement(unlearned, retrain, forgotten) == pytest.approx([100 / 3, 50])
    margins = np.log([[3.0, 1.0, 1.0, 99.0], [99.0, 1.0, 99.0, 9.0]])  # probabilities 0.75, 0.5, ..., 0.9
    assert confidence_difference(margins, np.zeros((2, 4)), forgotten) == pytest.approx([25 / 3, 20])
    assert confidence_difference(np.full((1, 1), 900.0), np.full((1, 1), -900.0), np.ones((1, 1), bool)) == [100]
    assert np.isnan(disagreement(unlearned, retrain, np.zeros_like(forgotten))).all()


def test_tug_of_war_is_a_product_over_retain_forget_and_test_samples():
    metrics, retrain = np.array([[90.0, 20.0, 80.0, 60.0]]), np.array([[100.0, 10.0, 85.0, 80.0]])
    assert tug_of_war(metrics, retrain) == pytest.approx(0.9 * 0.9 * 0.95)
    assert tug_of_war(metrics, retrain, TUG_OF_WAR_MIA) == pytest.approx(0.9 * 0.8 * 0.95)
    assert tug_of_war(retrain, retrain) == 1


def test_known_beyond_test_is_the_forget_accuracy_minus_the_test_accuracy():
    assert known_beyond_test(np.array([[99.0, 20.0, 75.0, 60.0], [99.0, 30.0, 75.0, 0.0]])).tolist() == [5, -5]


def test_memorisation_is_what_training_on_a_sample_adds_to_its_accuracy():
    trained = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    correct = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 1, 0]], dtype=bool)
    assert memorisation(correct, trained) == pytest.approx([1.0, -0.5, -0.5])
    trained[1] = False  # leaves one model that was trained on the first two
    assert memorisation(correct, trained)[:2] == pytest.approx([np.nan] * 2, nan_ok=True)
