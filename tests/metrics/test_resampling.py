from functools import partial

import numpy as np
import pytest

from benchmark.metrics.bootstrap import estimate, mean_interval
from benchmark.metrics.samplewise import nulls
from benchmark.metrics.samplewise.likelihood import efficacy
from benchmark.metrics.samplewise.never_seen import References
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


@pytest.mark.parametrize("trials", [3, 5, 24])
def test_the_interval_of_the_null_of_an_average_gap_holds_a_perfect_unlearner(trials: int):
    rng = np.random.default_rng(trials)
    held = []
    for _ in range(400):
        retrain, perfect = rng.normal(50, 2, (2, trials, 4))
        low, high = mean_interval(nulls.average_gap_of_retrain(retrain))
        held.append(low < nulls.average_gap(perfect, retrain).mean() < high)
    assert 0.85 < np.mean(held) < 0.99


RANDOM = np.random.default_rng(0).normal(50, 2, (2, 5, 4))
TIED = np.array([[[51.0] * 4, [49.0] * 4], [[50.0] * 4] * 2])  # without either trial the gap is 1; of both it is 0


@pytest.mark.parametrize(("metrics", "retrain"), [RANDOM, TIED], ids=["random", "tied"])
def test_the_interval_of_an_average_gap_is_that_of_the_tables_of_gaps(metrics, retrain):
    trials = len(metrics)
    gap = estimate(lambda drawn: np.abs((metrics - retrain)[drawn].mean(axis=1)).mean(axis=1), trials)
    by_trial = nulls.average_gap(metrics, retrain)
    assert gap.high > gap.low
    assert (by_trial.mean(), *mean_interval(by_trial)) == pytest.approx((gap.value, gap.low, gap.high))


def test_intervals_hold_although_trials_judge_one_another():
    """Each model is shifted as a whole, as real ones are: the margins of one model move together."""
    rng = np.random.default_rng(0)
    accuracies, intervals = [], []
    for _ in range(60):
        forgotten = rng.random((8, 400)) < 0.5
        shifts = 0.3 * rng.normal(size=(2, 8, 1))
        unlearned, retrain = rng.normal(size=(2, 8, 400)) + shifts
        accuracy = efficacy(unlearned + 0.5, retrain, forgotten).accuracy
        accuracies.append(accuracy.mean())
        intervals.append(mean_interval(accuracy))
    low, high = np.array(intervals).T
    assert np.mean((low < np.mean(accuracies)) & (np.mean(accuracies) < high)) > 0.85


@pytest.mark.parametrize(("trials", "share"), [(8, 0.5), (8, 1.0)])
def test_a_null_varies_as_an_independent_perfect_unlearner_does(trials: int, share: float):
    """Retrains that judge one another hardly vary in their mean, which would make the null's interval too narrow."""
    rng = np.random.default_rng(trials)
    readings, errors = [], []
    for _ in range(60):
        forgotten = rng.random((trials, 800)) < share
        # Each model is shifted as a whole, and on what it forgot.
        shifts, familiarity = 0.3 * rng.normal(size=(2, 2, trials, 1))
        tests = rng.normal(size=(2, trials, 400)) + shifts
        unlearned, retrain = rng.normal(size=(2, trials, 800)) + shifts + familiarity
        references = References(retrain, tests[1], forgotten)
        attacks = references.calibrated_auc, partial(references.rmia_auc, a=0.3)
        own = [attack(retrain, tests[1], forgotten, contributions=nulls.of_references) for attack in attacks]
        independent = [attack(unlearned, tests[0], forgotten).mean() for attack in attacks]
        null = nulls.of_exchanges(nulls.efficacy_by_halving(retrain, forgotten).auc, trials)
        errors.append([*map(standard_error, [*own, null])])
        readings.append([*independent, efficacy(unlearned, retrain, forgotten).auc.mean()])
    ratios = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(readings, axis=0)
    assert ((ratios > 0.7) & (ratios < 1.5)).all(), ratios


@pytest.mark.parametrize("trials", [8, 9])
def test_a_null_of_halves_varies_as_one_of_all_trials_would(trials: int):
    by_halving = np.array([0.44, 0.5, 0.56, 0.5])
    contributed = nulls.of_exchanges(by_halving, trials)
    assert contributed.mean() == pytest.approx(0.5)
    # Halves of 8 or 9 trials have four pairs each.
    assert standard_error(contributed) == pytest.approx(by_halving.std(ddof=1) * np.sqrt(4 / trials))


def standard_error(contributed: np.ndarray) -> float:
    return float(contributed.std(ddof=1) / np.sqrt(len(contributed)))


def test_a_null_whose_spread_is_unknown_has_its_mean_alone():
    for aucs in (np.array([[0.4, np.nan, 0.6]]), np.array([[0.5]])):
        null = nulls.of_references(aucs)
        assert null[0] == pytest.approx(0.5) and np.isnan(null[1:]).all()
