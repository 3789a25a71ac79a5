"""The silhouette of clusters."""

import numpy as np
import pytest

from benchmark.metrics.compactness import silhouette


def test_the_silhouette_of_two_pairs_equals_a_hand_computation() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    # Each is 1 from the rest of its pair, and on average 10.5, 9.5, 9.5 and 10.5 from the other pair.
    expected = np.mean([9.5 / 10.5, 8.5 / 9.5, 8.5 / 9.5, 9.5 / 10.5])
    assert silhouette(points, ["a", "a", "b", "b"]) == pytest.approx(expected)
    # Paired across, each lies nearer to the other pair.
    assert silhouette(points, ["a", "b", "a", "b"]) < 0


@pytest.mark.parametrize("clusters", [[], [0, 0, 0], [0, 1, 2]])
def test_without_two_clusters_there_is_no_silhouette(clusters) -> None:
    assert np.isnan(silhouette(np.arange(2.0 * len(clusters)).reshape(-1, 2), clusters))
