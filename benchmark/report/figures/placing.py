"""Placing class names beside their clusters.

Done here since adjustText keeps a name off all dots alike: where a map is full it pushes it beside another class's
cluster, and with thousands of dots it takes seconds a panel.
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
REACH = 50.0  # pixels from its cluster's middle beyond which a name is rather taken for another cluster's
MOST = 300  # dots of a class whose neighbours are counted: of more, some stand for all
ORDERS = 12  # in which names are placed; the best is kept
STEP = 3  # pixels between the places tried
DOT = 2  # pixels around a dot's centre that it is taken to fill


def places(clusters: Sequence[Floats], sizes: Floats, area: tuple[int, int]) -> Floats:
    """Return where the centres of names go, (k, 2), in pixels from the lower left corner of an area of that size.

    One after the other, each name takes the place with the least of: dots covered (others' twice), distance from its
    cluster's middle, and above all other names covered. Where a cluster is small that is beside it, where it is large,
    upon it. Which name comes first matters, so several orders are tried, the same ones every time.

    Parameters
    ----------
    clusters : the dots of each name, (n, 2) in pixels, at least one each; a name stands by its largest cluster.
    sizes : (k, 2), width and height of each name in pixels.
    """
    inks = [_ink(cluster, area) for cluster in clusters]
    every = np.max(inks, axis=0) if inks else np.zeros(area)
    options = [_candidates(size, area) for size in sizes]
    costs = []
    for cluster, ink, size, centres in zip(clusters, inks, sizes, options, strict=True):
        covered = 2 * _sums(every, centres, size) - _sums(ink, centres, size)
        away = np.abs(centres - _heart(cluster))
        distance = np.linalg.norm(np.maximum(away - size / 2, 0), axis=1) / REACH
        # Among equals, the nearest centre: a name in whose box the middle lies should still be centred on it.
        costs.append(covered / np.prod(size) + distance + distance**2 + 1e-3 * np.linalg.norm(away, axis=1))
    rng = np.random.default_rng(0)
    orders = [np.arange(len(clusters)), *(rng.permutation(len(clusters)) for _ in range(ORDERS - 1))]
    attempts = [_in_order(order, options, costs, sizes) for order in orders]
    return min(attempts, key=lambda attempt: attempt[0])[1]


def _heart(points: Floats) -> Floats:
    """Return the median of the dots around the one that has most others near: all dots' may lie on another class's."""
    some = points[:: -(-len(points) // MOST)]
    near = np.linalg.norm(some[:, None] - points, axis=2) < REACH / 2
    return np.asarray(np.median(points[near[near.sum(axis=1).argmax()]], axis=0))


def _in_order(order: Any, options: list[Floats], costs: list[Floats], sizes: Floats) -> tuple[float, Floats]:
    """Place the names one after the other; return the total cost and the centres."""
    centres, total = np.zeros((len(sizes), 2)), 0.0
    for step, one in enumerate(order):
        cost = costs[one].copy()
        for other in order[:step]:
            room = (sizes[one] + sizes[other]) / 2 - np.abs(options[one] - centres[other])
            cost += np.where((room > 0).all(axis=1), 1e3 + np.prod(np.maximum(room, 0), axis=1), 0)
        best = int(np.argmin(cost))
        centres[one] = options[one][best]
        total += float(cost[best])
    return total, centres


def _candidates(size: Floats, area: tuple[int, int]) -> Floats:
    """Return a grid of centres at which a box lies within the area; its middle if none does."""
    # The first and the last place along each side; the middle where the area is too small.
    first = np.minimum(np.ceil(size / 2), np.divide(area, 2))
    last = np.maximum(np.floor(area - size / 2), first)
    grid = np.meshgrid(
        *(np.arange(*ends, STEP, dtype=float) for ends in zip(first, last + 1, strict=True)), indexing="ij"
    )
    return np.stack(grid, axis=-1).reshape(-1, 2)


def _ink(points: Floats, area: tuple[int, int]) -> Floats:
    """Return which pixels of the area the dots fill, 0 or 1, shape ``area``."""
    ink = np.zeros(area)
    for x, y in np.unique(np.rint(points).astype(int), axis=0):
        ink[max(0, x - DOT) : max(0, x + DOT + 1), max(0, y - DOT) : max(0, y + DOT + 1)] = 1
    return ink


def _sums(ink: Floats, centres: Floats, size: Floats) -> Floats:
    """Return how much ink lies below a box at each centre, from the table of sums over all lower left corners."""
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
    # The box of a line of text holds room above and below its letters, and letters need a little at the sides.
    sizes = np.array([[box.width + 3, 0.9 * box.height] for box in boxes]).reshape(-1, 2)
    frame = axes.get_window_extent(renderer)
    corner = np.array([frame.x0, frame.y0])
    dots = [axes.transData.transform(cluster) - corner for cluster in clusters.values()]
    centres = places(dots, sizes, (int(frame.width), int(frame.height)))
    for text, (x, y) in zip(texts, axes.transData.inverted().transform(centres + corner), strict=True):
        text.set_position((float(x), float(y)))
