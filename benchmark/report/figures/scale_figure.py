"""Ranks of methods from scale to scale: which order holds at all scales, and which at only one?"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.names import competes
from benchmark.report.figures.common import MARKERS, draw_daggers, legends, notes, page_wide
from benchmark.report.scales import GAP, KEPT, Scale, numbers, scales
from benchmark.report.source import Source
from benchmark.report.style import in_order, line_style, method_colour, method_label, scenario_label

ROWS = {GAP: "Rank by average gap", KEPT: "Rank by what is kept\nof forget data"}
HEIGHT, LEGEND = 1.75, 0.5  # inches: a row of panels, and the legend above them
TICK_CHARACTERS = 12  # characters of a study's name that fit below a panel


def build(source: Source) -> Figure:
    """Return the figure: one column per scenario, ranks by average gap above and by what is kept below, 1 on top.

    One line per method. Filled markers lead: the first, and all that the trials cannot tell from it; for the paper only
    the first.
    """
    drawn_scales = scales(source)
    data = numbers(source, drawn_scales)
    scenarios = list(dict.fromkeys(cell.scenario for cell in source.cells))
    methods = in_order(filter(competes, source.methods))
    figure = page_wide(HEIGHT * len(ROWS) + LEGEND)
    grid = figure.subplots(len(ROWS), len(scenarios), squeeze=False, sharex=True, sharey=True)
    names = [scale.name for scale in drawn_scales]
    for criterion, panels in zip(ROWS, grid, strict=True):
        panels[0].set_ylabel(ROWS[criterion])
        for scenario, axes in zip(scenarios, panels, strict=True):
            _panel(axes, data[(data["what"] == criterion) & (data["scenario"] == scenario)], names, methods)
    for scenario, axes in zip(scenarios, grid[0], strict=True):
        axes.set_title(scenario_label(scenario), loc="left")
    for axes in grid[-1]:
        axes.set_xticks(range(len(names)), [_tick(scale) for scale in drawn_scales], fontsize="small")
        axes.set_xlim(-0.3, len(names) - 0.7)
    grid[0, 0].set(yticks=range(1, len(methods) + 1), ylim=(len(methods) + 0.5, 0.5))
    hollow: Any = {"color": "black", "marker": "o", "markersize": 4.5, "linestyle": "none", "markerfacecolor": "white"}
    extra = [Line2D([], [], label="Does not lead", **hollow)]
    legends(figure, [grid[0, 0]], extra, ncols=4, handlelength=2.4)
    notes(figure, bool(data["collapsed"].any()))
    return figure


def _tick(scale: Scale) -> str:
    name = scale.name if len(scale.name) <= TICK_CHARACTERS else scale.name.replace("-", "-\n")
    return name if scale.cells else f"{name}\n(not\nrun yet)"


def _panel(axes: Axes, data: pd.DataFrame, names: list[str], methods: list[str]) -> None:
    """Draw each method's ranks over the scales, ``names``, that have it."""
    for method, marker in zip(methods, cycle(MARKERS)):
        ranks = data[data["subject"] == method].set_index("scale").reindex(names)
        colour = method_colour(method)
        line: Any = {"linestyle": line_style(method, methods), "color": colour, "linewidth": 1}
        axes.plot(range(len(names)), ranks["rank"], **line)  # broken at a scale without results
        x = np.flatnonzero(ranks["rank"].notna())
        ranks = ranks.iloc[x]
        axes.plot([], [], label=method_label(method), marker=marker, markersize=5, **line)
        collapsed = ranks["collapsed"].to_numpy(dtype=bool)
        draw_daggers(axes, x[collapsed], ranks["rank"][collapsed], colour)
        for leads in (True, False):
            part = ranks["leads"].to_numpy(dtype=bool) == leads
            face = colour if leads else "white"
            look: Any = {"marker": marker, "markersize": 5, "color": colour, "markerfacecolor": face}
            axes.plot(x[part], ranks["rank"][part], linestyle="none", **look)
