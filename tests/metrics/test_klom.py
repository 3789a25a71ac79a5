import numpy as np
import pytest

from benchmark.metrics.samplewise.klom import FLOOR, klom


def test_klom_equals_cases_worked_out_on_paper():
    # From 0 to 20, the models lie in bins 0, 0, 19 and 0, 19, 19: the last bin includes its upper end.
    unlearned, retrain = np.array([[0.0], [0.5], [20.0]]), np.array([[0.0], [19.5], [20.0]])
    expected = 2 / 3 * np.log(2) + 1 / 3 * np.log(1 / 2)
    assert klom(unlearned, retrain) == pytest.approx([expected])
    assert klom(np.array([[0.0]]), np.array([[1.0]])) == pytest.approx([(1 - FLOOR) * np.log(1 / FLOOR)])
    assert klom(np.array([[3.0], [3.0]]), np.array([[3.0], [3.0]])) == pytest.approx([0.0])


@pytest.mark.parametrize(("models", "value"), [(5, 7.98), (10, 5.57), (16, 3.75), (32, 1.60), (100, 0.35)])
def test_the_score_of_a_perfect_unlearner_depends_on_the_number_of_models(models: int, value: float):
    unlearned, retrain = np.random.default_rng(0).normal(size=(2, models, 4000))
    assert klom(unlearned, retrain).mean() == pytest.approx(value, rel=0.08)


def test_missing_margins_do_not_count():
    rng = np.random.default_rng(0)
    unlearned, retrain = rng.normal(size=(6, 50)), rng.normal(size=(4, 50))
    padded = [np.concatenate([margins, np.full((3, 50), np.nan)]) for margins in (unlearned, retrain)]
    assert klom(*padded) == pytest.approx(klom(unlearned, retrain))
    assert np.isnan(klom(np.full((2, 1), np.nan), np.ones((2, 1)))).all()


def test_the_direction_matters_and_bins_are_narrow():
    rng = np.random.default_rng(0)
    unlearned, retrain = rng.normal(2, 1, (5000, 1)), rng.normal(0, 3, (5000, 1))
    assert klom(unlearned, retrain)[0] < klom(retrain, unlearned)[0] / 1.5
    near, far = rng.normal(2, 0.5, (5000, 1)), rng.normal(3, 0.5, (5000, 1))  # two standard deviations apart
    assert klom(far, near)[0] > 1.5
