"""Two-dimensional maps of representations, t-SNE and UMAP, coloured by predicted class (Figures 1, 3, 11, 12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import StaleOutput
from benchmark.features.alignment import aligned, centroids, standardised
from benchmark.names import Cell, MethodName
from benchmark.report.figures.placing import write_names
from benchmark.report.style import (
    FULL_WIDTH,
    architecture_label,
    class_colours,
    dataset_label,
    method_label,
    scenario_label,
    setting_label,
)
from benchmark.results import records as results
from benchmark.study.outputs import MAPS
from benchmark.study.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROJECTIONS = {"tsne": "t-SNE", "umap": "UMAP"}
NAMED_CLASSES = 10  # with more, names would cover the dots
# Inches: a panel's side at most, the space between panels, left of them and above for a line of a heading.
WIDEST_PANEL, GAP, MARGIN, LINE = 2.4, 0.06, 0.2, 0.15


@dataclass(frozen=True)
class Panel:
    """One map: which, what its method is called here, its points (n, 2) after alignment, and its samples.

    ``points`` is None where it is missing, and where the run diverged.
    """

    method: str
    label: str
    cell: Cell
    projection: str
    points: npt.NDArray[np.float64] | None
    samples: pd.DataFrame


def panels(study: Study, name: str, partial: bool = False) -> list[list[Panel]]:
    """Return the figure's panels, in rows, each map turned to look like the first of its dataset.

    One method: a row a projection, a column a cell. Several methods: a row a method; with one or two cells each has
    its t-SNE and UMAP side by side, with more there is a column a cell, and the rows come once for each projection.
    Where forget samples alone are shown: a row a projection, a column a method and cell.

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
    if output.show == "forget":
        grid = [[(m, cell, p) for cell in cells for m in output.methods] for p in PROJECTIONS]
    elif len(output.methods) > 1 and len(cells) <= 2:
        grid = [[(m, cell, p) for cell in cells for p in PROJECTIONS] for m in output.methods]
    else:
        grid = [[(m, cell, p) for cell in cells] for p in PROJECTIONS for m in output.methods]
    targets: dict[str, pd.DataFrame] = {}
    labels = {(method, cell): _label(study, cell, method, output.methods) for method, cell in maps}
    every = [[_panel(maps[m, cell], m, labels[m, cell], cell, p, targets) for m, cell, p in row] for row in grid]
    return [[_forgotten(panel) for panel in row] for row in every] if output.show == "forget" else every


def _label(study: Study, cell: Cell, method: str, methods: list[str]) -> str:
    """Return a method's label, below it its value of every setting that some listed method's name sets."""
    keys = sorted({key for listed in methods for key, _ in MethodName.parse(listed).settings})
    settings = study.run(study.run_name(cell, method, 0)).settings.model_dump(by_alias=True)
    told = ", ".join(f"{setting_label(key)} = {settings[key]}" for key in keys if key in settings)
    return method_label(MethodName.parse(method).head) + (f"\n{told}" if told else "")


def _samples(study: Study, method: str, cell: Cell, partial: bool) -> pd.DataFrame | None:
    try:
        return results.derived(study.derive(MAPS, study.run(study.run_name(cell, method, 0)), cell.scenario))
    except StaleOutput:
        if partial:
            return None
        raise


def _panel(samples: pd.DataFrame | None, method: str, label: str, cell: Cell, projection: str, targets: Any) -> Panel:
    """Align a map with the first of its dataset, which it becomes if there is none yet."""
    if samples is None:
        return Panel(method, label, cell, projection, None, pd.DataFrame())
    points = samples[[f"{projection}_x", f"{projection}_y"]].to_numpy(dtype=float)
    if np.isnan(points).any():
        return Panel(method, label, cell, projection, None, samples)
    classes = samples["label"].to_numpy()
    if cell.dataset in targets:
        points = aligned(points, classes, targets[cell.dataset])
    else:
        points = standardised(points)
        targets[cell.dataset] = centroids(points, classes)
    return Panel(method, label, cell, projection, points, samples)


def _forgotten(panel: Panel) -> Panel:
    """Return a panel without its retain samples: the map was made, and turned, with them."""
    if panel.points is None:
        return panel
    forget = (panel.samples["membership"] == "forget").to_numpy()
    return replace(panel, points=panel.points[forget], samples=panel.samples[forget])


