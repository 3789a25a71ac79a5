"""Map features to two dimensions by t-SNE and UMAP; the same seed gives the same maps."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput

Floats = npt.NDArray[np.float64]

COORDINATES = ["tsne_x", "tsne_y", "umap_x", "umap_y"]
DIMENSIONS = 50  # principal components that both maps start from: the usual number, and UMAP is several times faster
PERPLEXITY = 30
NEIGHBOURS = 15
FEWEST = 5  # samples of a map
LARGE_MAP = 4096  # samples; from here on UMAP would search for neighbours, with code that takes 20 s to compile
# For large maps. The libraries' defaults take twice as long and preserve no more neighbours (docs/speed.md).
GRID_STEP = 1.5  # spacing of the grid on which t-SNE's repulsion is interpolated; openTSNE's default is 1
EPOCHS = 300  # of UMAP, whose default is 500 for up to 10,000 samples and 200 for more


def maps(features: npt.NDArray[np.floating[Any]], seed: int, threads: int = 1) -> pd.DataFrame:
    """Return the t-SNE and UMAP maps of one model's features (Figures 1, 3, 11 and 12).

    Features of more than 50 dimensions are reduced to 50 by PCA. t-SNE is openTSNE's, initialised by PCA, with
    perplexity 30 or, for few samples, (n - 1) / 3. UMAP uses 15 neighbours, and one thread, since a seed rules out
    more. From 4,096 samples on, both find neighbours by comparing all pairs, which is exact and, up to about 50,000
    samples, faster than a search; t-SNE then interpolates on a grid of 1.5 units and UMAP runs 300 epochs.

    Features are (n, d), with at least 5 samples; columns are ``tsne_x, tsne_y, umap_x, umap_y``, float64.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < FEWEST or features.shape[1] < 1:
        raise BadInput(
            f"features of shape {features.shape}: accepted is (samples, features) with at least {FEWEST} samples"
        )
    if not np.isfinite(features).all():
        invalid = int((~np.isfinite(features)).any(axis=1).sum())
        raise BadInput(f"features: {invalid} of {len(features)} samples hold a value that is not a number")
    if not np.ptp(features, axis=0).any():  # a collapsed model's equal samples, whose spread t-SNE would divide by
        features = np.zeros_like(features)
    with warnings.catch_warnings():
        # The libraries warn of threads, small samples and their own deprecations: nothing that a user can act upon.
        warnings.simplefilter("ignore")
        points = reduced(features.astype(np.float64))
        coordinates = np.hstack([tsne(points, seed, threads), umap(points, seed)])
    return pd.DataFrame(coordinates, columns=COORDINATES)


def reduced(features: Floats) -> Floats:
    """Return features (n, d) of at most 50 dimensions as they are, of more as up to 50 principal components."""
    if features.shape[1] <= DIMENSIONS:
        return features
    from sklearn.decomposition import PCA

    # With more samples than features, the covariance is as exact and several times as fast.
    solver = "covariance_eigh" if len(features) > features.shape[1] else "full"
    return np.asarray(PCA(min(DIMENSIONS, *features.shape), svd_solver=solver).fit_transform(features))


def tsne(features: Floats, seed: int, threads: int = 1) -> Floats:
    """Return openTSNE's map, (n, 2); see `maps`."""
    from openTSNE import TSNE

    # PCA needs two features and divides by their spread, which is 0 in a collapsed model.
    start = "pca" if features.shape[1] >= 2 and np.ptp(features) > 0 else "random"
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    options = {"neighbors": "exact", "ints_in_interval": GRID_STEP} if len(features) >= LARGE_MAP else {}
    model = TSNE(perplexity=perplexity, initialization=start, random_state=seed, n_jobs=threads, **options)
    return np.asarray(model.fit(features), dtype=np.float64)


def umap(features: Floats, seed: int) -> Floats:
    """Return the UMAP map, (n, 2); see `maps`."""
    try:
        from umap import UMAP
    except RuntimeError:  # numba can write its cache neither beside the library nor in the user's home
        import numba

        numba.config.CACHE_DIR = str(paths.work("numba"))  # type: ignore[attr-defined]
        from umap import UMAP

    _cache_compiled()
    # Spectral initialisation needs more samples than neighbours, and features that differ.
    start = "spectral" if len(features) > NEIGHBOURS and np.ptp(features) > 0 else "random"
    neighbours = min(NEIGHBOURS, len(features) - 1)
    options: dict[str, Any] = {}
    if len(features) >= LARGE_MAP:
        from sklearn.neighbors import NearestNeighbors

        points = features.astype(np.float32)
        # Each sample's nearest samples and their distances, itself first, by comparing all pairs.
        distance, index = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(points).kneighbors(points)
        options = {"precomputed_knn": (index, distance, None), "n_epochs": EPOCHS}
    model = UMAP(n_neighbors=neighbours, init=start, random_state=seed, n_jobs=1, **options)
    return np.asarray(model.fit_transform(features), dtype=np.float64)


def _cache_compiled() -> None:
    """Have numba cache UMAP's compiled code on disk; compiling it in every process would take 5 s."""
    from umap import distances, layouts, umap_, utils

    compiled = [
        (distances, "euclidean"),
        (utils, "fast_knn_indices"),
        (umap_, "smooth_knn_dist"),
        (umap_, "compute_membership_strengths"),
        (layouts, "clip"),
        (layouts, "_nb_optimize_layout_euclidean_single_epoch"),
    ]
    for module, name in compiled:
        # Without such a function, or without a folder for the cache, it is compiled as usual.
        with contextlib.suppress(AttributeError, RuntimeError):
            getattr(module, name).enable_caching()
