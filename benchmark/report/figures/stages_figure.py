"""Gaps to Retrain after each stage of sequential removal (Figure 6)."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.gaps import METRICS
from benchmark.names import RETRAIN, Cell, MethodName, Scenario
from benchmark.report.facts import over
from benchmark.report.figures.common import (
    FLOOR,
    GAP_COLUMNS,
    draw_gaps,
    floor_handle,
    highest_gap,
    legend_above,
    note_collapsed,
    page_wide,
    reached,
)
from benchmark.report.source import Source
from benchmark.report.style import cell_label, line_style, method_colour, method_label
from benchmark.study.outputs import stage_cell

HEIGHT, LEGEND = 2.6, 0.4  # inches, of a cell's panels and of what stands above all of them
SPREAD = 0.3  # how much of the way to the next stage the methods take up, so that their error bars lie side by side


def numbers(source: Source, cell: Cell) -> pd.DataFrame:
    """Return one sequential cell's numbers, a row a stage and method, Retrain first.

    Columns: ``percent``, how much of the training set is gone by then; ``method``; per metric ``_mean, _sd, _gap``, and
    ``avg_gap`` with ``_low, _high`` of its 95 % interval, of the method at its last epoch of the stage against Retrain
    of ``random-<percent>``, in per cent and points; ``collapsed``, how many trials had by then; ``noise_floor``, that
    Retrain's. NaN where a trial has diverged by then, or where runs are missing.
    """
    histories = {method: source.histories(cell, method) for method in source.compared}
    parts = []
    for stage in range(1, Scenario(cell.scenario).stages + 1):
        place = stage_cell(cell, stage)
        here = {
            method: {trial: history[history["stage"] == stage] for trial, history in trials.items()}
            for method, trials in histories.items()
        }
        parts.append(reached(source, place, here).assign(percent=Scenario(place.scenario).percent))
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "gap")]
    return pd.concat(parts).reindex(columns=["percent", "method", *columns, *GAP_COLUMNS])


def build(source: Source) -> Figure:
    """Return the figure: for each cell the average gap, large, and the four metrics beside it, small, stage by stage.

    Error bars are 95 % intervals of the average gap, and standard deviations over trials of the metrics. The band is
    Retrain's own noise floor.
    """
    every = {cell: numbers(source, cell) for cell in source.cells}
    figure = page_wide(HEIGHT * len(source.cells) + LEGEND)
    parts = figure.subfigures(len(source.cells), 1, squeeze=False)[:, 0]
    layout = [["avg_gap", "ra", "ua"], ["avg_gap", "ta", "mia"]]
    for part, (cell, data) in zip(parts, every.items(), strict=True):
        axes = part.subplot_mosaic(layout, width_ratios=[1.9, 1, 1], sharex=True)
        _gaps(axes["avg_gap"], data)
        axes["avg_gap"].set_ylabel(f"Average gap (points) {over(source.trials)}")
        for metric in METRICS:
            _metric(axes[metric], data, metric)
        part.supxlabel("Training data removed (%)", fontsize="medium")
        if len(source.cells) > 1:
            part.suptitle(cell_label(cell), fontsize="medium")
    legend_above(figure, [axes["avg_gap"]], [floor_handle()], ncols=4, handlelength=2.6, columnspacing=1.5)
    note_collapsed(figure, any(frame["collapsed"].any() for frame in every.values()))
    return figure


def _gaps(axes: Axes, data: pd.DataFrame) -> None:
    methods, highest = list(dict.fromkeys(data["method"])), highest_gap(data)
    axes.plot([], [], "o-", color=method_colour(RETRAIN), label=method_label(RETRAIN), markersize=3.5, linewidth=1)
    for place, method in enumerate(methods[1:]):
        rows, colour = data[data["method"] == method], method_colour(method)
        # Hollow where a setting stands in the method's name, since a broken line is hard to tell from another.
        face = "white" if MethodName.parse(method).settings else colour
        look: Any = {"ls": line_style(method, methods), "color": colour, "markerfacecolor": face}
        x = rows["percent"] + _aside(data, place, len(methods) - 1)
        draw_gaps(axes, x, rows, highest, label=method_label(method), **look)
    floor = data.drop_duplicates("percent")
    axes.fill_between(floor["percent"], 0, floor["noise_floor"], **FLOOR)
    axes.set_xticks(floor["percent"])


def _aside(data: pd.DataFrame, place: int, places: int) -> float:
    """Return how far beside its stage, in per cent, one of several methods stands."""
    return float(data["percent"].min() * SPREAD * ((place + 0.5) / places - 0.5))


def _metric(axes: Axes, data: pd.DataFrame, metric: str) -> None:
    methods = list(dict.fromkeys(data["method"]))
    for place, method in enumerate(methods):
        rows = data[data["method"] == method]
        x = rows["percent"] + _aside(data, place, len(methods))
        mean, sd = rows[f"{metric}_mean"], rows[f"{metric}_sd"].fillna(0)
        line = {"ls": line_style(method, methods), "color": method_colour(method), "linewidth": 0.8}
        axes.errorbar(x, mean, sd, **line, elinewidth=0.6, zorder=2 + (not place))
    axes.set_title(f"{metric.upper()} (%)", pad=3)
