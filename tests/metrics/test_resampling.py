import numpy as np
import pytest

from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.samplewise import nulls
from benchmark.metrics.samplewise.likelihood import efficacy
from benchmark.metrics.samplewise.resampling import contributions, over_pairs

VALUES = np.array([1.0, 4.0, 2.0, 9.0, 5.0])


def test_contributions_average_to_the_statistic_and_are_nan_without_a_spread():
    assert contributions(lambda trials: float(VALUES[trials].mean()), 5) == pytest.approx(VALUES)
    spread = contributions(lambda trials: float(VALUES[trials].std()), 5)
    assert spread.mean() == pytest.approx(VALUES.std()) and spread.std() > 0
    # Those over pairs equal the jackknife's.
    differences = [np.abs(VALUES - np.roll(VALUES, shift)) for shift in range(1, 5)]

    def statistic(trials: np.ndarray) -> float:
        pairs = np.abs(np.subtract.outer(VALUES[trials], VALUES[trials]))
        return float(pairs.sum() / len(trials) / (len(trials) - 1))

    assert over_pairs(differences) == pytest.approx(contributions(statistic, 5))
    assert np.array_equal(contributions(lambda trials: float(len(trials)), 1), [1.0])
    few = contributions(lambda trials: 7.0 if len(trials) == 3 else np.nan, 3)
    assert few[0] == 7 and np.isnan(few[1:]).all()
    two = over_pairs([np.array([3.0, 3.0])])
    assert two[0] == 3 and np.isnan(two[1])
    pair = over_pairs([np.array([3.0, 3.0, np.nan, np.nan, np.nan])])  # five trials, one pair with a number
    assert pair[0] == 3 and np.isnan(pair[1:]).all()


def test_halves_have_no_trial_in_common():
    for trials in (4, 5, 9):
        for first, second in nulls.halves(trials):
            assert len(first) == len(second) == trials // 2 and len({*first, *second}) == 2 * (trials // 2)


def test_the_null_of_an_average_gap_is_the_gap_of_further_retrains():
    rng = np.random.default_rng(0)
    gaps, expected = [], []
    for _ in range(300):
        retrain, further = rng.normal(50, 2, (2, 6, 4))
        gaps.append(nulls.average_gap(retrain, further).mean())
        expected.append(nulls.average_gap_of_retrain(retrain).mean())
    assert np.mean(expected) == pytest.approx(np.mean(gaps), rel=0.05)
    assert nulls.average_gap(retrain, retrain + np.array([1, -2, 3, 0])).mean() == pytest.approx(1.5)


def test_intervals_hold_although_trials_judge_one_another():
    """Each model is shifted as a whole, as real ones are: the margins of one model move together."""
    rng = np.random.default_rng(0)
    accuracies, intervals, null_intervals = [], [], []
    for _ in range(60):
        forgotten = rng.random((8, 400)) < 0.5
        shifts = 0.3 * rng.normal(size=(2, 8, 1))
        unlearned, retrain = rng.normal(size=(2, 8, 400)) + shifts
        accuracy = efficacy(unlearned + 0.5, retrain, forgotten).accuracy
        accuracies.append(accuracy.mean())
        intervals.append(mean_interval(accuracy))
        null_intervals.append(mean_interval(nulls.efficacy_of_retrain(retrain, forgotten).accuracy))
    low, high = np.array(intervals).T
    assert np.mean((low < np.mean(accuracies)) & (np.mean(accuracies) < high)) > 0.85
    low, high = np.array(null_intervals).T
    assert np.mean((low < 50) & (high > 50)) > 0.85 and np.mean(high - low) < 6
