"""The membership attack on bins, beside the exact SVC: how much faster, and how often it decides the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.rows import Options, Row, Wanted, faster
from bench.timing import interleaved
from benchmark.metrics import mia

SIZES = (10_000, 20_000, 45_000)

# Of members, non-members and queries: a true label's logit above the others, as mean and deviation, and the share of
# samples that are plainly wrong.
SPREAD = ((2.0, 2.0, 0.0), (0.8, 2.4, 0.0), (1.2, 2.3, 0.0))
SATURATED = ((16.0, 3.5, 0.0), (11.0, 4.5, 0.06), (3.5, 4.0, 0.1))
KINDS = {"spread-out": SPREAD, "saturated": SATURATED}


def confidences(
    kind: tuple[tuple[float, float, float], ...], size: int, queries: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return confidences of ``size`` members, ``size`` non-members and ``queries`` samples to judge."""
    rng = np.random.default_rng(seed)
    found = []
    for (mean, deviation, share), count in zip(kind, (size, size, queries), strict=True):
        margin = rng.normal(mean, deviation, count)
        margin = np.where(rng.random(count) < share, rng.normal(-3, 3, count), margin)
        found.append(mia.confidence(np.logaddexp(0, -margin)))
    members, nonmembers, judged = found
    return members, nonmembers, judged


def rows(options: Options) -> list[Row]:
    """Return a row for each number of training samples of the SVC, half of them members, and shape of confidences."""
    from bench import reference  # here, since tests of the attack draw their confidences from this module

    found = []
    for size in SIZES if not options.short else (3_000,):
        for name, kind in KINDS.items():
            # A tenth is judged, as where a tenth is forgotten.
            given = confidences(kind, size // 2, size // 10, seed=1)
            seconds = interleaved(
                {
                    "ours": lambda given=given: mia.membership_attack(*given),  # type: ignore[misc]
                    "reference": lambda given=given: reference.attack(*given),  # type: ignore[misc]
                },
                options.repeats,
            )
            ours, exact = mia.membership_attack(*given), reference.attack(*given)
            agree = {
                "% of decisions equal": float(100 * np.mean(ours == exact)),
                "points of difference": float(100 * abs(ours.mean() - exact.mean())),
            }
            wanted = [Wanted("% of decisions equal", ">=", 99.9), Wanted("points of difference", "<=", 0.1)]
            if size == SIZES[-1]:
                wanted.append(Wanted("ratio", ">=", 100.0))
            mine, theirs = (float(np.median(seconds[who])) for who in ("ours", "reference"))
            ratio = faster(seconds["ours"], seconds["reference"])
            work = f"{size:,} samples, {name} confidences"
            found.append(Row(work, "s", mine, theirs, ratio, None, agree, tuple(wanted), seconds))
    return found
