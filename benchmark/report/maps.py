"""Two-dimensional maps of representations, t-SNE and UMAP, coloured by predicted class (Figures 1, 3 and 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark import results
from benchmark.errors import StaleOutput
from benchmark.kinds import MAPS
from benchmark.names import Cell
from benchmark.report.alignment import aligned, centroids, standardised
from benchmark.report.placing import write_names
from benchmark.report.style import FULL_WIDTH, class_colours, dataset_label, method_label, scenario_label
from benchmark.study import Derived, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROJECTIONS = {"tsne": "t-SNE", "umap": "UMAP"}
NAMED_CLASSES = 10  # with more, names would cover the dots
# Inches: a panel's side at most, the space between panels, left of them for a row's heading, above for a column's.
WIDEST_PANEL, GAP, MARGIN, LINE = 2.4, 0.06, 0.2, 0.15


@dataclass(frozen=True)
class Panel:
    """One map: which, its points (n, 2) after alignment, and its samples; ``points`` is None where it is missing."""

    method: str
    cell: Cell
    projection: str
    points: npt.NDArray[np.float64] | None
    samples: pd.DataFrame


def panels(study: Study, name: str, partial: bool = False) -> list[list[Panel]]:
    """Return the figure's panels, in rows, each map turned to look like the first of its dataset.

    One method: a row a projection, a column a cell. Several methods: a row a method; with one or two cells each has
    its t-SNE and UMAP side by side, with more there is a column a cell, and the rows come once for each projection.

    Parameters
    ----------
    study, name : the figure.
    partial : leave a panel empty where its map is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a map is missing, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    maps = {(method, cell): _samples(study, method, cell, partial) for method in output.methods for cell in cells}
    if len(output.methods) > 1 and len(cells) <= 2:
        grid = [[(m, cell, p) for cell in cells for p in PROJECTIONS] for m in output.methods]
    else:
        grid = [[(m, cell, p) for cell in cells] for p in PROJECTIONS for m in output.methods]
    targets: dict[str, pd.DataFrame] = {}
    return [[_panel(maps[method, cell], method, cell, p, targets) for method, cell, p in row] for row in grid]


def _samples(study: Study, method: str, cell: Cell, partial: bool) -> pd.DataFrame | None:
    try:
        return results.derived(study, Derived(MAPS, study.run(study.run_name(cell, method, 0)), cell.scenario))
    except StaleOutput:
        if partial:
            return None
        raise


def _panel(samples: pd.DataFrame | None, method: str, cell: Cell, projection: str, targets: Any) -> Panel:
    """Align a map with the first of its dataset, which it becomes if there is none yet."""
    if samples is None:
        return Panel(method, cell, projection, None, pd.DataFrame())
    points = samples[[f"{projection}_x", f"{projection}_y"]].to_numpy(dtype=float)
    label = samples["label"].to_numpy()
    if cell.dataset in targets:
        points = aligned(points, label, targets[cell.dataset])
    else:
        points = standardised(points)
        targets[cell.dataset] = centroids(points, label)
    return Panel(method, cell, projection, points, samples)


