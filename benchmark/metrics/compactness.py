"""The compactness of clusters: the number beside a map of forget samples (Figure 12)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def silhouette(points: npt.NDArray[np.floating[Any]], clusters: npt.ArrayLike) -> float:
    """Return the mean silhouette of points (n, d) in their clusters (n,), from -1 to 1 (Rousseeuw 1987).

    A point's silhouette is (b - a) / max(a, b), where a is its mean distance to the rest of its cluster and b that to
    the nearest other cluster; a point alone in its cluster has 0. NaN unless there are at least two clusters, and fewer
    clusters than points.
    """
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(clusters)) < len(points):
        return float("nan")
    return float(silhouette_score(points, clusters))
