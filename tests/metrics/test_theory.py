import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.metrics import theory


def group(label, max_distance=0.0, lipschitz=1.0, reach=0.0, square=1.0, product=0.0) -> pd.DataFrame:
    """Return the columns of a views frame that Theorem 1 reads."""
    columns = {"max_distance": max_distance, "lipschitz": lipschitz, "reach": reach}
    return pd.DataFrame({"label": label, **columns, "centre_square": square, "centre_product": product})


def test_r_is_the_share_of_distances_strictly_above() -> None:
    assert theory.r_curve(np.array([0.4, 0.1, 0.3, 0.2]), [0.0, 0.1, 0.25, 0.4, 9.0]).tolist() == [1, 0.75, 0.5, 0, 0]
    assert not theory.r_curve(np.zeros(5), [0.0, 0.1]).any()
    with pytest.raises(BadInput, match="0 samples"):
        theory.r_curve(np.zeros(0), [0.0])


def test_separate_curves_satisfy_the_lemma_and_swapped_ones_violate_it() -> None:
    retain, forget = np.full(50, 0.25), np.full(20, 0.75)
    ordered, violated = theory.lemma1(retain, forget), theory.lemma1(forget, retain)
    assert (ordered.area, ordered.above, ordered.below) == (0.5, 1, 0) and ordered.holds and ordered.strict
    assert (violated.area, violated.above, violated.below) == (-0.5, 0, 1)
    assert not violated.holds and not violated.strict
    # Equal curves hold, but not strictly.
    equal = theory.lemma1(np.arange(40) / 40, np.arange(40) / 40)
    assert (equal.area, equal.above, equal.below, equal.holds, equal.strict) == (0, 0, 0, True, False)


def test_the_area_is_the_integral_between_the_curves() -> None:
    rng = np.random.default_rng(0)
    retain, forget = rng.uniform(0, 1, 70), rng.uniform(0, 1.2, 30)
    eps = (np.arange(200_000) + 0.5) / 100_000
    between = (theory.r_curve(forget, eps) - theory.r_curve(retain, eps)).sum() / 100_000
    assert theory.lemma1(retain, forget).area == pytest.approx(between, abs=1e-4)


def test_chance_is_exceeded_in_a_twentieth_of_equal_draws() -> None:
    assert theory.chance(100, 100) == pytest.approx(np.sqrt(np.log(20) / 100))
    rng = np.random.default_rng(0)
    draws = [theory.lemma1(rng.uniform(size=300), rng.uniform(size=300)) for _ in range(400)]
    assert 0.02 < np.mean([draw.above > draw.chance for draw in draws]) < 0.07


@given(st.integers(1, 12), st.integers(0, 1000))
def test_the_samples_that_peel_leaves_have_the_diameter_that_it_returns(size, seed) -> None:
    points = np.random.default_rng(seed).integers(0, 5, (size, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    reach = theory.peel(distances)
    for delta in [*reach, 0.5, 2.0]:
        core = reach <= delta
        assert core.any() and distances[np.ix_(core, core)].max() <= delta
    assert reach.max() == distances.max()


def test_peel_removes_the_outlier_first() -> None:
    points = np.array([0.0, 1.0, 10.0, 2.0])
    reach = theory.peel(np.abs(points[:, None] - points))
    assert reach[2] == 10.0 and sorted(reach) == [0.0, 1.0, 2.0, 10.0]


def test_sigma_is_the_smallest_share_over_classes() -> None:
    delta, sigma = theory.concentration(group([0, 0, 0, 0, 1, 1], reach=[0, 1, 2, 3, 0, 5]))
    shares = dict(zip(delta, sigma, strict=True))
    assert shares == {0: 0.25, 1: 0.5, 2: 0.5, 3: 0.5, 5: 1}


def test_rho_and_the_condition_equal_a_hand_computation() -> None:
    rho = theory.rho(sigma=0.9, delta=0.5, eps=0.1, r=0.02, smallest_class=0.1, lipschitz=2.0)
    assert rho == pytest.approx(0.2 + 0.2 + 0.9 * (1.0 + 0.2))
    # 1 - 0.08 - 0.4 - 0.1 - 0.3
    assert theory.centre_condition(largest_product=0.3, delta_mu=0.2, rho=0.08) == pytest.approx(0.12)


CLASSES = np.arange(200) % 2


def test_the_bound_equals_hand_computations() -> None:
    for views, expected in [
        # Separated classes with identical views have the bound zero.
        (group([0, 0, 1, 1]), {"bound": 0, "margin": 1, "best_margin": 1, "rho": 0, "sigma": 1}),
        # The views of one in 200 samples are 1 apart: eps = 0 gives R = 1/200, rho = 2/200, and a bound of 1/200.
        (
            group(CLASSES, max_distance=[1.0] + [0.0] * 199),
            {"eps": 0, "rho": 0.01, "bound": 0.005, "margin": 1 - 0.01 - np.sqrt(0.02)},
        ),
        # One sample is an outlier: sigma = 0.99 costs 0.01, and 0.02 in rho; with it L delta would be 3.
        (group(CLASSES, reach=[3.0] + [0.0] * 199), {"sigma": 0.99, "delta": 0, "bound": 0.01}),
    ]:
        theorem = theory.theorem1(views)
        assert not theorem.vacuous and {key: getattr(theorem, key) for key in expected} == pytest.approx(expected)


def test_the_theorem_needs_two_classes() -> None:
    assert theory.theorem1(group([3, 3], product=np.nan)) is None


def test_the_theorem_is_vacuous_where_its_condition_fails() -> None:
    """Centres that coincide; centres of features that cancel; views that move; classes with unlike images."""
    cancelling = {"square": 0.1, "product": 0.6}
    for columns in [{"product": 1.0}, cancelling, {"max_distance": 0.4}, {"reach": [0.0, 1.0] * 2}]:
        theorem = theory.theorem1(group([0, 0, 1, 1], **columns))
        assert theorem.vacuous and np.isnan(theorem.bound) and theorem.margin <= 0
        assert theorem.best_margin >= theorem.margin
        assert (theorem.best_margin > 0) == ("reach" in columns)  # which a better augmentation could mend