def build(study: Study, name: str, partial: bool = False) -> Figure:
    """Return the figure: retain dots small and faint, forget dots larger with a thin edge, coloured by predicted class.

    All panels of a projection have one scale; classes are named beside their clusters where there are at most ten.
    A line below says what dots and colours stand for. Parameters and errors are those of `panels`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = panels(study, name, partial)
    rows, columns = len(grid), len(grid[0])
    beside, above = _headings(grid)
    margin = MARGIN + LINE * max(text.count("\n") for text in beside)
    side = min((FULL_WIDTH - margin) / columns - GAP, WIDEST_PANEL)
    lines = 1 + max(text.count("\n") for text in above)
    figure = Figure(figsize=(FULL_WIDTH, rows * (side + GAP) + GAP + (lines + 1) * LINE))
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel_axes, text in zip(axes[:, 0], beside, strict=True):
        panel_axes.set_ylabel(text, labelpad=3)
    for panel_axes, text in zip(axes[0], above, strict=True):
        panel_axes.set_title(text, pad=3)
    half = _half_widths(grid)
    for line, row in zip(axes, grid, strict=True):
        for panel_axes, panel in zip(line, row, strict=True):
            _frame(panel_axes, panel, half[panel.projection])
            if panel.points is None:
                told = "missing" if panel.samples.empty else "diverged"
                panel_axes.text(0.5, 0.5, told, ha="center", va="center", transform=panel_axes.transAxes)
            else:
                _dots(panel_axes, panel, class_colours(len(results.classes(study, panel.cell.dataset))), side)
    _arrange(figure, axes, side, margin)
    _legend(figure, study.output(name).show == "forget")
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
            extent = float(np.max(np.ptp(panel.points, axis=0))) / 2
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


def _headings(grid: list[list[Panel]]) -> tuple[list[str], list[str]]:
    """Return what stands beside each row and above each column: method, cell and projection, each once."""
    methods, cells, projections = (
        len({getattr(panel, what) for panel in grid[0]}) > 1 for what in ("method", "cell", "projection")
    )
    several, archs = (len({getattr(p.cell, what) for row in grid for p in row}) > 1 for what in ("dataset", "arch"))
    beside = [
        ", ".join([row[0].label] * (not methods) + [PROJECTIONS[row[0].projection]] * (not projections)) for row in grid
    ]
    above = []
    for panel in grid[0]:
        place = f"{dataset_label(panel.cell.dataset)}, " * several + scenario_label(panel.cell.scenario)
        place = f"{architecture_label(panel.cell.arch)}, " * archs + place
        shown = (
            [panel.label] * methods + [place] * (cells or not methods) + [PROJECTIONS[panel.projection]] * projections
        )
        above.append("\n".join(shown))
    return beside, above


def _arrange(figure: Figure, axes: Any, side: float, margin: float) -> None:
    """Place square panels of ``side`` inches by hand: what is exact needs no layout engine."""
    rows, columns = axes.shape
    width, height = figure.get_size_inches()
    left = (width - margin - columns * side - (columns - 1) * GAP) / 2 + margin
    for row in range(rows):
        for column in range(columns):
            x, y = left + column * (side + GAP), (rows - 1 - row) * (side + GAP) + GAP
            axes[row, column].set_position((x / width, (y + LINE) / height, side / width, side / height))


def _legend(figure: Figure, forgotten: bool) -> None:
    """Say below the panels, in a line, what dots and colours stand for."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": "#777777"}
    handles = [] if forgotten else [Line2D([], [], **dot, markersize=2.5, alpha=0.5, label="retained")]
    edge: dict[str, Any] = {"markersize": 5, "markeredgecolor": "black", "markeredgewidth": 0.4}
    handles.append(Line2D([], [], **dot, **edge, label="forgotten"))
    handles.append(Line2D([], [], linestyle="none", label="colour: predicted class"))
    look = {
        "ncols": len(handles),
        "handlelength": 0.8,
        "handletextpad": 0.3,
        "columnspacing": 1.2,
        "borderpad": 0,
        "borderaxespad": 0,
    }
    figure.legend(handles=handles, loc="lower center", **look)
