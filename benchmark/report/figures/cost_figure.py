"""Average gap against computation, by the paper's counting and as executed (Figure 5)."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import RETRAIN, MethodName
from benchmark.report.facts import over
from benchmark.report.figures.common import (
    FLOOR,
    GAP_COLUMNS,
    draw_gaps,
    floor_handle,
    highest_gap,
    legend_above,
    note_collapsed,
    panels,
    reached,
)
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, method_label, short_parts
from benchmark.report.summary import COSTS, UNITS, at_end, by_epoch, cost_unit

COUNTINGS = {"pflops": "by the paper's counting", "pflops_executed": "as executed"}
PANELS_PER_ROW = 3
PANEL_HEIGHT, LEGEND_LINE = 1.6, 0.17  # inches
LEGEND_COLUMNS = 5
LETTERS = 84  # of a title that fit above all columns together
NO_BREAK = "\u00a0"
GREY = "#555555"  # in the legend, where it is no method's
CUT_SHORT: Any = {"linewidth": 0.7, "alpha": 0.5}


def line_of(method: str) -> str:
    """Return the name of the line that a method's point belongs to: its own, without the number of epochs."""
    name = MethodName.parse(method)
    return "@".join([name.head, *(f"{key}={value}" for key, value in name.settings if key != "epochs")])


def points(source: Source) -> pd.DataFrame:
    """Return a point a cell and method but Retrain: its whole runs, each trained for its own number of epochs.

    Columns ``dataset, arch, scenario, method``; ``line``, from `line_of`; ``avg_gap`` with ``_low, _high`` of its 95 %
    interval, in points, against Retrain at the last epoch; ``pflops, pflops_executed``, means over trials;
    ``collapsed``, in how many trials; ``noise_floor``, the cell's. NaN where a trial diverged or Retrain is missing.
    """
    parts = []
    for cell in source.cells:
        histories = {}
        for method in source.compared:
            lost, trials = source.diverged(cell, method), source.histories(cell, method)
            histories[method] = {t: history[:0] if t in lost else history for t, history in trials.items()}
        rows = reached(source, cell, histories)
        parts.append(rows[rows["method"] != RETRAIN].assign(**vars(cell)))
    data = pd.concat(parts, ignore_index=True)
    data["line"] = data["method"].map(line_of)
    return data.reindex(columns=[*CELL, "method", "line", *COSTS, *GAP_COLUMNS])


def curves(source: Source) -> pd.DataFrame:
    """Return what the runs had reached on the way, a row an evaluated epoch of each method but Retrain.

    Columns ``dataset, arch, scenario, method, epoch``; ``avg_gap``, between means over trials, in points, against
    Retrain at its last epoch, NaN where a trial has diverged by then or Retrain is missing; ``pflops,
    pflops_executed``, what was computed until then, means over trials.
    """
    columns = [*CELL, "method", "epoch", "avg_gap", *COSTS]
    parts = []
    for cell in source.cells:
        target = at_end(source, cell, RETRAIN, source.histories(cell, RETRAIN))[METRICS].mean(skipna=False)
        for method in source.compared:
            if trials := source.histories(cell, method):
                curve = by_epoch(pd.concat(trials.values()), target).reset_index()
                parts.append(curve.assign(**vars(cell), method=method)[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def build(source: Source) -> Figure:
    """Return the figure: a column a cell, above by the paper's counting, below as executed, at one scale.

    A point is a whole run with its 95 % interval; points of one method at several numbers of epochs are joined. Where
    there is but one, a faint line shows what the same run had reached on the way, before its learning rate had fallen:
    a run of that length would have come further. Lines of methods with the contrastive term are broken.
    """
    data, on_the_way = points(source), curves(source)
    several = data.groupby("line")["method"].transform("nunique") > 1
    on_the_way = on_the_way[on_the_way["method"].isin(data.loc[~several, "method"])]
    # By what each method costs as a whole, as in the tables.
    unit, _ = cost_unit(data[list(COSTS)].to_numpy(dtype=float))
    more: list[Any] = [Line2D([], [], color=GREY, marker="o", markersize=3.5, linestyle="none", label="Whole run")]
    if len(on_the_way):
        more.append(Line2D([], [], color=GREY, label="The run on its way", **CUT_SHORT))
    more.append(floor_handle())
    lines = data["line"].nunique() + len(more)
    above = LEGEND_LINE * (1 + -(-lines // LEGEND_COLUMNS))
    figure, grid, pairs = panels(len(source.cells), [PANEL_HEIGHT] * 2, above, PANELS_PER_ROW, sharey=True)
    highest = highest_gap(data)
    for cell, pair in zip(source.cells, pairs, strict=True):
        _cell(pair, in_cell(data, cell), in_cell(on_the_way, cell), unit, highest)
        # Lines are broken between a cell's parts, not within them.
        title = ", ".join(part.replace(" ", NO_BREAK) for part in short_parts(cell, source.cells))
        title = textwrap.fill(title, LETTERS // grid.shape[1], break_long_words=False)
        pair[0].set_title(title.replace(NO_BREAK, " "))
    for axes in grid[:, 0]:
        axes.set_ylabel(f"Average gap (points)\n{over(source.trials)}")
    legend_above(figure, grid[0, :1], more, ncols=LEGEND_COLUMNS, handlelength=2)
    note_collapsed(figure, bool(data["collapsed"].any()))
    return figure


def _cell(pair: npt.NDArray[Any], data: pd.DataFrame, on_the_way: pd.DataFrame, unit: str, highest: float) -> None:
    """Draw one cell: above by the paper's counting, below as executed, over one range of computation."""
    most = np.nanmax([0.0, *data[list(COSTS)].to_numpy(dtype=float).ravel()]) * UNITS[unit]
    lines = list(dict.fromkeys(data["line"]))
    for axes, (cost, counting) in zip(pair, COUNTINGS.items(), strict=True):
        for line in lines:
            colour, mine = method_colour(line), data[data["line"] == line].sort_values(cost)
            style: Any = {"linestyle": line_style(line, lines), "color": colour}
            for _, way in on_the_way[on_the_way["method"].isin(mine["method"])].groupby("method"):
                axes.plot(way[cost] * UNITS[unit], way["avg_gap"], **style, **CUT_SHORT)
            # Hollow with the contrastive term: a point alone has no broken line.
            style |= {"markerfacecolor": "white" if MethodName.parse(line).contrastive else colour}
            draw_gaps(axes, mine[cost] * UNITS[unit], mine, highest, label=method_label(line), **style)
        axes.axhspan(0, np.nan_to_num(data["noise_floor"].iloc[0]), **FLOOR)
        axes.set_xlim(0, 1.04 * most or 1)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(f"{unit} {counting}")
