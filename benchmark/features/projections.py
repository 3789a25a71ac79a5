"""From features to two-dimensional maps, t-SNE and UMAP; the same seed gives the same maps."""

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
DIMENSIONS = 50  # what PCA leaves before either map: as usual, and UMAP is several times faster for it
PERPLEXITY = 30
NEIGHBOURS = 15
FEWEST = 5
LARGE = 4096  # samples from which UMAP would search for neighbours, with code that takes 20 s to compile
# For large maps, where the libraries' defaults take twice as long and keep no more neighbours (docs/speed.md).
CELL = 1.5  # side of a cell of the grid on which t-SNE's repulsion is interpolated; openTSNE's default is 1
EPOCHS = 300  # of UMAP, whose defaults are 500 to 10,000 samples and 200 above


def maps(features: npt.NDArray[np.floating[Any]], seed: int, threads: int = 1) -> pd.DataFrame:
    """Return the t-SNE and UMAP maps of one model's features (Figures 1, 3 and 11).

    Features of more than 50 dimensions are reduced to 50 by PCA. t-SNE is openTSNE's, started from PCA, at perplexity
    30 or, for few samples, (n - 1) / 3; UMAP takes 15 neighbours. UMAP runs on one thread, since with a seed it has no
    other choice. From 4,096 samples the neighbours of both are found by comparing all pairs, which is exact and, up to
    50,000 or so, quicker than a search; t-SNE interpolates on cells of 1.5 units and UMAP takes 300 epochs.

    Features are (n, d), of at least 5 samples; columns are ``tsne_x, tsne_y, umap_x, umap_y``, float64.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < FEWEST or features.shape[1] < 1:
        raise BadInput(
            f"features of shape {features.shape}: accepted is (samples, features) with at least {FEWEST} samples"
        )
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).any(axis=1).sum())
        raise BadInput(f"features: {bad} of {len(features)} samples hold a value that is no number")
    with warnings.catch_warnings():
        # About threads, small samples and deprecations inside the libraries: nothing that a user could act upon.
        warnings.simplefilter("ignore")
        points = reduced(features.astype(np.float64))
        both = np.hstack([tsne(points, seed, threads), umap(points, seed)])
    return pd.DataFrame(both, columns=COORDINATES)


def reduced(features: Floats) -> Floats:
    """Return the first principal components, at most 50, of the centred features."""
    if features.shape[1] <= DIMENSIONS:
        return features
    from sklearn.decomposition import PCA

    # By the covariance, where there are more samples than features: as exact, and several times as fast.
    solver = "covariance_eigh" if len(features) > features.shape[1] else "full"
    return np.asarray(PCA(min(DIMENSIONS, *features.shape), svd_solver=solver).fit_transform(features))


def tsne(features: Floats, seed: int, threads: int = 1) -> Floats:
    """Return openTSNE's map, (n, 2); see `maps`."""
    from openTSNE import TSNE

    # Starting from PCA divides by the spread of the features, which a collapsed model has lost, and needs two of them.
    start = "pca" if features.shape[1] >= 2 and np.ptp(features) > 0 else "random"
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    large = {"neighbors": "exact", "ints_in_interval": CELL} if len(features) >= LARGE else {}
    model = TSNE(perplexity=perplexity, initialization=start, random_state=seed, n_jobs=threads, **large)
    return np.asarray(model.fit(features), dtype=np.float64)


def umap(features: Floats, seed: int) -> Floats:
    """Return the UMAP map, (n, 2); see `maps`."""
    try:
        from umap import UMAP
    except RuntimeError:  # neither beside the library nor in the user's home can numba keep what it compiles
        import numba

        numba.config.CACHE_DIR = str(paths.work("numba"))  # type: ignore[attr-defined]
        from umap import UMAP

    _keep_compiled()
    # The spectral start needs more samples than this, and features that differ.
    start = "spectral" if len(features) > NEIGHBOURS and np.ptp(features) > 0 else "random"
    neighbours = min(NEIGHBOURS, len(features) - 1)
    large: dict[str, Any] = {}
    if len(features) >= LARGE:
        from sklearn.neighbors import NearestNeighbors

        points = features.astype(np.float32)
        # Each sample's nearest samples, itself first, and how far they are: all pairs compared, not a search.
        distance, index = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(points).kneighbors(points)
        large = {"precomputed_knn": (index, distance, None), "n_epochs": EPOCHS}
    model = UMAP(n_neighbors=neighbours, init=start, random_state=seed, n_jobs=1, **large)
    return np.asarray(model.fit_transform(features), dtype=np.float64)


def _keep_compiled() -> None:
    """Have numba keep on disk what UMAP compiles; it would compile it anew in every process, for 5 s."""
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
        # Without such a function, or without a folder to keep it in, it is compiled, as always.
        with contextlib.suppress(AttributeError, RuntimeError):
            getattr(module, name).enable_caching()
