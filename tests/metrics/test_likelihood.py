import numpy as np
import pytest
from scipy.stats import norm

from benchmark.metrics.samplewise import likelihood, nulls
from benchmark.metrics.samplewise.built_in_audits import ideal
from benchmark.metrics.samplewise.likelihood import PRIOR, against, efficacy, likelihood_ratios, strict
from benchmark.metrics.samplewise.margins import auc, margin_of_loss, standardised, true_positives

NAN = np.nan
RANDOM = "random-50"


def equal_models(models: int, samples: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return margins of models that differ by chance alone; each sample has a mean and a spread."""
    rng = np.random.default_rng(seed)
    mean, spread = rng.normal(0, 3, samples), rng.lognormal(0, 0.3, samples)
    unlearned, retrain = mean + spread * rng.normal(size=(2, models, samples))
    return unlearned, retrain


def test_likelihood_ratios_equal_cases_worked_out_on_paper():
    # Pair 0 is judged by pairs 1 and 2: means 3 and 0, squared deviations 2 and 8, which are pooled too.
    unlearned, retrain = np.array([[2.0], [2.0], [4.0]]), np.array([[1.0], [-2.0], [2.0]])
    variances = [(squares + PRIOR * squares) / (1 + PRIOR) for squares in (2.0, 8.0)]
    expected = [norm.logpdf(x, 3, variances[0] ** 0.5) - norm.logpdf(x, 0, variances[1] ** 0.5) for x in (2.0, 1.0)]
    scores = likelihood_ratios(unlearned, retrain)
    assert [scores[0][0, 0], scores[1][0, 0]] == pytest.approx(expected)
    # A variance is shrunk towards that of all samples.
    unlearned = np.array([[0.0, 0.0], [1.0, 5.0], [3.0, 5.0]])  # the others of pair 0: variances 2 and 0, pooled 1
    retrain = unlearned + 1
    variances = (2 + PRIOR) / (1 + PRIOR), PRIOR / (1 + PRIOR)
    expected = [(2**2 - 3**2) / -2 / variances[0], (5**2 - 6**2) / -2 / variances[1]]
    assert likelihood_ratios(unlearned, retrain)[0][0] == pytest.approx(expected)
    # With one further pair, the nearer margin decides.
    unlearned, retrain = np.array([[1.0, 1.0], [2.0, 2.0]]), np.array([[4.0, NAN], [5.0, 3.0]])
    first, second = likelihood_ratios(unlearned, retrain)
    assert first[0, 0] == pytest.approx((1 - 5) ** 2 / 2 - (1 - 2) ** 2 / 2)  # the further pair: 2 and 5
    assert second[0, 0] == pytest.approx((4 - 5) ** 2 / 2 - (4 - 2) ** 2 / 2)
    assert np.isnan(first[:, 1]).all()  # pair 0 lacks a model, so pair 1 has no further pair


@pytest.mark.parametrize("models", [3, 4, 5, 10, 32])
def test_equal_models_score_a_half_however_few_they_are(models: int):
    rates = against(*equal_models(models, samples=400_000 // models))
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5)
    assert rates.auc.mean() == pytest.approx(0.5, abs=0.005)
    assert rates.tpr.mean() == pytest.approx(1, abs=0.2)
    assert [ideal(f"efficacy-{measure}", NAN, RANDOM) for measure in ("accuracy", "auc", "tpr")] == [50, 0.5, 1]


def test_forget_samples_need_not_look_like_test_samples():
    for audit, read in (("unseen-auc", 0.1), ("rmia-auc", 0.1), ("unseen-auc-calibrated", 0.5), ("efficacy-auc", 0.5)):
        assert ideal(audit, 0.1, RANDOM) == read
    assert ideal("unseen-auc-calibrated", 0.45, "memorised-10") == 0.45  # test samples are matched there
    # Without a null the model that disagrees least is the nearest to Retrain.
    assert [ideal("disagreement", null, RANDOM) for null in (0.1, NAN)] == [0.1, 0]
    assert np.isnan(ideal("klom", NAN, RANDOM))


def test_the_attack_is_nearly_as_good_as_with_known_gaussians():
    unlearned, retrain = np.random.default_rng(0).normal(size=(2, 10, 20_000))
    assert against(unlearned + 1, retrain).accuracy.mean() == pytest.approx(67.5, abs=0.7)  # 69.1 with known Gaussians


def test_correctness_in_place_of_the_margin_sees_nothing_where_both_sides_are_right():
    # As in Deep Unlearn: Retrain is right by a margin of 3, the method by 9.
    retrain, unlearned = np.random.default_rng(0).normal([[[3.0]], [[9.0]]], 0.5, size=(2, 10, 2000))
    assert against(unlearned, retrain).auc.mean() > 0.99
    correct, correct_in_retrain = (unlearned > 0).astype(float), (retrain > 0).astype(float)
    assert against(correct, correct_in_retrain).auc.mean() == pytest.approx(0.5)


def test_a_sample_is_judged_only_in_trials_that_forgot_it_and_by_such_trials():
    unlearned, retrain = equal_models(4, 200)
    forgotten = np.random.default_rng(1).random(unlearned.shape) < 0.5
    rates = efficacy(unlearned, retrain, forgotten)
    spoilt = efficacy(*(np.where(forgotten, margins, 1e6) for margins in (unlearned, retrain)), forgotten)
    assert rates.auc.tolist() == spoilt.auc.tolist() and rates.accuracy.tolist() == spoilt.accuracy.tolist()
    masked = [np.where(forgotten, margins, NAN) for margins in (unlearned, retrain)]
    assert rates.auc.mean() == pytest.approx(against(*masked).auc.mean())
    scores, _ = likelihood_ratios(*masked)
    assert (~np.isnan(scores) == (forgotten & (forgotten.sum(axis=0) > 1))).all()


def test_standardising_removes_a_shift_of_the_whole_model_but_not_what_is_remembered():
    rng = np.random.default_rng(0)
    retrain, test = rng.normal(size=(6, 2000)), rng.normal(size=(6, 2000))
    all_samples = np.ones(retrain.shape, bool)

    def standardised_auc(margin: np.ndarray, tests: np.ndarray) -> float:
        return efficacy(standardised(margin, tests), standardised(retrain, test), all_samples).auc.mean()

    margin = rng.normal(size=retrain.shape)
    assert efficacy(2 * margin + 3, retrain, all_samples).auc.mean() > 0.85
    assert standardised_auc(2 * margin + 3, 2 * rng.normal(size=test.shape) + 3) == pytest.approx(0.5, abs=0.02)
    assert standardised_auc(margin + 2, rng.normal(size=test.shape)) > 0.85


def simulated(trials: int, samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return margins, the forgotten half and the held-out quarter of the samples."""
    rng = np.random.default_rng(seed)
    position = rng.random((trials, samples))
    margin = rng.normal(0, 3, samples) + rng.normal(size=(trials, samples))
    return margin, position < 0.5, position >= 0.75


@pytest.mark.parametrize("trials", [6, 12])
def test_the_strict_attack_scores_a_half_if_nothing_is_remembered_and_else_more(trials: int):
    margin, forgotten, held_out = simulated(trials, 60_000)
    rates = strict(margin, forgotten, held_out)
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5) and rates.auc.mean() == pytest.approx(0.5, abs=0.005)
    assert strict(margin + forgotten, forgotten, held_out).auc.mean() > 0.6
    assert np.isnan(strict(margin, forgotten, np.zeros_like(held_out)).auc).all()


