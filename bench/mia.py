"""The membership attack on bins, beside the exact SVC: how much faster, and how often it decides the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.rows import Options, Row, timed
from bench.timing import clock, in_turns
from benchmark.metrics import mia

Floats = NDArray[np.float64]

# Of members, non-members and queries: a true label's logit above the others, as mean and deviation, and the share of
# samples that are plainly wrong.
SPREAD = ((2.0, 2.0, 0.0), (0.8, 2.4, 0.0), (1.2, 2.3, 0.0))
SATURATED = ((16.0, 3.5, 0.0), (11.0, 4.5, 0.06), (3.5, 4.0, 0.1))
KINDS = {"spread-out": SPREAD, "saturated": SATURATED}


def confidences(
    kind: tuple[tuple[float, float, float], ...], size: int, queries: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return confidences of ``size`` members, ``size`` non-members and ``queries`` samples to judge."""
    rng, drawn = np.random.default_rng(seed), []
    for (mean, deviation, wrong), count in zip(kind, (size, size, queries), strict=True):
        margin = rng.normal(mean, deviation, count)
        margin = np.where(rng.random(count) < wrong, rng.normal(-3, 3, count), margin)
        drawn.append(mia.confidence(np.logaddexp(0, -margin)))
    members, nonmembers, judged = drawn
    return members, nonmembers, judged


def exact(members: Floats, nonmembers: Floats, queries: Floats) -> NDArray[np.bool_]:
    """Return which queries the exact SVC takes for members, as in the public code."""
    from sklearn.svm import SVC

    svc = SVC(C=3, gamma="auto", kernel="rbf")
    svc.fit(np.r_[members, nonmembers].reshape(-1, 1), np.r_[np.ones(len(members)), np.zeros(len(nonmembers))])
    return np.asarray(svc.predict(queries.reshape(-1, 1)) == 1)


def rows(options: Options) -> list[Row]:
    """Return a row for each number of training samples of the SVC, half of them members, and shape of confidences."""
    sizes = (10_000, 20_000, 45_000) if not options.short else (1_000,)
    return [_row(size, kind, options) for size in sizes for kind in KINDS]


def _row(size: int, kind: str, options: Options) -> Row:
    given = confidences(KINDS[kind], size // 2, size // 10, seed=1)  # a tenth is judged, as where a tenth is forgotten
    clocks = {"ours": clock(lambda: mia.membership_attack(*given)), "reference": clock(lambda: exact(*given))}
    seconds = in_turns(clocks, options.repeats)
    ours, theirs = mia.membership_attack(*given), exact(*given)
    equal, difference = 100 * np.mean(ours == theirs), 100 * abs(ours.mean() - theirs.mean())
    figures = {"% of decisions equal": float(equal), "points of difference": float(difference)}
    wanted = ["% of decisions equal ≥ 99.9", "points of difference ≤ 0.1", *["ratio ≥ 100"] * (size == 45_000)]
    return timed(f"{size:,} samples, {kind} confidences", seconds, figures=figures, wanted=wanted)
