"""The silhouette of clusters."""

import numpy as np
import pytest

from benchmark.metrics.compactness import silhouette


def test_silhouette_of_two_pairs_is_known() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    # To the rest of its own pair 1, to the other pair on average 10.5, 9.5, 9.5 and 10.5.
    expected = np.mean([9.5 / 10.5, 8.5 / 9.5, 8.5 / 9.5, 9.5 / 10.5])
    assert silhouette(points, ["a", "a", "b", "b"]) == pytest.approx(expected)
    # Paired across, each lies nearer to the others.
    assert silhouette(points, ["a", "b", "a", "b"]) < 0


@pytest.mark.parametrize("clusters", [[], [0, 0, 0], [0, 1, 2]])
def test_without_clusters_to_compare_there_is_none(clusters) -> None:
    assert np.isnan(silhouette(np.arange(2.0 * len(clusters)).reshape(-1, 2), clusters))
