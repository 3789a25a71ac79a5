"""Gaps to Retrain after each stage of sequential removal (Figure 6)."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.gaps import STATISTICS
from benchmark.metrics.samples import METRICS
from benchmark.names import RETRAIN, Cell, MethodName, Scenario
from benchmark.report.figures.common import (
    FLOOR,
    GAP_COLUMNS,
    INTERVALS_AND_DEVIATIONS,
    draw_gaps,
    floor_handle,
    highest_gap,
    legends,
    notes,
    page_wide,
    summaries_at_end,
)
from benchmark.report.source import Source
from benchmark.report.style import cell_label, line_style, method_colour, method_label

HEIGHT, LEGEND = 2.6, 0.4  # inches: a cell's panels, and the legend above them
SPREAD = 0.3  # share of the distance between stages over which the methods spread, to part their error bars


def numbers(source: Source, cell: Cell) -> pd.DataFrame:
    """Return one sequential cell's numbers, one row per stage and method, Retrain first.

    Columns: ``percent`` of the training set removed by then; ``method``; per metric ``_mean, _sd, _gap``, and
    ``avg_gap`` with its 95 % interval ``_low, _high``, of the method at its last epoch of the stage against Retrain of
    ``random-<percent>``, in per cent and points; ``collapsed``, the number of trials collapsed by then;
    ``noise_floor``, that Retrain's. NaN where a trial has diverged by then or runs are missing.
    """
    histories = {method: source.histories(cell, method) for method in source.compared}
    parts = []
    for stage, reference in enumerate(cell.references, 1):
        stage_histories = {
            method: {trial: history[history["stage"] == stage] for trial, history in trials.items()}
            for method, trials in histories.items()
        }
        summaries = summaries_at_end(source, reference, stage_histories)
        parts.append(summaries.assign(percent=Scenario(reference.scenario).percent))
    return pd.concat(parts).reindex(columns=["percent", "method", *STATISTICS, *GAP_COLUMNS])


def build(source: Source) -> Figure:
    """Return the figure: per cell, a large panel of the average gap and four small ones of the metrics, by stage.

    Error bars are 95 % intervals of the gap and standard deviations over trials; the band is Retrain's noise floor.
    """
    data_of = {cell: numbers(source, cell) for cell in source.cells}
    figure = page_wide(HEIGHT * len(source.cells) + LEGEND)
    parts = figure.subfigures(len(source.cells), 1, squeeze=False)[:, 0]
    layout = [["avg_gap", "ra", "ua"], ["avg_gap", "ta", "mia"]]
    for part, (cell, data) in zip(parts, data_of.items(), strict=True):
        axes = part.subplot_mosaic(layout, width_ratios=[1.9, 1, 1], sharex=True)
        _gaps(axes["avg_gap"], data)
        axes["avg_gap"].set_ylabel("Average gap (points)")
        for metric in METRICS:
            _metric(axes[metric], data, metric)
        part.supxlabel("Training data removed (%)", fontsize="medium")
        if len(source.cells) > 1:
            part.suptitle(cell_label(cell), fontsize="medium")
    collapsed = any(data["collapsed"].any() for data in data_of.values())
    legends(figure, [axes["avg_gap"]], [floor_handle()], ncols=4, handlelength=2.6, columnspacing=1.5)
    notes(figure, collapsed, INTERVALS_AND_DEVIATIONS, source.trials)
    return figure


def _gaps(axes: Axes, data: pd.DataFrame) -> None:
    methods, highest = list(dict.fromkeys(data["method"])), highest_gap(data)
    axes.plot([], [], "o-", color=method_colour(RETRAIN), label=method_label(RETRAIN), markersize=3.5, linewidth=1)
    for position, method in enumerate(methods[1:]):
        rows, colour = data[data["method"] == method], method_colour(method)
        # Hollow if the method's name has settings, since broken lines are hard to tell apart.
        face = "white" if MethodName.parse(method).settings else colour
        look: Any = {"ls": line_style(method, methods), "color": colour, "markerfacecolor": face}
        x = rows["percent"] + _offset(data, position, len(methods) - 1)
        draw_gaps(axes, x, rows, highest, label=method_label(method), **look)
    floor = data.drop_duplicates("percent")
    axes.fill_between(floor["percent"], 0, floor["noise_floor"], **FLOOR)
    axes.set_xticks(floor["percent"])


def _offset(data: pd.DataFrame, position: int, methods: int) -> float:
    """Return the distance from its stage, in per cent, at which one of ``methods`` methods is drawn."""
    return float(data["percent"].min() * SPREAD * ((position + 0.5) / methods - 0.5))


def _metric(axes: Axes, data: pd.DataFrame, metric: str) -> None:
    methods = list(dict.fromkeys(data["method"]))
    for position, method in enumerate(methods):
        rows = data[data["method"] == method]
        x = rows["percent"] + _offset(data, position, len(methods))
        mean, sd = rows[f"{metric}_mean"], rows[f"{metric}_sd"].fillna(0)
        line = {"ls": line_style(method, methods), "color": method_colour(method), "linewidth": 0.8}
        axes.errorbar(x, mean, sd, **line, elinewidth=0.6, zorder=2 + (not position))
    axes.set_title(f"{metric.upper()} (%)", pad=3)
