"""Aligning 2-D maps of the same classes by an orthogonal Procrustes fit on class centroids.

A map has no orientation of its own. Rotating, mirroring, moving and scaling it as a whole changes no neighbourhood.
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
    """Return the mean of the points, (n, 2), of each class, columns ``x, y``, indexed by class."""
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
    """Return a map, (n, 2), standardised and turned so that its class centroids are as near as may be to ``target``.

    That is what `centroids` returned for a standardised map; with fewer than two classes in common there is nothing to
    turn by.
    """
    points = standardised(points)
    own = centroids(points, label)
    common = own.index.intersection(target.index)
    if len(common) < 2:
        return points
    moving, fixed = (frame.loc[common].to_numpy() for frame in (own, target))
    turn, _ = orthogonal_procrustes(moving - moving.mean(axis=0), fixed - fixed.mean(axis=0))
    return np.asarray(points @ turn)
