"""Placing class names beside their clusters.

Unlike this module, adjustText keeps a name off all dots alike: on a full map it pushes a name beside another class's
cluster, and with thousands of dots it takes seconds per panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

Floats = npt.NDArray[np.float64]

FONT = 8
REACH = 50.0  # pixels from its cluster's middle beyond which readers take a name for another cluster's
MOST_DOTS = 300  # of a class whose neighbours are counted: a larger class is sampled
ORDERS = 12  # of the names to try; the best is kept
STEP = 3  # pixels between the positions tried
DOT = 2  # radius of a dot in pixels


def places(clusters: Sequence[Floats], sizes: Floats, area: tuple[int, int]) -> Floats:
    """Return the centres of the names, (k, 2), in pixels from the lower left corner of ``area``.

    In turn, each name takes the position of least cost: dots covered (other clusters' count twice), distance from its
    cluster's middle and, above all, other names covered. This puts a name beside a small cluster and upon a large one.
    The order of the names matters, so several are tried, the same ones every time.

    Parameters
    ----------
    clusters : dots of each name, (n, 2) in pixels, at least one name and one dot; a name is placed by its largest
        cluster.
    sizes : (k, 2), width and height of each name in pixels.
    """
    inks = [_ink(cluster, area) for cluster in clusters]
    all_ink = np.max(inks, axis=0)
    candidates = [_candidates(size, area) for size in sizes]
    costs = []
    for cluster, ink, size, centres in zip(clusters, inks, sizes, candidates, strict=True):
        covered = 2 * _sums(all_ink, centres, size) - _sums(ink, centres, size)
        offset = np.abs(centres - _middle(cluster))
        distance = np.linalg.norm(np.maximum(offset - size / 2, 0), axis=1) / REACH
        # The last term prefers the nearest of equal centres: a name whose box holds the middle is centred on it.
        costs.append(covered / np.prod(size) + distance + distance**2 + 1e-3 * np.linalg.norm(offset, axis=1))
    rng = np.random.default_rng(0)
    orders = [np.arange(len(clusters)), *(rng.permutation(len(clusters)) for _ in range(ORDERS - 1))]
    attempts = [_place_in(order, candidates, costs, sizes) for order in orders]
    return min(attempts, key=lambda attempt: attempt[0])[1]


def _middle(points: Floats) -> Floats:
    """Return the median of the dots around the most crowded one: that of all dots may lie in another cluster."""
    sampled = points[:: -(-len(points) // MOST_DOTS)]
    near = np.linalg.norm(sampled[:, None] - points, axis=2) < REACH / 2
    return np.asarray(np.median(points[near[near.sum(axis=1).argmax()]], axis=0))


def _place_in(order: Any, candidates: list[Floats], costs: list[Floats], sizes: Floats) -> tuple[float, Floats]:
    """Place the names in the given order; return the total cost and the centres."""
    centres, total = np.zeros((len(sizes), 2)), 0.0
    for step, name in enumerate(order):
        cost = costs[name].copy()
        for placed in order[:step]:
            overlap = (sizes[name] + sizes[placed]) / 2 - np.abs(candidates[name] - centres[placed])
            cost += np.where((overlap > 0).all(axis=1), 1e3 + np.prod(np.maximum(overlap, 0), axis=1), 0)
        best = int(np.argmin(cost))
        centres[name] = candidates[name][best]
        total += float(cost[best])
    return total, centres


def _candidates(size: Floats, area: tuple[int, int]) -> Floats:
    """Return a grid of centres at which a box fits into the area; the area's middle if none does."""
    # The first and last centre along each side; the middle where the area is too small.
    first = np.minimum(np.ceil(size / 2), np.divide(area, 2))
    last = np.maximum(np.floor(area - size / 2), first)
    grid = np.meshgrid(
        *(np.arange(*ends, STEP, dtype=float) for ends in zip(first, last + 1, strict=True)), indexing="ij"
    )
    return np.stack(grid, axis=-1).reshape(-1, 2)


def _ink(points: Floats, area: tuple[int, int]) -> Floats:
    """Return 1 for each pixel of the area that a dot fills, else 0; shape ``area``."""
    ink = np.zeros(area)
    for x, y in np.unique(np.rint(points).astype(int), axis=0):
        ink[max(0, x - DOT) : max(0, x + DOT + 1), max(0, y - DOT) : max(0, y + DOT + 1)] = 1
    return ink


def _sums(ink: Floats, centres: Floats, size: Floats) -> Floats:
    """Return the ink under a box at each centre, from a summed-area table."""
    table = np.pad(ink.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    corners = (np.rint(centres + half).astype(int) for half in (-size / 2, size / 2))
    (x0, y0), (x1, y1) = (np.clip(corner, 0, ink.shape).T for corner in corners)
    return np.asarray(table[x1, y1] - table[x0, y1] - table[x1, y0] + table[x0, y0])


def write_names(axes: Axes, clusters: dict[str, Floats], renderer: Any) -> None:
    """Write each name beside its cluster, (n, 2) in data coordinates, in black with a white halo."""
    halo = [withStroke(linewidth=1.8, foreground="white")]
    style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "path_effects": halo, "zorder": 5}
    texts = [axes.text(0, 0, name, fontsize=FONT, **style) for name in clusters]
    boxes = [text.get_window_extent(renderer) for text in texts]
    # A text's box has too much room above and below its letters, and too little at the sides.
    sizes = np.array([[box.width + 3, 0.9 * box.height] for box in boxes])
    frame = axes.get_window_extent(renderer)
    corner = np.array([frame.x0, frame.y0])
    dots = [axes.transData.transform(cluster) - corner for cluster in clusters.values()]
    centres = places(dots, sizes, (int(frame.width), int(frame.height)))
    for text, (x, y) in zip(texts, axes.transData.inverted().transform(centres + corner), strict=True):
        text.set_position((float(x), float(y)))
