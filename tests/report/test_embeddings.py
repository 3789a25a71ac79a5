from __future__ import annotations

import numpy as np
import pytest

from benchmark.features import projections as embeddings

CLASSES = 4


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 6, (CLASSES, 60))
    return centres[np.arange(240) % CLASSES] + rng.normal(0, 1, (240, 60))


def apart(points: np.ndarray) -> bool:
    """Whether every sample's nearest neighbour is of its class."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return bool((distance.argmin(1) % CLASSES == np.arange(len(points)) % CLASSES).all())


@pytest.mark.filterwarnings("ignore:precomputed_knn")
def test_neighbours_of_many_samples_are_exact(features, monkeypatch):
    index, distance, _ = embeddings._nearest(features, neighbours=5)
    full = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.testing.assert_array_equal(index, np.argsort(full, axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(distance[:, 1:], np.sort(full, axis=1)[:, 1:5], rtol=1e-4)
    # The map made from them, of a sample small enough for UMAP to compare all pairs itself, shows the same.
    monkeypatch.setattr(embeddings, "LARGE", 100)
    assert apart(embeddings.umap(features, seed=0))
    assert apart(embeddings.tsne(features, seed=0))


def test_compiled_code_is_kept(features):
    from umap import layouts, umap_

    embeddings.umap(features, seed=0)
    for function in (umap_.smooth_knn_dist, layouts._nb_optimize_layout_euclidean_single_epoch):
        stats = function.stats
        assert stats.cache_path is not None
        assert sum(stats.cache_hits.values()) + sum(stats.cache_misses.values()) > 0
