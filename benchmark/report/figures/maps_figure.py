"""Maps of representations, coloured by predicted class (Figures 1, 3, 11, 12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.features.alignment import aligned, centroids, standardised
from benchmark.metrics.compactness import silhouette
from benchmark.names import Cell, MethodName
from benchmark.report.figures.placing import write_names
from benchmark.report.source import Source
from benchmark.report.style import FULL_WIDTH, class_colours, method_label, setting_label, short_label
from benchmark.report.tabular import number

PROJECTION = "tsne"  # for print; the page shows UMAP too
NAMED_CLASSES = 10  # at most: more names would cover the dots
# Inches: a panel's largest side, the space between panels and left of them, and the height of a line of text.
WIDEST_PANEL, GAP, MARGIN, LINE = 2.4, 0.06, 0.2, 0.15


@dataclass(frozen=True)
class Panel:
    """One map: its method, label and cell, its samples, and their points (n, 2) after alignment.

    Without samples, ``remark`` gives the reason: the run diverged, collapsed or is missing.
    """

    method: str
    label: str
    cell: Cell
    samples: pd.DataFrame
    points: npt.NDArray[np.float64]
    remark: str

    @property
    def silhouette(self) -> float:
        """Compactness of the forget samples of each predicted class on the map, from -1 to 1; NaN without samples."""
        if self.remark:
            return float("nan")
        forget = (self.samples["membership"] == "forget").to_numpy()
        return silhouette(self.points[forget], self.samples["prediction"].to_numpy()[forget])


def panels(source: Source) -> list[list[Panel]]:
    """Return the figure's panels, in rows, each map rotated to match the first of its dataset.

    One row per method, one column per cell; for forget samples alone, one row with a column per cell and method.
    """
    cells, methods = source.cells, source.methods
    if source.output.show == "forget":
        grid = [[(cell, method) for cell in cells for method in methods]]
    else:
        grid = [[(cell, method) for cell in cells] for method in methods]
    targets: dict[str, pd.DataFrame] = {}
    return [[_panel(source, cell, method, targets) for cell, method in row] for row in grid]


def _panel(source: Source, cell: Cell, method: str, targets: dict[str, pd.DataFrame]) -> Panel:
    """Return a map, aligned with the first of its dataset; if it is the first, it becomes the target."""
    # A panel of forget samples alone has its own heading; else all cells of a row share one.
    labelled = [cell] if source.output.show == "forget" else source.cells
    label, samples = _label(source, labelled, method), source.rows(source.results.embeddings, cell, method)
    if remark := _remark(source, cell, method, samples):
        return Panel(method, label, cell, samples[:0], np.empty((0, 2)), remark)
    indices = {name: index for index, name in enumerate(source.results.classes(cell.dataset))}
    samples = samples.assign(**{column: samples[column].map(indices) for column in ("label", "prediction")})
    points = samples[[f"{PROJECTION}_x", f"{PROJECTION}_y"]].to_numpy(dtype=float)
    classes = samples["label"].to_numpy()
    if cell.dataset in targets:
        points = aligned(points, classes, targets[cell.dataset])
    else:
        points = standardised(points)
        targets[cell.dataset] = centroids(points, classes)
    # Even if only forget samples are shown, the map was made and aligned with all samples.
    selected = (samples["membership"] == "forget").to_numpy() | (source.output.show != "forget")
    return Panel(method, label, cell, samples[selected], points[selected], "")


def _remark(source: Source, cell: Cell, method: str, samples: pd.DataFrame) -> str:
    """Return why a map's run cannot be shown; empty if it can."""
    if samples.empty:
        return "diverged" if source.diverged(cell, method) else "missing"
    # The features of a model that lost what it had learnt say nothing about forgetting.
    accuracy = source.collapsed(cell, method).values()
    return f"collapsed:\nretain accuracy {min(accuracy):.0f} %" if accuracy else ""


def _label(source: Source, cells: list[Cell], method: str) -> str:
    """Return a method's label and, below it, its values in cells of every setting that a listed method's name sets."""
    keys = sorted({key for name in source.methods for key, _ in MethodName.parse(name).settings})
    settings = [source.study.settings_of(cell, method) for cell in cells]
    values = {key: " / ".join(dict.fromkeys(str(own[key]) for own in settings)) for key in keys if key in settings[0]}
    line = ", ".join(f"{setting_label(key)} = {value}" for key, value in values.items())
    return method_label(MethodName.parse(method).head) + (f"\n{line}" if line else "")


