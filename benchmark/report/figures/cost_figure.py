"""Average gap against computation, by the paper's counting and as executed (Figure 5)."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, RETRAIN, MethodName
from benchmark.report.figures.common import (
    FLOOR,
    GAP_COLUMNS,
    INTERVALS,
    draw_gaps,
    floor_handle,
    highest_gap,
    legends,
    notes,
    panels,
    summaries_at_end,
)
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, method_label, short_parts
from benchmark.report.summary import COSTS, UNITS, at_end, by_epoch, cost_unit

COUNTINGS = {"pflops": "by the paper's counting", "pflops_executed": "as executed"}
PANELS_PER_ROW = 3
PANEL_HEIGHT, LEGEND_LINE = 1.6, 0.17  # inches
LEGEND_COLUMNS = 5
TITLE_CHARACTERS = 84  # that fit above all columns together
NO_BREAK = "\u00a0"
GREY = "#555555"  # of legend entries that belong to no method
CUT_SHORT: Any = {"linewidth": 0.7, "alpha": 0.5}


def line_of(method: str) -> str:
    """Return the name of the line that a method's point belongs to: the method's name without its number of epochs."""
    name = MethodName.parse(method)
    return str(replace(name, settings=tuple(pair for pair in name.settings if pair[0] != "epochs")))


def points(source: Source) -> pd.DataFrame:
    """Return one point per cell and method except Retrain: whole runs, each trained for its own number of epochs.

    Columns: ``dataset, arch, scenario, method``; ``line``, from `line_of`; ``avg_gap`` with its 95 % interval ``_low,
    _high``, in points, against Retrain at the last epoch; ``pflops, pflops_executed``, means over trials;
    ``collapsed``, how many trials did; ``noise_floor``, the cell's. NaN where a trial diverged or Retrain is missing.
    """
    parts = []
    for cell in source.cells:
        histories = {}
        for method in source.compared:
            diverged, trials = source.diverged(cell, method), source.histories(cell, method)
            histories[method] = {trial: rows[:0] if trial in diverged else rows for trial, rows in trials.items()}
        rows = summaries_at_end(source, cell, histories)
        parts.append(rows[rows["method"] != RETRAIN].assign(**vars(cell)))
    data = pd.concat(parts, ignore_index=True)
    data["line"] = data["method"].map(line_of)
    return data.reindex(columns=[*CELL_KEYS, "method", "line", *COSTS, *GAP_COLUMNS])


def curves(source: Source) -> pd.DataFrame:
    """Return the runs' progress, one row per evaluated epoch of each method except Retrain.

    Columns: ``dataset, arch, scenario, method, epoch``; ``avg_gap``, between means over trials, in points, against
    Retrain at its last epoch, NaN where a trial has diverged by then or Retrain is missing; ``pflops,
    pflops_executed``, computation so far, means over trials.
    """
    columns = [*CELL_KEYS, "method", "epoch", "avg_gap", *COSTS]
    parts = []
    for cell in source.cells:
        target = at_end(source, cell, RETRAIN, source.histories(cell, RETRAIN))[METRICS].mean(skipna=False)
        for method in source.compared:
            if trials := source.histories(cell, method):
                curve = by_epoch(pd.concat(trials.values()), target).reset_index()
                parts.append(curve.assign(**vars(cell), method=method)[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def build(source: Source) -> Figure:
    """Return the figure: one column per cell, above by the paper's counting, below as executed, on one scale.

    A point is a whole run with its 95 % interval; points of one method at several numbers of epochs are joined. Where
    there is only one, a faint line shows the progress of the same run, before its learning rate had fallen: a whole run
    of that length would come closer. Lines of methods with the contrastive term are broken.
    """
    data, progress = points(source), curves(source)
    joined = data.groupby("line")["method"].transform("nunique") > 1
    progress = progress[progress["method"].isin(data.loc[~joined, "method"])]
    # Chosen by the cost of whole runs, as in the tables.
    unit, _ = cost_unit(data[list(COSTS)].to_numpy(dtype=float))
    handles: list[Any] = [Line2D([], [], color=GREY, marker="o", markersize=3.5, linestyle="none", label="Whole run")]
    if len(progress):
        handles.append(Line2D([], [], color=GREY, label="The run on its way", **CUT_SHORT))
    handles.append(floor_handle())
    lines = data["line"].nunique() + len(handles)
    above = LEGEND_LINE * (1 + -(-lines // LEGEND_COLUMNS))
    figure, grid, cell_panels = panels(len(source.cells), [PANEL_HEIGHT] * 2, above, PANELS_PER_ROW, sharey=True)
    highest = highest_gap(data)
    for cell, column in zip(source.cells, cell_panels, strict=True):
        _cell(column, in_cell(data, cell), in_cell(progress, cell), unit, highest)
        # Break lines between the parts of a cell, not within them.
        title = ", ".join(part.replace(" ", NO_BREAK) for part in short_parts(cell, source.cells))
        title = textwrap.fill(title, TITLE_CHARACTERS // grid.shape[1], break_long_words=False)
        column[0].set_title(title.replace(NO_BREAK, " "))
    for axes in grid[:, 0]:
        axes.set_ylabel("Average gap (points)")
    legends(figure, grid[0, :1], handles, ncols=LEGEND_COLUMNS, handlelength=2)
    notes(figure, bool(data["collapsed"].any()), INTERVALS, source.trials)
    return figure


def _cell(column: npt.NDArray[Any], data: pd.DataFrame, progress: pd.DataFrame, unit: str, highest: float) -> None:
    """Draw one cell: above by the paper's counting, below as executed, over one range of computation."""
    largest = np.nanmax([0.0, *data[list(COSTS)].to_numpy(dtype=float).ravel()]) * UNITS[unit]
    lines = list(dict.fromkeys(data["line"]))
    for axes, (cost, counting) in zip(column, COUNTINGS.items(), strict=True):
        for line in lines:
            colour, line_rows = method_colour(line), data[data["line"] == line].sort_values(cost)
            style: Any = {"linestyle": line_style(line, lines), "color": colour}
            for _, epochs in progress[progress["method"].isin(line_rows["method"])].groupby("method"):
                axes.plot(epochs[cost] * UNITS[unit], epochs["avg_gap"], **style, **CUT_SHORT)
            # Hollow with the contrastive term: a single point has no broken line.
            style |= {"markerfacecolor": "white" if MethodName.parse(line).contrastive else colour}
            draw_gaps(axes, line_rows[cost] * UNITS[unit], line_rows, highest, label=method_label(line), **style)
        axes.axhspan(0, np.nan_to_num(data["noise_floor"].iloc[0]), **FLOOR)
        axes.set(xlim=(0, 1.04 * largest or 1), xlabel=f"{unit} {counting}")
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:g}")
