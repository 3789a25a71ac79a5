"""Shared by the figures: width, legend, and panels of average gaps with intervals, noise floor and collapsed runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.names import RETRAIN, Cell
from benchmark.report.facts import over
from benchmark.report.source import Source
from benchmark.report.style import FULL_WIDTH
from benchmark.report.summary import at_end, floors_of, summaries
from benchmark.report.tabular import DAGGER, THIN
from benchmark.results.measured import COLLAPSE_TEXT

Grid = npt.NDArray[Any]  # of axes

GAP_COLUMNS = ["avg_gap", "avg_gap_low", "avg_gap_high", "collapsed", "noise_floor"]  # what `draw_gaps` draws
FLOOR: Any = {"color": "#C8C8C8", "linewidth": 0, "zorder": 0}
FLOOR_LABEL = "Noise floor"
# Methods of one colour differ in their markers; some readers cannot tell colours alone apart.
MARKERS = "os^DvPX*<>hd"
ON_WHITE: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}  # the box of a text that lines would cross
INTERVALS = "Error bars: 95 % intervals"
INTERVALS_AND_DEVIATIONS = "Error bars: 95 % intervals (average gap) and standard deviations (metrics)"
BANDS = "Lines and bands: mean and range"
RUN_COLLAPSED = f"{DAGGER}{THIN}collapsed: {COLLAPSE_TEXT}"
INTERVAL_ROOM = 1.5  # times the largest gap: the edge of the panel cuts an interval that reaches further


def page_wide(height: float) -> Figure:
    """Return an empty figure, as wide as a page's text and ``height`` inches high."""
    return Figure(figsize=(FULL_WIDTH, height), layout="constrained")


def legends(figure: Figure, axes: Iterable[Axes], extra: Iterable[Any] = (), **options: Any) -> None:
    """Draw a legend above all panels: what is in ``axes``, then the handles ``extra``; one line without ``ncols``."""
    handles = [handle for panel in axes for handle in panel.get_legend_handles_labels()[0]] + list(extra)
    options = {"ncols": len(handles), "columnspacing": 1, **options}
    figure.legend(handles, [handle.get_label() for handle in handles], loc="outside upper center", **options)