def build(source: Source) -> Figure:
    """Return the figure: retain dots small and faint, forget dots larger with a thin edge, coloured by predicted class.

    Classes are named beside their clusters if there are at most ten. If only forget samples are shown, each heading
    gives their `benchmark.metrics.compactness.silhouette`. A line below explains dots and colours.
    """
    grid, forgotten = panels(source), source.output.show == "forget"
    rows, columns = len(grid), len(grid[0])
    beside, above = headings(grid, forgotten)
    margin = MARGIN + LINE * max(text.count("\n") for text in beside)
    side = min((FULL_WIDTH - margin) / columns - GAP, WIDEST_PANEL)
    lines = 1 + max(text.count("\n") for text in above)
    figure = Figure(figsize=(FULL_WIDTH, rows * (side + GAP) + GAP + (lines + 1) * LINE))
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel_axes, text in zip(axes[:, 0], beside, strict=True):
        panel_axes.set_ylabel(text, labelpad=3)
    for panel_axes, text in zip(axes[0], above, strict=True):
        panel_axes.set_title(text, pad=3)
    flat = [panel for row in grid for panel in row]
    for panel_axes, panel in zip(axes.flat, flat, strict=True):
        _fit(panel_axes, panel)
        if panel.remark:
            panel_axes.text(0.5, 0.5, panel.remark, ha="center", va="center", transform=panel_axes.transAxes)
        else:
            _dots(panel_axes, panel, class_colours(len(source.results.classes(panel.cell.dataset))), side)
    _arrange(figure, axes, side, margin)
    _legend(figure, forgotten)
    renderer = FigureCanvasAgg(figure).get_renderer()
    for panel_axes, panel in zip(axes.flat, flat, strict=True):
        classes = source.results.classes(panel.cell.dataset) if len(panel.samples) else []
        if 0 < len(classes) <= NAMED_CLASSES:
            predicted = panel.samples["prediction"].to_numpy()
            clusters = {classes[index]: panel.points[predicted == index] for index in np.unique(predicted)}
            write_names(panel_axes, clusters, renderer)
    return figure


def _fit(axes: Axes, panel: Panel) -> None:
    """Fit the axes to the map: each map has its own units, so a shared scale would mean nothing."""
    low, high = (panel.points.min(axis=0), panel.points.max(axis=0)) if len(panel.points) else np.zeros((2, 2))
    (x, y), half = (low + high) / 2, max(1e-9, 1.04 * float((high - low).max()) / 2)
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#BBBBBB")


def _dots(axes: Axes, panel: Panel, colours: Any, side: float) -> None:
    """Draw the samples, rasterised even in the PDF: tens of thousands of vector dots are slow to open."""
    colour = np.asarray(colours, dtype=object)[panel.samples["prediction"].to_numpy()]
    forget = (panel.samples["membership"] == "forget").to_numpy()
    # Dots share the panel's area: fewer dots or a larger panel allow larger ones.
    size = float(np.clip(700 * side**2 / max(1, len(forget)), 0.5, 4))
    x, y = panel.points.T
    looks: Any = [(~forget, {"s": size, "alpha": 0.35, "linewidths": 0, "zorder": 2})]
    looks.append((forget, {"s": 3 * size + 3, "edgecolors": "black", "linewidths": 0.3, "zorder": 3}))
    for group, look in looks:
        axes.scatter(x[group], y[group], c=list(colour[group]), rasterized=True, **look)


def headings(grid: list[list[Panel]], forgotten: bool = False) -> tuple[list[str], list[str]]:
    """Return the headings beside rows and above columns; if only forget samples are shown, all are above."""
    cells = [panel.cell for row in grid for panel in row]
    if not forgotten:
        return [row[0].label for row in grid], [short_label(panel.cell, cells) for panel in grid[0]]
    above = []
    for panel in grid[0]:
        lines = [short_label(panel.cell, cells)] * (len(set(cells)) > 1) + [panel.label]
        compactness = panel.silhouette
        above.append("\n".join(lines + [f"silhouette {number(compactness)}"] * bool(np.isfinite(compactness))))
    return [""], above


def _arrange(figure: Figure, axes: Any, side: float, margin: float) -> None:
    """Place square panels of ``side`` inches: exact positions need no layout engine."""
    rows, columns = axes.shape
    width, height = figure.get_size_inches()
    left = (width - margin - columns * side - (columns - 1) * GAP) / 2 + margin
    for (row, column), panel_axes in np.ndenumerate(axes):
        x, y = left + column * (side + GAP), (rows - 1 - row) * (side + GAP) + GAP
        panel_axes.set_position((x / width, (y + LINE) / height, side / width, side / height))


def _legend(figure: Figure, forgotten: bool) -> None:
    """Explain dots and colours in a line below the panels."""
    dot: Any = {"marker": "o", "linestyle": "none", "color": "#777777"}
    edge: Any = {"markersize": 5, "markeredgecolor": "black", "markeredgewidth": 0.4}
    handles = [] if forgotten else [Line2D([], [], **dot, markersize=2.5, alpha=0.5, label="retained")]
    handles.append(Line2D([], [], **dot, **edge, label="forgotten"))
    handles.append(Line2D([], [], linestyle="none", label="colour: predicted class"))
    spacing = {"handlelength": 0.8, "handletextpad": 0.3, "columnspacing": 1.2, "borderpad": 0, "borderaxespad": 0}
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), **spacing)
