import numpy as np
import pytest

from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.samplewise import nulls
from benchmark.metrics.samplewise.likelihood import efficacy
from benchmark.metrics.samplewise.resampling import contributions, over_pairs

VALUES = np.array([1.0, 4.0, 2.0, 9.0, 5.0])


def test_contributions_have_the_statistic_as_their_mean_and_are_nan_where_a_spread_is_not_known():
    assert contributions(lambda kept: float(VALUES[kept].mean()), 5) == pytest.approx(VALUES)
    spread = contributions(lambda kept: float(VALUES[kept].std()), 5)
    assert spread.mean() == pytest.approx(VALUES.std()) and spread.std() > 0
    # Over pairs they are the jackknife's.
    apart = [np.abs(VALUES - np.roll(VALUES, shift)) for shift in range(1, 5)]

    def statistic(kept: np.ndarray) -> float:
        every = np.abs(np.subtract.outer(VALUES[kept], VALUES[kept]))
        return float(every.sum() / len(kept) / (len(kept) - 1))

    assert over_pairs(apart) == pytest.approx(contributions(statistic, 5))
    assert np.array_equal(contributions(lambda kept: float(len(kept)), 1), [1.0])
    few = contributions(lambda kept: 7.0 if len(kept) == 3 else np.nan, 3)
    assert few[0] == 7 and np.isnan(few[1:]).all()
    two = over_pairs([np.array([3.0, 3.0])])
    assert two[0] == 3 and np.isnan(two[1])
    pair = over_pairs([np.array([3.0, 3.0, np.nan, np.nan, np.nan])])  # of five trials, the one pair with a number
    assert pair[0] == 3 and np.isnan(pair[1:]).all()


def test_halves_have_no_trial_in_common():
    for trials in (4, 5, 9):
        for first, second in nulls.halves(trials):
            assert len(first) == len(second) == trials // 2 and len({*first, *second}) == 2 * (trials // 2)


def test_the_null_of_an_average_gap_is_what_one_more_set_of_retrains_would_show():
    rng = np.random.default_rng(0)
    gaps, expected = [], []
    for _ in range(300):
        one, other = rng.normal(50, 2, (2, 6, 4))
        gaps.append(nulls.average_gap(one, other).mean())
        expected.append(nulls.average_gap_of_retrain(one).mean())
    assert np.mean(expected) == pytest.approx(np.mean(gaps), rel=0.05)
    assert nulls.average_gap(one, one + np.array([1, -2, 3, 0])).mean() == pytest.approx(1.5)


def test_intervals_hold_although_trials_are_judged_by_one_another():
    """Each model is shifted as a whole, as real ones are: the samples of one model move together."""
    rng = np.random.default_rng(0)
    true, intervals, null = [], [], []
    for _ in range(60):
        forgotten = rng.random((8, 400)) < 0.5
        shifts = 0.3 * rng.normal(size=(2, 8, 1))
        one, other = rng.normal(size=(2, 8, 400)) + shifts
        accuracy = efficacy(one + 0.5, other, forgotten).accuracy
        true.append(accuracy.mean())
        intervals.append(mean_interval(accuracy))
        null.append(mean_interval(nulls.efficacy_of_retrain(other, forgotten).accuracy))
    low, high = np.array(intervals).T
    assert np.mean((low < np.mean(true)) & (np.mean(true) < high)) > 0.85
    low, high = np.array(null).T
    assert np.mean((low < 50) & (high > 50)) > 0.85 and np.mean(high - low) < 6
