"""What figures share: width, legend, and panels of average gaps with intervals, noise floor and collapsed runs."""

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
from benchmark.report.source import Source
from benchmark.report.style import FULL_WIDTH
from benchmark.report.summary import COLLAPSED, at_end, floors_of, summaries

Grid = npt.NDArray[Any]  # of axes

GAP_COLUMNS = ["avg_gap", "avg_gap_low", "avg_gap_high", "collapsed", "noise_floor"]  # what `draw_gaps` draws
FLOOR: Any = {"color": "#C8C8C8", "linewidth": 0, "zorder": 0}
FLOOR_LABEL = "Noise floor"
# Methods of one colour differ in their markers; colours alone are hard to tell apart for some.
MARKERS = "os^DvPX*<>hd"
INTERVAL_ROOM = 1.5  # of the largest gap: an interval that reaches further is cut by the edge of the panel


def page_wide(height: float) -> Figure:
    """Return an empty figure, as wide as a page's text and so many inches high."""
    return Figure(figsize=(FULL_WIDTH, height), layout="constrained")


def legend_above(figure: Figure, axes: Iterable[Axes], more: Iterable[Any] = (), **options: Any) -> None:
    """Explain above all panels what is drawn in ``axes``, then the handles ``more``; in one line without ``ncols``."""
    handles = [handle for one in axes for handle in one.get_legend_handles_labels()[0]] + list(more)
    options = {"ncols": len(handles), "columnspacing": 1, **options}
    figure.legend(handles, [handle.get_label() for handle in handles], loc="outside upper center", **options)


def panels(
    cells: int, heights: Sequence[float], above: float, per_row: int = 2, **options: Any
) -> tuple[Figure, Grid, list[Grid]]:
    """Return a figure of so many cells side by side, the grid of all its panels, and each cell's own, from the top.

    Parameters
    ----------
    heights : of each of a cell's panels, in inches.
    above : inches for what stands above all panels.
    per_row : cells, at most; the panels that the last row has left over are not shown.
    options : of `matplotlib.figure.Figure.subplots`.
    """
    columns, each = min(cells, per_row), len(heights)
    rows = -(-cells // columns)
    figure = page_wide(above + rows * sum(heights))
    grid = figure.subplots(rows * each, columns, squeeze=False, height_ratios=[*heights] * rows, **options)
    own = [grid[each * row : each * (row + 1), column] for row in range(rows) for column in range(columns)]
    for spare in own[cells:]:
        for axes in spare:
            axes.set_visible(False)
    return figure, grid, own[:cells]


def floor_handle() -> Patch:
    """Return the legend's entry for the noise floor."""
    return Patch(facecolor=FLOOR["color"], label=FLOOR_LABEL)


def note_collapsed(figure: Figure, collapsed: bool) -> None:
    """Say below the figure what the dagger means, if anything in it has one."""
    if collapsed:
        handle = Line2D([], [], linestyle="none", label=COLLAPSED)
        figure.legend(handles=[handle], loc="outside lower center", handlelength=0, handletextpad=0, borderpad=0)


def reached(source: Source, cell: Cell, histories: dict[str, dict[int, pd.DataFrame]]) -> pd.DataFrame:
    """Return a row of `summaries` for Retrain, then for each method, at the end of its histories, which are by trial.

    NaN where a trial has diverged by then, or where runs are missing.
    """
    histories = {RETRAIN: source.histories(cell, RETRAIN), **histories}
    ends = [at_end(source, cell, method, trials) for method, trials in histories.items()]
    metrics = pd.concat([end for end in ends if len(end)] or ends[:1])
    known, floor = summaries(metrics), floors_of(metrics).get(cell, np.nan)
    rows = [{"method": method, "collapsed": 0, **known.get((cell, method), {})} for method in histories]
    return pd.DataFrame(rows).assign(noise_floor=floor)


def highest_gap(data: pd.DataFrame) -> float:
    """Return where an axis of average gaps ends: with room for intervals, and not stretched by what has collapsed.

    Parameters
    ----------
    data : rows with ``avg_gap, avg_gap_high`` in points, and ``collapsed``, how many trials did.
    """
    known = data[data["avg_gap"].notna()]
    whole = known[known["collapsed"] == 0]
    shown = whole if len(whole) else known
    if not (shown["avg_gap"] > 0).any():
        return 1.0
    largest = shown["avg_gap"].max()
    reach = np.fmax(largest, shown["avg_gap_high"].max())
    return float(1.08 * min(reach, INTERVAL_ROOM * largest))


def draw_gaps(axes: Axes, x: npt.ArrayLike, data: pd.DataFrame, highest: float, **look: Any) -> None:
    """Draw average gaps with their 95 % intervals on an axis from 0 to ``highest``, a dagger at what has collapsed.

    A collapsed gap that lies beyond the axis stands at its end with its value.

    Parameters
    ----------
    data : the rows of one line; ``collapsed`` as in `highest_gap`, and ``avg_gap_low`` beside it.
    """
    gap, place = data["avg_gap"], np.asarray(x, dtype=float)
    beyond = (data["collapsed"] > 0) & (gap > highest)
    shown = gap.where(~beyond)
    reach = np.nan_to_num([shown - data["avg_gap_low"], data["avg_gap_high"] - shown])
    look = {"marker": "o", "markersize": 3.5, "linewidth": 1, "elinewidth": 0.8, **look}
    _, _, (bars,) = axes.errorbar(place, shown, np.maximum(reach, 0), **look)
    bars.set_alpha(0.55)
    style: Any = {"color": look["color"], "textcoords": "offset points", "annotation_clip": False}
    for here, value, out in zip(place, gap, beyond, strict=True):
        if out:
            axes.annotate(f"▴\n{value:.1f}†", (here, highest), (0, -2), ha="center", va="top", linespacing=0.8, **style)
    draw_daggers(axes, place[data["collapsed"] > 0], shown[data["collapsed"] > 0], look["color"])
    axes.set_ylim(0, highest)


def draw_daggers(axes: Axes, x: npt.ArrayLike, y: npt.ArrayLike, colour: str) -> None:
    """Draw a dagger beside each of the points (n,) that are known, which all belong to collapsed runs."""
    for point in np.column_stack([x, y]).astype(float):
        if np.isfinite(point).all():
            style: Any = {"color": colour, "textcoords": "offset points", "annotation_clip": False}
            axes.annotate("†", point, (3, 1), ha="left", va="bottom", **style)


def draw_trials(axes: Axes, x: npt.ArrayLike, trials: npt.NDArray[Any], alpha: float, **look: Any) -> None:
    """Draw the mean of lines (trials, n), and a band from the least to the most of them."""
    axes.plot(x, trials.mean(0), **look)
    axes.fill_between(x, trials.min(0), trials.max(0), color=look["color"], alpha=alpha, linewidth=0)
