import numpy as np
import pytest
from scipy.stats import norm

from benchmark.metrics.samplewise import likelihood, nulls
from benchmark.metrics.samplewise.likelihood import PRIOR, against, efficacy, likelihood_ratios, strict
from benchmark.metrics.samplewise.margins import auc, margin_of_loss, standardised, true_positives

NAN = np.nan


def equals(models: int, samples: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Margins of two kinds of model that are one kind: samples of their own means and spreads."""
    rng = np.random.default_rng(seed)
    mean, spread = rng.normal(0, 3, samples), rng.lognormal(0, 0.3, samples)
    one, other = mean + spread * rng.normal(size=(2, models, samples))
    return one, other


def test_scores_are_those_worked_out_on_paper():
    # Pair 0 is judged by pairs 1 and 2: means 3 and 0, squared deviations 2 and 8, which are pooled too.
    one, other = np.array([[2.0], [2.0], [4.0]]), np.array([[1.0], [-2.0], [2.0]])
    variances = [(squares + PRIOR * squares) / (1 + PRIOR) for squares in (2.0, 8.0)]
    expected = [norm.logpdf(x, 3, variances[0] ** 0.5) - norm.logpdf(x, 0, variances[1] ** 0.5) for x in (2.0, 1.0)]
    scores = likelihood_ratios(one, other)
    assert [scores[0][0, 0], scores[1][0, 0]] == pytest.approx(expected)
    # A variance is drawn towards that of all samples.
    one = np.array([[0.0, 0.0], [1.0, 5.0], [3.0, 5.0]])  # the others of pair 0: variances 2 and 0, pooled 1
    other = one + 1
    variances = (2 + PRIOR) / (1 + PRIOR), PRIOR / (1 + PRIOR)
    expected = [(2**2 - 3**2) / -2 / variances[0], (5**2 - 6**2) / -2 / variances[1]]
    assert likelihood_ratios(one, other)[0][0] == pytest.approx(expected)
    # With one other model a side the nearer mean decides.
    one, other = np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[4.0, NAN], [5.0, 3.0]])
    first, second = likelihood_ratios(one, other)
    assert first[0, 0] == pytest.approx((1 - 5) ** 2 / 2 - (1 - 2) ** 2 / 2)  # the others' means are 2 and 5
    assert second[0, 0] == pytest.approx((4 - 5) ** 2 / 2 - (4 - 2) ** 2 / 2)
    assert np.isnan(first[:, 1]).all()  # pair 0 lacks a model, pair 1 has no other


@pytest.mark.parametrize("models", [3, 4, 5, 10, 32])
def test_equals_read_a_half_however_few_the_models(models: int):
    rates = against(*equals(models, samples=400_000 // models))
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5)
    assert rates.auc.mean() == pytest.approx(0.5, abs=0.005)
    assert rates.tpr.mean() == pytest.approx(1, abs=0.2)


def test_power_is_nearly_that_of_knowing_the_gaussians():
    one, other = np.random.default_rng(0).normal(size=(2, 10, 20_000))
    assert against(one + 1, other).accuracy.mean() == pytest.approx(67.5, abs=0.7)  # 69.1 if they were known


def test_only_what_a_trial_forgot_is_judged_and_only_by_trials_that_forgot_it_too():
    one, other = equals(4, 200)
    forgotten = np.random.default_rng(1).random(one.shape) < 0.5
    found = efficacy(one, other, forgotten)
    spoilt = efficacy(*(np.where(forgotten, side, 1e6) for side in (one, other)), forgotten)
    assert found.auc.tolist() == spoilt.auc.tolist() and found.accuracy.tolist() == spoilt.accuracy.tolist()
    by_pair = against(*(np.where(forgotten, side, NAN) for side in (one, other)))
    assert found.auc.mean() == pytest.approx(by_pair.auc.mean())
    first, _ = likelihood_ratios(*(np.where(forgotten, side, NAN) for side in (one, other)))
    assert (~np.isnan(first) == (forgotten & (forgotten.sum(axis=0) > 1))).all()


def test_a_shift_of_the_whole_model_is_taken_out_and_memory_of_samples_is_not():
    rng = np.random.default_rng(0)
    retrain, test = rng.normal(size=(6, 2000)), rng.normal(size=(6, 2000))
    everything = np.ones(retrain.shape, bool)

    def standard(margin: np.ndarray, tests: np.ndarray) -> float:
        return efficacy(standardised(margin, tests), standardised(retrain, test), everything).auc.mean()

    again = rng.normal(size=retrain.shape)
    assert efficacy(2 * again + 3, retrain, everything).auc.mean() > 0.85
    assert standard(2 * again + 3, 2 * rng.normal(size=test.shape) + 3) == pytest.approx(0.5, abs=0.02)
    assert standard(again + 2, rng.normal(size=test.shape)) > 0.85


def drawn(trials: int, samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins, and what was forgotten and held out: a half and a quarter of the samples."""
    rng = np.random.default_rng(seed)
    place = rng.random((trials, samples))
    margin = rng.normal(0, 3, samples) + rng.normal(size=(trials, samples))
    return margin, place < 0.5, place >= 0.75


@pytest.mark.parametrize("trials", [6, 12])
def test_the_strict_attack_reads_a_half_where_nothing_is_remembered_and_more_where_something_is(trials: int):
    margin, forgotten, held_out = drawn(trials, 60_000)
    rates = strict(margin, forgotten, held_out)
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5) and rates.auc.mean() == pytest.approx(0.5, abs=0.005)
    assert strict(margin + forgotten, forgotten, held_out).auc.mean() > 0.6
    assert np.isnan(strict(margin, forgotten, np.zeros_like(held_out)).auc).all()


