"""Intervals, Holm's correction and the number of trials, against closed forms and hand computations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.metrics.bootstrap import (
    draws,
    estimate,
    holm,
    mean_interval,
    quantile,
    sd_upper,
    trials_needed,
    welch_interval,
)

VALUES = np.array([1.0, 2.0, 4.0, 7.0, 3.0])


def mean_of(values):
    return lambda drawn: values[drawn].mean(axis=1)


def test_few_trials_are_resampled_in_every_possible_way():
    assert sorted(map(tuple, draws(2))) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert draws(3).shape == (27, 3) and draws(5).shape == (3125, 5)
    assert len({tuple(row) for row in draws(4)}) == 256
    assert draws(10).shape[1] == 10
    assert np.array_equal(draws(10), draws(10))  # random, but the same each time


def test_a_mean_has_students_interval_and_p():
    result = estimate(mean_of(VALUES), 5)
    low, high = stats.t.interval(0.95, 4, VALUES.mean(), stats.sem(VALUES))
    assert (result.value, result.low, result.high) == pytest.approx((3.4, low, high))
    assert result.p == pytest.approx(stats.ttest_1samp(VALUES, 0).pvalue)
    assert result.sd == pytest.approx(VALUES.std(ddof=1))
    assert result.trials == 5
    assert mean_interval(VALUES) == pytest.approx((low, high))
    values = np.random.default_rng(3).normal(1.0, 2.0, 12)  # too many for every resample
    result = estimate(mean_of(values), 12)
    low, high = mean_interval(values)
    assert result.high - result.low == pytest.approx(high - low, rel=0.05)


def test_one_trial_and_equal_trials_prove_nothing():
    result = estimate(mean_of(VALUES), 1)
    assert result.value == 1.0 and np.isnan([result.low, result.high, result.p, result.sd]).all()
    assert np.isnan(mean_interval([1.0])).all()
    result = estimate(mean_of(np.full(3, 2.0)), 3)
    assert (result.value, result.sd) == (2.0, 0.0) and np.isnan([result.low, result.high, result.p]).all()
    for tie in (0.0, abs(0.3 - 0.2) - abs(0.4 - 0.3)):  # exact, and up to rounding
        result = estimate(mean_of(np.full(3, tie)), 3)
        assert (result.value, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_95_percent_intervals_hold_the_truth_as_often():
    rng = np.random.default_rng(0)
    # An average gap of two metrics, far from 0, is a smooth function of means over five trials.
    hits = 0
    for _ in range(400):
        method, retrain = rng.normal([10.0, 20.0], 1.0, (5, 2)), rng.normal([5.0, 12.0], 1.0, (5, 2))

        def gap(drawn, method=method, retrain=retrain):
            return np.abs(method[drawn].mean(axis=1) - retrain[drawn].mean(axis=1)).mean(axis=1)

        result = estimate(gap, 5)
        hits += result.low <= 6.5 <= result.high
    assert 0.92 <= hits / 400 <= 0.98


def test_welchs_interval_equals_scipys():
    others = np.array([9.0, 2.5, 4.0])
    expected = stats.ttest_ind(VALUES, others, equal_var=False).confidence_interval(0.95)
    difference, sds = VALUES.mean() - others.mean(), (VALUES.std(ddof=1), others.std(ddof=1))
    # Two further entries: one without spread, one of a single trial.
    columns = [np.array([sd, 0.0, single]) for sd, single in zip(sds, (np.nan, 1.0), strict=True)]
    trials = np.array([5.0, 5.0, 1.0]), np.array([3.0, 3.0, 3.0])
    low, high = welch_interval(np.array([difference, 2.0, 2.0]), (columns[0], columns[1]), trials)
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
    assert low[1] == high[1] == 2.0 and np.isnan([low[2], high[2]]).all()


def test_holms_correction_equals_a_hand_computation():
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1, then no smaller than the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert np.isnan(holm([math.nan])).all() and holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from([0.01, 0.05, 0.3]))
def test_holm_rejects_what_its_step_down_procedure_rejects(p, alpha):
    # Step down: reject the k-th smallest of n, k = 1, 2, ..., as long as it is at most alpha / (n - k + 1).
    ordered = sorted(p)
    rejected = next((index for index, value in enumerate(ordered) if (len(p) - index) * value > alpha), len(p))
    assert (holm(p) <= alpha).sum() == rejected


def test_the_trials_needed_are_those_of_published_tables_and_find_the_difference():
    for effect, expected in ((0.5, 34), (0.8, 15), (1.0, 10)):
        assert trials_needed(effect, 1.0) == trials_needed(3 * effect, 3.0) == trials_needed(-effect, 1.0) == expected
    count = trials_needed(1.0, 1.0)
    differences = np.random.default_rng(1).normal(1.0, 1.0, (4000, count))
    power = (stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05).mean()
    assert 0.79 <= power <= 0.86


def test_the_upper_end_of_a_standard_deviation_lies_above_the_true_one_in_four_cases_of_five():
    for trials in (3, 24):
        sds = np.random.default_rng(2).normal(0.0, 5.0, (4000, trials)).std(axis=1, ddof=1)
        assert 0.785 <= np.mean([sd_upper(sd, trials) >= 5.0 for sd in sds]) <= 0.815
    assert sd_upper(0.0, 3) == 0.0


def test_a_larger_difference_never_needs_more_trials():
    assert trials_needed(0.001, 1.0, most=50) == 50
    assert trials_needed(1.0, 0.0) == 2
    counts = [trials_needed(effect, 1.0) for effect in np.geomspace(0.2, 1e4, 400)]
    assert counts == sorted(counts, reverse=True) and counts[-1] == 2
    assert quantile(4) == pytest.approx(2.776, abs=1e-3)
