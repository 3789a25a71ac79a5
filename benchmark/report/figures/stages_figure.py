"""Gaps to Retrain after each stage of sequential removal (Figure 6)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.gaps import METRICS
from benchmark.names import RETRAIN, Cell, MethodName, Scenario
from benchmark.report.facts import over
from benchmark.report.figures.common import legend_above, log_axis, page_wide
from benchmark.report.source import Source
from benchmark.report.style import cell_label, line_style, method_colour, method_label
from benchmark.report.summary import at_end, floors_of, summaries
from benchmark.study.outputs import stage_cell

HEIGHT, LEGEND = 2.6, 0.4  # inches, of a cell's panels and of what stands above all of them
SPREAD = 0.3  # how much of the way to the next stage the methods take up, so that their error bars lie side by side


def numbers(source: Source, cell: Cell) -> pd.DataFrame:
    """Return one sequential cell's numbers, a row a stage and method, Retrain first.

    Columns: ``percent``, how much of the training set is gone by then; ``method``; per metric ``_mean, _sd, _gap``, and
    ``avg_gap``, of the method at its last epoch of the stage against Retrain of ``random-<percent>``, in per cent and
    points; ``noise_floor``, that Retrain's. NaN where a trial has diverged by then, or where runs are missing.
    """
    trials = {method: source.histories(cell, method) for method in source.compared}
    parts = []
    for stage in range(1, Scenario(cell.scenario).stages + 1):
        place = stage_cell(cell, stage)
        ends = [at_end(place, RETRAIN, source.histories(place, RETRAIN))]
        ends += [at_end(place, method, [of[of["stage"] == stage] for of in trials[method]]) for method in trials]
        metrics = pd.concat([end for end in ends if len(end)] or ends[:1]).assign(collapsed=False, report_epoch="last")
        summary, floor = summaries(metrics), floors_of(metrics).get(place, np.nan)
        rows = [{"method": method, **summary.get((place, method), {})} for method in (RETRAIN, *trials)]
        percent = Scenario(place.scenario).percent
        parts.append(pd.DataFrame(rows).assign(percent=percent, noise_floor=floor))
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "gap")]
    return pd.concat(parts).reindex(columns=["percent", "method", *columns, "avg_gap", "noise_floor"])


def build(source: Source) -> Figure:
    """Return the figure: for each cell the average gap, large, and the four metrics beside it, small, stage by stage.

    The average gap is on a logarithmic axis, with Retrain's own noise floor. Error bars are standard deviations over
    trials; the average gap, between means, has none.
    """
    figure = page_wide(HEIGHT * len(source.cells) + LEGEND)
    parts = figure.subfigures(len(source.cells), 1, squeeze=False)[:, 0]
    layout = [["avg_gap", "ra", "ua"], ["avg_gap", "ta", "mia"]]
    for part, cell in zip(parts, source.cells, strict=True):
        data = numbers(source, cell)
        axes = part.subplot_mosaic(layout, width_ratios=[1.9, 1, 1], sharex=True)
        _gaps(axes["avg_gap"], data)
        axes["avg_gap"].set_ylabel(f"Average gap (points) {over(source.trials)}")
        for metric in METRICS:
            _metric(axes[metric], data, metric)
        part.supxlabel("Training data removed (%)", fontsize="medium")
        if len(source.cells) > 1:
            part.suptitle(cell_label(cell), fontsize="medium")
    legend_above(figure, [axes["avg_gap"]], ncols=4, handlelength=2.6, columnspacing=1.5)
    return figure


def _gaps(axes: Axes, data: pd.DataFrame) -> None:
    methods = list(dict.fromkeys(data["method"]))
    for method, rows in data.groupby("method", sort=False):
        colour, label = method_colour(str(method)), method_label(str(method))
        # Of Retrain, whose gap is 0, only the entry in the legend.
        gap = rows["avg_gap"] * np.nan if method == RETRAIN else rows["avg_gap"]
        # Hollow where a setting stands in the method's name, since a broken line is hard to tell from another.
        face = "white" if MethodName.parse(str(method)).settings else colour
        line = {"ls": line_style(str(method), methods), "color": colour, "linewidth": 1}
        axes.plot(rows["percent"], gap, "o", label=label, **line, markersize=3.5, markerfacecolor=face)
    floor = data.drop_duplicates("percent")
    axes.plot(floor["percent"], floor["noise_floor"], ":", color="black", linewidth=1, label="Noise floor")
    axes.set_xticks(floor["percent"])
    log_axis(axes)


def _metric(axes: Axes, data: pd.DataFrame, metric: str) -> None:
    methods = list(dict.fromkeys(data["method"]))
    step = data["percent"].min() * SPREAD / len(methods)
    for place, method in enumerate(methods):
        rows = data[data["method"] == method]
        x = rows["percent"] + (place - (len(methods) - 1) / 2) * step
        mean, sd = rows[f"{metric}_mean"], rows[f"{metric}_sd"].fillna(0)
        line = {"ls": line_style(method, methods), "color": method_colour(method), "linewidth": 0.8}
        axes.errorbar(x, mean, sd, **line, elinewidth=0.6, zorder=2 + (not place))
    axes.set_title(f"{metric.upper()} (%)", pad=3)
