"""Ranks of methods from scale to scale: which order holds at every one of them, and which belongs to one?"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.facts import competes
from benchmark.report.figures.common import MARKERS, draw_daggers, legend_above, note_collapsed, page_wide
from benchmark.report.scales import AUDIT, GAP, Scale, numbers, scales
from benchmark.report.source import Source
from benchmark.report.style import in_order, line_style, method_colour, method_label, scenario_label

ROWS = {GAP: "Rank by average gap", AUDIT: "Rank by AUC\nagainst Retrain"}
HEIGHT, LEGEND = 1.75, 0.5  # inches, of a row of panels and of what stands above all of them
TICK = 12  # letters of a study's name in a line, below a panel


def build(source: Source) -> Figure:
    """Return the figure: a column a scenario, above by average gap, below by the audit; a line a method, rank 1 on top.

    Filled markers lead: the first, and all that the trials cannot tell from it; of the paper the first. The audit's row
    is left out where no scale was audited.
    """
    shown = scales(source)
    data = numbers(source, shown)
    scenarios = list(dict.fromkeys(cell.scenario for cell in source.cells))
    rows = [what for what in ROWS if what == GAP or (data["what"] == what).any()]
    methods = in_order(filter(competes, source.methods))
    figure = page_wide(HEIGHT * len(rows) + LEGEND)
    grid = figure.subplots(len(rows), len(scenarios), squeeze=False, sharex=True, sharey=True)
    for what, panels in zip(rows, grid, strict=True):
        panels[0].set_ylabel(ROWS[what])
        for scenario, axes in zip(scenarios, panels, strict=True):
            here = data[(data["what"] == what) & (data["scenario"] == scenario)]
            _panel(axes, here, [scale.name for scale in shown], methods)
    for scenario, axes in zip(scenarios, grid[0], strict=True):
        axes.set_title(scenario_label(scenario), loc="left")
    for axes in grid[-1]:
        axes.set_xticks(range(len(shown)), [_tick(scale) for scale in shown], fontsize="small")
        axes.set_xlim(-0.3, len(shown) - 0.7)
    grid[0, 0].set_yticks(range(1, len(methods) + 1))
    grid[0, 0].set_ylim(len(methods) + 0.5, 0.5)
    hollow: Any = {"color": "black", "marker": "o", "markersize": 4.5, "linestyle": "none", "markerfacecolor": "white"}
    legend_above(
        figure, [grid[0, 0]], [Line2D([], [], label="Apart from the first", **hollow)], ncols=4, handlelength=2.4
    )
    note_collapsed(figure, bool(data["collapsed"].any()))
    return figure


def _tick(scale: Scale) -> str:
    name = scale.name if len(scale.name) <= TICK else scale.name.replace("-", "-\n", 1)
    return name if scale.cells else f"{name}\n(not run yet)"


def _panel(axes: Axes, data: pd.DataFrame, names: list[str], methods: list[str]) -> None:
    """Draw each method's ranks over the scales that have it."""
    for method, marker in zip(methods, cycle(MARKERS)):
        mine = data[data["subject"] == method].set_index("scale").reindex(names)
        x = np.flatnonzero(mine["rank"].notna())
        mine, colour = mine.iloc[x], method_colour(method)
        line: Any = {"linestyle": line_style(method, methods), "color": colour, "linewidth": 1}
        axes.plot(x, mine["rank"], **line)
        axes.plot([], [], label=method_label(method), marker=marker, markersize=5, **line)
        marked = mine["collapsed"].to_numpy(dtype=bool)
        draw_daggers(axes, x[marked], mine["rank"][marked], colour)
        for leads in (True, False):
            part = mine["leads"].to_numpy(dtype=bool) == leads
            face = colour if leads else "white"
            look: Any = {"marker": marker, "markersize": 5, "color": colour, "markerfacecolor": face}
            axes.plot(x[part], mine["rank"][part], linestyle="none", **look)