@pytest.mark.parametrize("trials", [4, 5, 12])
def test_the_null_of_the_attack_is_unbiased(trials: int):
    retrain, forgotten, _ = simulated(trials, 60_000, seed=trials)
    rates = nulls.efficacy_by_halving(retrain, forgotten)
    assert rates.accuracy.mean() == pytest.approx(50, abs=0.5) and rates.auc.mean() == pytest.approx(0.5, abs=0.005)


def test_with_too_few_trials_or_samples_there_is_no_score():
    unlearned, retrain = equal_models(3, 500)
    few = np.zeros(unlearned.shape, bool)
    few[:, : likelihood.LEAST_JUDGED - 1] = True
    assert np.isnan(efficacy(unlearned, retrain, few).auc).all()
    assert np.isnan(nulls.efficacy_by_halving(unlearned, np.ones(unlearned.shape, bool)).auc).all()
    assert np.isnan(efficacy(unlearned[:1], retrain[:1], few[:1] | True).auc).all()


def test_auc_and_true_positive_rate_equal_counts():
    assert auc(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0])) == pytest.approx((1 + 1.5 + 2) / 6)
    assert np.isnan(auc(np.array([]), np.array([1.0])))
    negatives = np.arange(200.0)
    # 2.01 of 201 ranks may be false alarms: 199, 198 and a hundredth of the way to 197.
    assert true_positives(np.array([197.0, 197.5, 198.0, 250.0]), negatives) == pytest.approx(25 + 0.01 * 50)
    assert np.isnan(true_positives(negatives, negatives[:98]))
    rng = np.random.default_rng(0)
    for count in (100, 150):  # samples like the negatives score 1 %
        rate = np.mean([true_positives(*rng.normal(size=(2, count))) for _ in range(4000)])
        assert rate == pytest.approx(1, abs=0.08), count


def test_margins_are_recovered_from_losses_up_to_their_precision():
    margins = np.linspace(-12, 9, 50)
    losses = np.logaddexp(0, -margins).astype(np.float32)
    assert margin_of_loss(losses) == pytest.approx(margins, abs=1e-2)
    assert margin_of_loss(np.array([0, 0], np.float32)) == pytest.approx(24 * np.log(2), abs=1e-4)
    assert margin_of_loss(np.array([800.0])) == pytest.approx(-800)


def test_thinned_samples_give_about_the_same_spread(monkeypatch):
    rng = np.random.default_rng(0)
    forgotten = rng.random((8, 3000)) < 0.5
    unlearned, retrain = rng.normal(size=(2, 8, 3000)) + 0.3 * rng.normal(size=(2, 8, 1))
    whole = efficacy(unlearned, retrain, forgotten).auc
    monkeypatch.setattr(likelihood, "ENTRIES", 6500)  # as at full size, where all would take too long
    thinned = efficacy(unlearned, retrain, forgotten).auc
    assert thinned.mean() == pytest.approx(whole.mean())
    assert thinned.std(ddof=1) == pytest.approx(whole.std(ddof=1), rel=0.2)