def panels(
    cells: int, heights: Sequence[float], above: float, per_row: int = 2, **options: Any
) -> tuple[Figure, Grid, list[Grid]]:
    """Return a figure of ``cells`` cells side by side, the grid of all its panels, and each cell's panels from the top.

    Parameters
    ----------
    heights : of a cell's panels, in inches.
    above : inches above all panels, for the legend.
    per_row : largest number of cells in a row; panels left over in the last row are hidden.
    options : of `matplotlib.figure.Figure.subplots`.
    """
    columns, per_cell = min(cells, per_row), len(heights)
    rows = -(-cells // columns)
    figure = page_wide(above + rows * sum(heights))
    grid = figure.subplots(rows * per_cell, columns, squeeze=False, height_ratios=[*heights] * rows, **options)
    stacks = [grid[per_cell * row : per_cell * (row + 1), column] for row in range(rows) for column in range(columns)]
    for spare in stacks[cells:]:
        for axes in spare:
            axes.set_visible(False)
    for lowest in stacks[cells - columns : cells]:  # of its column, whose axis may be shared with hidden panels
        lowest[-1].tick_params(labelbottom=True)
    return figure, grid, stacks[:cells]


def floor_handle() -> Patch:
    """Return the legend entry of the noise floor."""
    return Patch(facecolor=FLOOR["color"], label=FLOOR_LABEL)


def notes(figure: Figure, collapsed: bool, spread: str = "", trials: int = 1) -> None:
    """Explain below the figure what shows the ``spread`` of the trials, and the dagger if anything ``collapsed``."""
    texts = [f"{spread} {over(trials)}" if trials > 1 else "One trial"] * bool(spread) + [RUN_COLLAPSED] * collapsed
    if texts:
        handles = [Line2D([], [], linestyle="none", label=text) for text in texts]
        look: Any = {"handlelength": 0, "handletextpad": 0, "borderpad": 0, "labelspacing": 0.2}
        figure.legend(handles=handles, loc="outside lower center", **look)


def summaries_at_end(source: Source, cell: Cell, histories: dict[str, dict[int, pd.DataFrame]]) -> pd.DataFrame:
    """Return a row of `summaries` for Retrain, then one for each method, at the end of its histories, given by trial.

    NaN where a trial has diverged by then or runs are missing.
    """
    histories = {RETRAIN: source.histories(cell, RETRAIN), **histories}
    ends = [at_end(source, cell, method, trials) for method, trials in histories.items()]
    metrics = pd.concat([end for end in ends if len(end)] or ends[:1])
    numbers, floor = summaries(metrics), floors_of(metrics).get(cell, np.nan)
    rows = [{"method": method, "collapsed": 0, **numbers.get((cell, method), {})} for method in histories]
    return pd.DataFrame(rows).assign(noise_floor=floor)


def highest_gap(data: pd.DataFrame) -> float:
    """Return where an axis of average gaps ends: with room for intervals, and not stretched by collapsed runs.

    ``data`` has ``avg_gap, avg_gap_high`` in points, and ``collapsed``, the number of collapsed trials.
    """
    measured = data[data["avg_gap"].notna()]
    intact = measured[measured["collapsed"] == 0]
    decisive = intact if len(intact) else measured
    if not (decisive["avg_gap"] > 0).any():
        return 1.0
    largest = decisive["avg_gap"].max()
    interval_end = np.fmax(largest, decisive["avg_gap_high"].max())
    return float(1.08 * min(interval_end, INTERVAL_ROOM * largest))


def draw_gaps(axes: Axes, x: npt.ArrayLike, data: pd.DataFrame, highest: float, **look: Any) -> None:
    """Draw average gaps and their 95 % intervals on an axis from 0 to ``highest``, with a dagger at collapsed runs.

    A collapsed run's gap beyond the axis is written at its end. ``data`` are the rows of one line, as `highest_gap`
    takes them, with ``avg_gap_low``.
    """
    gap, positions = data["avg_gap"], np.asarray(x, dtype=float)
    beyond = (data["collapsed"] > 0) & (gap > highest)
    within = gap.where(~beyond)
    errors = np.nan_to_num([within - data["avg_gap_low"], data["avg_gap_high"] - within])
    look = {"marker": "o", "markersize": 3.5, "linewidth": 1, "elinewidth": 0.8, **look}
    _, _, (bars,) = axes.errorbar(positions, within, np.maximum(errors, 0), **look)
    bars.set_alpha(0.55)
    style: Any = {"color": look["color"], "textcoords": "offset points", "annotation_clip": False}
    for position, value in zip(positions[beyond], gap[beyond], strict=True):
        text = f"▴\n{value:.1f}{DAGGER}"
        axes.annotate(text, (position, highest), (0, -2), ha="center", va="top", linespacing=0.8, **style)
    draw_daggers(axes, positions[data["collapsed"] > 0], within[data["collapsed"] > 0], look["color"])
    axes.set_ylim(0, highest)


def draw_daggers(axes: Axes, x: npt.ArrayLike, y: npt.ArrayLike, colour: str) -> None:
    """Draw a dagger beside each finite point (n,); all belong to collapsed runs."""
    for point in np.column_stack([x, y]).astype(float):
        if np.isfinite(point).all():
            style: Any = {"color": colour, "textcoords": "offset points", "annotation_clip": False}
            axes.annotate(DAGGER, point, (3, 1), ha="left", va="bottom", **style)


def draw_trials(axes: Axes, x: npt.ArrayLike, trials: npt.NDArray[Any], alpha: float, **look: Any) -> None:
    """Draw the mean of lines (trials, n) and a band from their least to their most."""
    axes.plot(x, trials.mean(0), **look)
    axes.fill_between(x, trials.min(0), trials.max(0), color=look["color"], alpha=alpha, linewidth=0)
