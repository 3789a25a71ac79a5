"""Align 2-D maps of the same classes by an orthogonal Procrustes fit on class centroids.

A map has no orientation: rotating, mirroring, moving or scaling it changes no neighbourhood.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import orthogonal_procrustes

from benchmark.errors import BadInput

Floats = npt.NDArray[np.float64]


def centroids(points: Floats, label: npt.NDArray[Any]) -> pd.DataFrame:
    """Return the mean of each class's points, (n, 2): columns ``x, y``, indexed by class."""
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1]}).groupby(np.asarray(label)).mean()


def standardised(points: Floats) -> Floats:
    """Return a map, (n, 2), centred on its mean and scaled to a mean squared distance of 1 from it."""
    points = np.asarray(points, dtype=float)
    if not np.isfinite(points).all():
        raise BadInput(
            f"map of {len(points)} points holds {np.sum(~np.isfinite(points))} coordinates that are no number"
        )
    centred = points - points.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=1).mean())
    return np.asarray(centred / scale if scale > 0 else centred)


def aligned(points: Floats, label: npt.NDArray[Any], target: pd.DataFrame) -> Floats:
    """Standardise a map, (n, 2), and rotate or mirror it so that its class centroids are nearest to ``target``.

    ``target`` is the `centroids` of a standardised map. With fewer than two classes in common the map is not rotated.
    """
    points = standardised(points)
    moving_centroids = centroids(points, label)
    common = moving_centroids.index.intersection(target.index)
    if len(common) < 2:
        return points
    moving, fixed = (frame.loc[common].to_numpy() for frame in (moving_centroids, target))
    rotation, _ = orthogonal_procrustes(moving - moving.mean(axis=0), fixed - fixed.mean(axis=0))
    return np.asarray(points @ rotation)