def build(study: Study, name: str, partial: bool = False) -> Figure:
    """Return the figure: retain dots small and faint, forget dots larger with a thin edge, coloured by predicted class.

    All panels of a projection have one scale; classes are named beside their
    clusters where there are at most ten. Parameters and errors are those of `panels`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = panels(study, name, partial)
    rows, columns = len(grid), len(grid[0])
    side = min((FULL_WIDTH - MARGIN) / columns - GAP, WIDEST_PANEL)
    lines = len({panel.projection for panel in grid[0]})
    figure = Figure(figsize=(FULL_WIDTH, rows * (side + GAP) + GAP + lines * LINE))
    axes = figure.subplots(rows, columns, squeeze=False)
    half = _half_widths(grid)
    for line, row in zip(axes, grid, strict=True):
        for panel_axes, panel in zip(line, row, strict=True):
            _frame(panel_axes, panel, half[panel.projection])
            if panel.points is None:
                panel_axes.text(0.5, 0.5, "missing", ha="center", va="center", transform=panel_axes.transAxes)
            else:
                _dots(panel_axes, panel, class_colours(len(results.classes(study, panel.cell.dataset))), side)
    _headings(axes, grid)
    _arrange(figure, axes, side)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for line, row in zip(axes, grid, strict=True):
        for panel_axes, panel in zip(line, row, strict=True):
            classes = results.classes(study, panel.cell.dataset)
            if panel.points is not None and len(classes) <= NAMED_CLASSES:
                write_names(panel_axes, _clusters(panel, classes), renderer)
    return figure


def _half_widths(grid: list[list[Panel]]) -> dict[str, float]:
    """Return half the width that every panel of a projection spans: the widest map with a margin."""
    half = dict.fromkeys(PROJECTIONS, 1e-9)
    for panel in (panel for row in grid for panel in row):
        if panel.points is not None:
            extent = float(np.ptp(panel.points, axis=0).max()) / 2
            half[panel.projection] = max(half[panel.projection], 1.08 * extent)
    return half


def _frame(axes: Axes, panel: Panel, half: float) -> None:
    """Put the map in the middle of its panel, at the scale that all panels of its projection share."""
    x, y = (0.0, 0.0) if panel.points is None else (panel.points.min(axis=0) + panel.points.max(axis=0)) / 2
    axes.set_xlim(x - half, x + half)
    axes.set_ylim(y - half, y + half)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#BBBBBB")


def _dots(axes: Axes, panel: Panel, colours: Any, side: float) -> None:
    """Draw the samples, as pixels also in the PDF: tens of thousands of vector dots are slow to open."""
    assert panel.points is not None
    colour = np.asarray(colours, dtype=object)[panel.samples["prediction"].to_numpy()]
    forget = (panel.samples["membership"] == "forget").to_numpy()
    # Dots share the panel's area: fewer, or a larger panel, let them be larger.
    size = float(np.clip(700 * side**2 / max(1, len(forget)), 0.5, 4))
    x, y = panel.points.T
    rest = ~forget
    axes.scatter(x[rest], y[rest], s=size, c=list(colour[rest]), alpha=0.35, linewidths=0, rasterized=True, zorder=2)
    axes.scatter(
        x[forget],
        y[forget],
        s=3 * size + 3,
        c=list(colour[forget]),
        edgecolors="black",
        linewidths=0.3,
        rasterized=True,
        zorder=3,
    )


def _clusters(panel: Panel, classes: list[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the points of each class that is predicted at all, by its name."""
    assert panel.points is not None
    predicted = panel.samples["prediction"].to_numpy()
    return {classes[number]: panel.points[predicted == number] for number in np.unique(predicted)}


def _headings(axes: Any, grid: list[list[Panel]]) -> None:
    """Say once a row and once a column what the panels show: a method and, where it differs, cell and projection."""
    side_by_side = len({panel.projection for panel in grid[0]}) > 1
    every = [panel for row in grid for panel in row]
    several = len({panel.cell.dataset for panel in every}) > 1
    for line, row in zip(axes, grid, strict=True):
        label = method_label(row[0].method) + ("" if side_by_side else f", {PROJECTIONS[row[0].projection]}")
        line[0].set_ylabel(label, labelpad=3)
    for panel_axes, panel in zip(axes[0], grid[0], strict=True):
        parts = [dataset_label(panel.cell.dataset)] if several else []
        parts.append(scenario_label(panel.cell.scenario))
        title = ", ".join(parts) + (f"\n{PROJECTIONS[panel.projection]}" if side_by_side else "")
        panel_axes.set_title(title, pad=3)


def _arrange(figure: Figure, axes: Any, side: float) -> None:
    """Place square panels of ``side`` inches by hand: what is exact needs no layout engine."""
    rows, columns = axes.shape
    width, height = figure.get_size_inches()
    left = (width - MARGIN - columns * side - (columns - 1) * GAP) / 2 + MARGIN
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * (side + GAP), (rows - 1 - row) * (side + GAP) + GAP
            axes[row, column].set_position((x / width, y / height, side / width, side / height))
