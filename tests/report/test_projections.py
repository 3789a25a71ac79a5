"""Maps of features by t-SNE and UMAP, and their alignment. UMAP is slow to import: only tests that patch it do."""

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import BadInput
from benchmark.features import alignment, projections

CLASSES = 3
LABEL = np.arange(120) % CLASSES


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(len(LABEL), 60)) + rng.normal(0, 6, (CLASSES, 60))[LABEL]).astype("float32")


def separated(points: np.ndarray) -> bool:
    """Tell whether every sample's nearest neighbour is of its class."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return bool((LABEL[distance.argmin(1)] == LABEL).all())


def test_maps_are_deterministic_and_separate_clusters(features) -> None:
    import umap

    first = projections.maps(features, seed=1)
    pd.testing.assert_frame_equal(first, projections.maps(features, seed=1))
    assert list(first) == ["tsne_x", "tsne_y", "umap_x", "umap_y"] and len(first) == len(features)
    assert separated(first[["tsne_x", "tsne_y"]].to_numpy()) and separated(first[["umap_x", "umap_y"]].to_numpy())
    compiled = umap.umap_.smooth_knn_dist.stats  # from numba's cache, or now in it
    assert compiled.cache_path is not None
    assert sum(compiled.cache_hits.values()) + sum(compiled.cache_misses.values()) > 0


@pytest.mark.filterwarnings("ignore:precomputed_knn")
def test_neighbours_of_many_samples_are_exact(features, monkeypatch) -> None:
    import umap

    fitted = []
    fit = umap.UMAP.fit_transform
    monkeypatch.setattr(umap.UMAP, "fit_transform", lambda self, *arrays: fitted.append(self) or fit(self, *arrays))
    # UMAP itself would compare all pairs of so few samples.
    monkeypatch.setattr(projections, "LARGE_MAP", 100)
    assert separated(projections.umap(features, seed=0)) and separated(projections.tsne(features, seed=0))
    index, distance, _ = fitted[0].precomputed_knn
    full = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.testing.assert_array_equal(index, np.argsort(full, axis=1, kind="stable")[:, : index.shape[1]])
    np.testing.assert_allclose(distance[:, 1:], np.sort(full, axis=1)[:, 1 : index.shape[1]], rtol=1e-4)


# Samples of collapsed models: equal, but not in all features.
EQUAL = [np.tile(np.arange(1.0, 5), (20, 1)), np.tile(np.random.default_rng(0).normal(size=64), (200, 1))]


@pytest.mark.parametrize("features", [*EQUAL, np.zeros((8, 60)), np.eye(6)[:, :1], np.eye(5)])
def test_maps_of_collapsed_or_few_features_are_finite(features, recwarn) -> None:
    assert np.isfinite(projections.maps(features, seed=0)).all(axis=None)
    assert not recwarn.list


def test_bad_features_are_refused() -> None:
    cases = ((np.ones((4, 3)), "at least 5"), (np.ones(9), "shape"), (np.full((9, 2), np.inf), "9 of 9"))
    for features, message in cases:
        with pytest.raises(BadInput, match=message):
            projections.maps(features, seed=0)


@pytest.mark.parametrize("mirror", [1, -1])
def test_alignment_undoes_a_known_rotation_exactly(mirror) -> None:
    rng = np.random.default_rng(0)
    points, label = rng.normal(size=(60, 2)) * [3, 1], np.arange(60) % 5
    rotation = np.array([[np.cos(1.2), -np.sin(1.2)], [np.sin(1.2), np.cos(1.2)]]) @ np.diag([1, mirror])
    standard = alignment.standardised(points)
    aligned = alignment.aligned(7 * points @ rotation + [30, -4], label, alignment.centroids(standard, label))
    np.testing.assert_allclose(aligned, standard, atol=1e-12)


def test_alignment_of_maps_without_common_classes_or_extent() -> None:
    target = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}, index=[8, 9])
    np.testing.assert_array_equal(alignment.aligned(np.ones((3, 2)), np.array([0, 1, 2]), target), np.zeros((3, 2)))
    with pytest.raises(BadInput, match="1 coordinates"):
        alignment.standardised(np.array([[0.0, np.nan]]))


def test_numba_caches_in_the_project_where_it_has_no_other_place(features, monkeypatch, tmp_path) -> None:
    import numba
    import umap

    class Refusing(ModuleType):
        def __getattr__(self, name):
            if name == "UMAP" and not numba.config.CACHE_DIR:
                raise RuntimeError("cannot cache function: no locator available")
            return getattr(umap, name)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setitem(sys.modules, "umap", Refusing("umap"))
    assert separated(projections.umap(features, seed=0)) and numba.config.CACHE_DIR == "results/work/numba"
