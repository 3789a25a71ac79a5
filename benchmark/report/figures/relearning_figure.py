"""How soon models know again what they forgot: accuracy on forgotten images while a model is trained again."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.names import Cell
from benchmark.report.figures.common import MARKERS, draw_trials, legend_above, note_collapsed, panels
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, method_label, short_label
from benchmark.report.tables.relearning_table import curves, methods

HEIGHT, LEGEND = 2.1, 0.4  # inches, of a row of panels and of what stands above all


def build(source: Source) -> Figure:
    """Return the figure: a panel a cell, a line a method; bands reach from the least to the most of the trials."""
    figure, grid, own = panels(len(source.cells), [HEIGHT], LEGEND, sharex=True, sharey=True)
    every = methods(source)
    looks: dict[str, Any] = {
        method: {"color": method_colour(method), "linestyle": line_style(method, every), "linewidth": 1.1}
        | {"marker": marker, "markersize": 4, "markevery": (place, len(every))}
        for place, (method, marker) in enumerate(zip(every, cycle(MARKERS)))
    }
    for cell, (axes,) in zip(source.cells, own, strict=True):
        _cell(axes, source, cell, looks)
        axes.set_title(short_label(cell, source.cells), loc="left")
    for axes in grid[-1]:
        axes.set_xlabel("Steps of training on all images")
    for axes in grid[:, 0]:
        axes.set_ylabel("Forgotten images\nknown again (%)")
    collapsed = {method for cell in source.cells for method in every if source.collapsed(cell, method)}
    handles = [Line2D([], [], label=method_label(m) + "†" * (m in collapsed), **look) for m, look in looks.items()]
    legend_above(figure, [], handles, ncols=4, columnspacing=1.5)
    note_collapsed(figure, bool(collapsed))
    return figure


def _cell(axes: Axes, source: Source, cell: Cell, looks: dict[str, Any]) -> None:
    for method, look in looks.items():
        trials = list(curves(source, cell, method).values())
        if not trials:
            continue
        step, accuracy = trials[0]["step"], np.array([curve["forget_accuracy"] for curve in trials])
        draw_trials(axes, step, accuracy, 0.15, **look)
    axes.set_ylim(-2, 102)
