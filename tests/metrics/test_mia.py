import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import SVC

from bench.work import SPREAD, confidences
from benchmark.errors import BadInput
from benchmark.metrics import mia

SATURATED = ((16.0, 3.5, 0.0), (11.0, 4.5, 0.06), (3.5, 4.0, 0.1))  # as `SPREAD`


@pytest.mark.parametrize("kind", [SPREAD, SATURATED], ids=["spread", "saturated"])
def test_the_binned_attack_decides_as_the_reference_svc(kind):
    # With this seed, a single fit on the bins decides 0.07 % of saturated confidences otherwise.
    members, nonmembers, queries = confidences(kind, 3_000, 3_000, seed=7)
    if kind is SATURATED:
        assert np.mean(members == 1) > 0.2
    reference = SVC(C=3, gamma="auto", kernel="rbf")
    reference.fit(np.r_[members, nonmembers].reshape(-1, 1), np.repeat([1, 0], 3_000))
    exact = reference.predict(queries.reshape(-1, 1)) == 1
    before = time.process_time()
    binned = mia.membership_attack(members, nonmembers, queries)
    assert time.process_time() - before < 2.0  # about 0.2 s
    assert np.mean(exact == binned) >= 0.9995
    assert 10 < 100 * exact.mean() < 95  # both answers occur, or agreement would say little
    assert mia.mia_rate(members, nonmembers, queries) == pytest.approx(100 * np.mean(~exact), abs=0.05)
    few = members[:300], nonmembers[:300]
    reference.fit(np.r_[few].reshape(-1, 1), np.repeat([1, 0], 300))
    for bins in (mia.BINS, None):  # with fewer samples than bins the attack is exact
        assert (mia.membership_attack(*few, queries, bins) == (reference.predict(queries.reshape(-1, 1)) == 1)).all()


def test_binning_changes_no_more_decisions_than_another_order_of_samples_does():
    # Members and non-members so alike that the exact SVC depends on the order of its samples.
    alike = ((2.0, 2.0, 0.0), (1.9, 2.0, 0.0), (1.95, 2.0, 0.0))
    binned, reordered = [], []
    for seed in range(2):
        members, nonmembers, queries = confidences(alike, 1_500, 1_500, seed)
        order = np.random.default_rng(seed).permutation(1_500)
        exact = mia.membership_attack(members, nonmembers, queries, bins=None)
        shuffled = mia.membership_attack(members[order], nonmembers[order], queries, bins=None)
        reordered.append(np.mean(exact != shuffled))
        binned.append(np.mean(exact != mia.membership_attack(members, nonmembers, queries)))
    assert max(binned) <= max(*reordered, 0.001)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=300), st.integers(2, 40))
def test_bins_keep_count_sum_and_order_and_never_split_equal_values(values: list[float], bins: int):
    array = np.array(values)
    points, weights = mia.quantile_bins(array, bins)
    assert len(points) <= bins
    assert weights.sum() == len(array)
    assert (points * weights).sum() == pytest.approx(array.sum())
    if len(array) > bins:
        assert (np.diff(points) > -1e-12).all()
        # All copies of the commonest value lie in one bin.
        assert weights.max() >= np.unique(array, return_counts=True)[1].max()


def test_bins_resolve_a_saturated_distribution():
    values = np.r_[np.ones(5000), 1 - np.geomspace(1e-5, 1, 5000)]
    points, weights = mia.quantile_bins(values, 100)
    assert points[-1] == 1 and weights[-1] == 5000  # the copies of 1 have a bin of their own
    assert weights[:-1].max() < 300  # of even bins, one would hold 3000 of the others


def test_confidence_is_the_probability_of_the_true_label_in_float32():
    assert mia.confidence(np.log([2.0, 4.0])) == pytest.approx([0.5, 0.25])
    assert mia.confidence(np.array([0.0, 1e-9, np.inf])).tolist() == [1, 1, 0]
    for loss in (np.nan, -0.1):
        with pytest.raises(BadInput, match=r"row 1: .* is not a cross-entropy"):
            mia.confidence(np.array([0.5, loss]))


@given(st.sampled_from(mia.MEMBERS), st.integers(1, 40), st.integers(1, 40))
def test_members_and_non_members_are_cut_to_equal_numbers(how: str, retain: int, test: int):
    samples = np.arange(retain) / 100, 0.5 + np.arange(test) / 100
    first, second = (mia.balanced(*samples, how, np.random.default_rng(0)) for _ in range(2))
    for chosen, repeated, candidates in zip(first, second, samples, strict=True):
        assert len(set(chosen)) == len(chosen) == min(retain, test) and set(chosen) <= set(candidates)
        assert chosen.tolist() == repeated.tolist()
        assert how == "random" or chosen.tolist() == candidates[: len(chosen)].tolist()
    many = np.arange(1000.0)
    assert (mia.balanced(many, many[:100], how, np.random.default_rng(0))[0].max() > 500) == (how == "random")


def test_unequal_or_empty_samples_and_too_few_bins_are_refused():
    confidences = np.array([0.1, 0.9])
    with pytest.raises(BadInput, match="1 members, 2 non-members and 2 queries"):
        mia.membership_attack(confidences[:1], confidences, confidences)
    with pytest.raises(BadInput, match="2 members, 2 non-members and 0 queries"):
        mia.membership_attack(confidences, confidences, confidences[:0])
    with pytest.raises(BadInput, match="7 bins: accepted are 8 or more"):
        mia.membership_attack(confidences, confidences, confidences, bins=7)


def test_random_nonmembers_are_drawn_from_all_of_them():
    many = np.arange(1000.0)
    _, nonmembers = mia.balanced(many[:100], many, "random", np.random.default_rng(0))
    assert len(nonmembers) == 100 and nonmembers.max() > 500