@pytest.mark.parametrize("trials", [4, 5, 12])
def test_the_null_of_the_attack_is_unbiased(trials: int):
    retrain, forgotten, _ = drawn(trials, 60_000, seed=trials)
    rates = nulls.efficacy_of_retrain(retrain, forgotten)
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5) and rates.auc.mean() == pytest.approx(0.5, abs=0.005)


def test_too_few_trials_or_samples_say_nothing():
    one, other = equals(3, 500)
    few = np.zeros(one.shape, bool)
    few[:, : likelihood.LEAST_JUDGED - 1] = True
    assert np.isnan(efficacy(one, other, few).auc).all()
    assert np.isnan(nulls.efficacy_of_retrain(one, np.ones(one.shape, bool)).auc).all()
    assert np.isnan(efficacy(one[:1], other[:1], few[:1] | True).auc).all()


def test_auc_and_true_positives_are_counts():
    assert auc(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0])) == pytest.approx((1 + 1.5 + 2) / 6)
    assert np.isnan(auc(np.array([]), np.array([1.0])))
    negatives = np.arange(200.0)
    # Of 201 ranks 2.01 are false alarms: 198 and 199, and a hundredth of the way on to 197.
    assert true_positives(np.array([197.0, 197.5, 198.0, 250.0]), negatives) == pytest.approx(25 + 0.01 * 50)
    assert np.isnan(true_positives(negatives, negatives[:98]))
    rng = np.random.default_rng(0)
    for count in (100, 150):  # what is like the negatives reads 1 %
        read = np.mean([true_positives(*rng.normal(size=(2, count))) for _ in range(4000)])
        assert read == pytest.approx(1, abs=0.08), count


def test_margins_come_back_from_losses_as_far_as_a_loss_has_them():
    margins = np.linspace(-12, 9, 50)
    losses = np.logaddexp(0, -margins).astype(np.float32)
    assert margin_of_loss(losses) == pytest.approx(margins, abs=1e-2)
    assert margin_of_loss(np.array([0, 0], np.float32)) == pytest.approx(24 * np.log(2), abs=1e-4)
    assert margin_of_loss(np.array([800.0])) == pytest.approx(-800)
