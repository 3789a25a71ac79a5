from itertools import product

import numpy as np
import pytest

from benchmark.metrics.samplewise.competition import CAP, DELTA, epsilon, quality


def by_exhaustion(unlearned: np.ndarray, retrain: np.ndarray, thresholds: np.ndarray) -> float:
    """Return the epsilon of one sample by all thresholds and all pairs of them, as the released code does."""
    margins = (unlearned, retrain)
    narrow, wide = margins if np.ptp(unlearned) < np.ptp(retrain) else margins[::-1]
    high, low = margins if np.median(unlearned) >= np.median(retrain) else margins[::-1]
    rates = [
        (((narrow < start) | (narrow > end)).mean(), ((wide >= start) & (wide <= end)).mean())
        for start, end in product(thresholds, repeat=2)
    ]
    rates += [((high < threshold).mean(), (low >= threshold).mean()) for threshold in thresholds]
    best = 0.0
    for fnr, fpr in rates:
        if fnr == fpr == 0:
            return CAP
        if fnr and fpr:
            with np.errstate(invalid="ignore"):
                losses = np.log(1 - DELTA - fpr) - np.log(fnr), np.log(1 - DELTA - fnr) - np.log(fpr)
            best = np.nanmax([best, *losses])
    return float(best)


def test_epsilon_equals_cases_worked_out_on_paper():
    # Between 0.5 and 2.5 lie 3 of the 4 unlearned models, whose range is narrower, and 1 of the 4 Retrains.
    unlearned, retrain = np.array([1.0, 1.5, 2.0, 2.6])[:, None], np.array([-5.0, -4.0, 2.2, 9.0])[:, None]
    assert epsilon(unlearned, retrain) == pytest.approx([np.log((1 - DELTA - 1 / 4) / (1 / 4))])
    separate = np.array([10.0, 11.0, 12.0, 13.5])[:, None]
    assert epsilon(unlearned, separate) == pytest.approx([CAP])
    narrow, among = np.array([2.0, 2.0, 2.01, 2.02])[:, None], np.array([-5.0, -4.0, 2.005, 9.0])[:, None]
    assert epsilon(narrow, among) == epsilon(among, narrow) == [CAP]
    assert epsilon(2 + 10 * (narrow - 2), among) < 2
    assert epsilon(unlearned, unlearned) < np.log(3)


def test_quality_halves_with_every_half_of_epsilon_up_to_a_limit():
    # The limit is ceil(ln 4) = 2.
    epsilons = np.array([0.0, 0.49, 0.5, 1.2, 1.99, 2.0, CAP])
    assert quality(epsilons, 5) == pytest.approx((1 + 1 + 1 / 2 + 1 / 4 + 1 / 8) / 7)
    assert quality(np.array([0.6, 0.6]), np.array([2, 512])) == pytest.approx(1 / 4)


@pytest.mark.parametrize(("models", "value"), [(5, 0.24), (10, 0.17), (16, 0.13), (32, 0.10), (64, 0.08)])
def test_the_quality_of_a_perfect_unlearner_is_far_from_1(models: int, value: float):
    unlearned, retrain = np.random.default_rng(1).normal(size=(2, models, 3000 if models < 20 else 600))
    assert quality(epsilon(unlearned, retrain), models) == pytest.approx(value, abs=0.012)


def test_epsilon_equals_that_of_all_thresholds_and_exceeds_that_of_a_grid():
    rng = np.random.default_rng(2)
    unlearned, retrain = rng.normal(0.3, 1, (12, 25)), rng.normal(0, 1.3, (10, 25))
    exact, exhaustive, grid = epsilon(unlearned, retrain), [], []
    for sample in zip(unlearned.T, retrain.T, strict=True):
        margins = np.sort(np.concatenate(sample))
        thresholds = np.concatenate([[margins[0] - 1], (margins[1:] + margins[:-1]) / 2, [margins[-1] + 1]])
        exhaustive.append(by_exhaustion(*sample, thresholds))
        grid.append(by_exhaustion(*sample, np.linspace(margins[0], margins[-1], 12)))
    assert exact == pytest.approx(exhaustive)
    assert (np.array(grid) <= exact + 1e-9).all() and np.mean(grid) < exact.mean() - 0.1


def test_equal_margins_are_never_separated_and_missing_ones_do_not_count():
    unlearned, retrain = np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([[0.0], [0.0], [1.0], [3.0]])
    expected = by_exhaustion(unlearned[:, 0], retrain[:, 0], np.array([-1, 0.5, 2, 4]))
    assert epsilon(unlearned, retrain) == pytest.approx(expected)
    unlearned, retrain = np.random.default_rng(0).normal(size=(2, 7, 30))
    padded = [np.concatenate([margins, np.full((2, 30), np.nan)]) for margins in (unlearned, retrain)]
    assert epsilon(*padded) == pytest.approx(epsilon(unlearned, retrain))
