"""The membership inference attack: how many forget samples look as if the model had never been trained on them.

An SVC learns to tell members (retain samples) from non-members (test samples) by the model's confidence in the true
label, and then judges the forget samples. It is the attack of the SalUn, l1-sparse and RUM repositories, which the
paper follows.

The exact SVC takes seconds to minutes, and on binned confidences a tenth or two of a second. ``SVC`` multiplies C by a
sample's weight, so one point of weight w is the same problem as w equal points; and within a narrow bin the hinge loss
is linear nearly everywhere, so its samples act as copies of their mean. Most bins are quantiles, since equal widths
would put most of a saturated model's samples into one bin; the other bins cut wide quantiles, which the few low
confidences of such a model would share (up to 0.2 % of decisions differed). Where the hinge bends, at the margins,
samples do not act as their mean (up to 0.25 % differed): a first fit with few bins finds the margins, and a second has
fine bins around them. The remaining differences are no larger than those by another order of samples in the exact SVC.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import BadInput, unknown

Floats = npt.NDArray[np.float64]

BINS = 1024
NEAR = 0.03  # confidences this close to a margin get fine bins in the second fit
MEMBERS = ("first", "random")


def confidence(loss: npt.NDArray[Any]) -> Floats:
    """Return the softmax probability of the true label (n,) from the cross-entropy in nats of each sample (n,).

    The loss is read as float32, the precision of probabilities in the attack's public code: what is exactly 1 there is
    exactly 1 here. Raises `BadInput` for a loss that is not a number, or negative beyond rounding.
    """
    loss = np.asarray(loss, dtype=np.float32)
    if len(invalid := np.flatnonzero(~(loss >= -1e-4))):
        value = f"column loss, row {invalid[0]}: {loss[invalid[0]]}"
        raise BadInput(f"{value} is not a cross-entropy: accepted are numbers from 0")
    return np.minimum(np.exp(-loss), np.float32(1)).astype(np.float64)


def quantile_bins(values: Floats, bins: int | None) -> tuple[Floats, Floats]:
    """Summarise values (n,) by at most ``bins`` points: the mean of each bin, ascending, and how many values it holds.

    Five eighths of the bins are quantiles; three eighths cut the range of values evenly. Equal values are never in two
    bins. If ``bins`` is None, or there are no more values, each value is a point of its own, in the order given.
    """
    if bins is None or len(values) <= bins:
        return values, np.ones(len(values))
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins:
        return distinct, counts.astype(np.float64)
    # The rank of the middle copy of each value: a value with very many copies does not join the bin of its neighbours.
    rank = (np.cumsum(counts) - counts / 2) / len(values)
    height = (distinct - distinct[0]) / (distinct[-1] - distinct[0])
    by_rank, by_height = 5 * bins // 8, bins - 5 * bins // 8
    square = (rank * by_rank).astype(np.int64) * (by_height + 1) + (height * by_height).astype(np.int64)
    _, bin_of = np.unique(square, return_inverse=True)
    weights: Floats = np.bincount(bin_of, weights=counts).astype(np.float64)
    return np.bincount(bin_of, weights=counts * distinct) / weights, weights


def membership_attack(
    members: Floats, nonmembers: Floats, queries: Floats, bins: int | None = BINS
) -> npt.NDArray[np.bool_]:
    """Return which queries the attack takes for members, (q,) bool.

    ``SVC(C=3, gamma="auto", kernel="rbf")`` on the confidence alone; "auto" is 1 / number of features, here 1. Raises
    `BadInput` if the sides differ in number, one of the three is empty, or ``bins`` is below 8.

    Parameters
    ----------
    members, nonmembers : confidence in the true label of retain and of test samples, (n,) each: with unequal numbers
        the SVC assigns nearly everything to the larger side.
    queries : confidence of the samples to judge, (q,); they are never binned.
    bins : how many bins each side has around the margins, with a quarter as many elsewhere; half as many find the
        margins. None, or at least the number of samples on a side: the exact SVC.
    """
    if len(members) != len(nonmembers) or not len(members) or not len(queries):
        raise BadInput(
            f"membership attack with {len(members)} members, {len(nonmembers)} non-members and {len(queries)} queries: "
            "accepted are as many members as non-members, and at least one of each"
        )
    if bins is not None and bins < 8:
        raise BadInput(f"membership attack with {bins} bins: accepted are 8 or more, or None for the exact SVC")
    if bins is None or len(members) <= bins:
        sides = [quantile_bins(values, None) for values in (members, nonmembers)]
    else:
        coarse = [quantile_bins(values, bins // 2) for values in (members, nonmembers)]
        margins = _margins(_fitted(coarse), np.concatenate([points for points, _ in coarse]))
        sides = [_bins_around(margins, values, bins) for values in (members, nonmembers)]
    return np.asarray(_fitted(sides).predict(queries[:, None]) == 1)


def _fitted(sides: list[tuple[Floats, Floats]]) -> Any:
    """Return the ``sklearn.svm.SVC`` fitted to points and their weights, those of members first."""
    from sklearn.svm import SVC  # here, so that importing the metrics stays fast

    points, weights = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    is_member = np.repeat([1, 0], [len(points) for points, _ in sides])
    return SVC(C=3, gamma="auto", kernel="rbf").fit(points[:, None], is_member, sample_weight=weights)


def _margins(svc: Any, points: Floats) -> Floats:
    """Return the confidences, to a thousandth or the distance of two points, where the SVC's decision is 1 or -1."""
    grid = np.unique(np.concatenate([points, np.linspace(0, 1, 1001)]))
    decision = svc.decision_function(grid[:, None])
    return grid[np.flatnonzero((np.diff(np.sign(decision - 1)) != 0) | (np.diff(np.sign(decision + 1)) != 0))]


def _bins_around(margins: Floats, values: Floats, bins: int) -> tuple[Floats, Floats]:
    """Summarise values as `quantile_bins` does, those near a margin by ``bins`` bins and others by a quarter."""
    near = (np.abs(values[:, None] - margins) < NEAR).any(axis=1)
    parts = (values[~near], bins // 4), (values[near], bins)
    binned = [quantile_bins(part, limit) for part, limit in parts if len(part)]
    points, weights = (np.concatenate(columns) for columns in zip(*binned, strict=True))
    return points, weights


def mia_rate(members: Floats, nonmembers: Floats, queries: Floats, bins: int | None = BINS) -> float:
    """Return MIA: the per cent of queries (forget samples) that `membership_attack` takes for non-members."""
    return float(100.0 * (1.0 - np.mean(membership_attack(members, nonmembers, queries, bins))))


def balanced(
    members: Floats, nonmembers: Floats, how: str = "first", rng: np.random.Generator | None = None
) -> tuple[Floats, Floats]:
    """Cut the larger of two sides, (m,) and (n,) values in dataset order, to the number of the smaller.

    ``"first"`` keeps the first of either side, as the public code does with the retain samples; ``"random"`` draws as
    many with ``rng``, without replacement. Raises `BadInput` for another choice or a missing ``rng``.
    """
    if how not in MEMBERS:
        raise unknown("choice of members", how, MEMBERS, "MIA members")
    size = min(len(members), len(nonmembers))
    if how == "first":
        return members[:size], nonmembers[:size]
    if rng is None:
        raise BadInput("MIA members 'random' with rng None: accepted is a numpy random Generator")
    return rng.permutation(members)[:size], rng.permutation(nonmembers)[:size]
