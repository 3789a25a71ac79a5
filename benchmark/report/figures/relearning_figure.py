"""How soon models relearn: accuracy on forget images while a model is trained again."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.figures.common import BANDS, MARKERS, draw_trials, legends, notes, panels
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, short_label
from benchmark.report.tables.relearning_table import curves, methods
from benchmark.report.tabular import marked_label

HEIGHT, LEGEND = 2.1, 0.4  # inches: a row of panels, and the legend above them


def build(source: Source) -> Figure:
    """Return the figure: one panel per cell, one line per method; bands span the trials."""
    figure, grid, cell_panels = panels(len(source.cells), [HEIGHT], LEGEND, sharex=True, sharey=True)
    names = methods(source)
    looks: dict[str, Any] = {
        method: {"color": method_colour(method), "linestyle": line_style(method, names), "linewidth": 1.1}
        | {"marker": marker, "markersize": 4, "markevery": (position, len(names))}
        for position, (method, marker) in enumerate(zip(names, cycle(MARKERS)))
    }
    for cell, (axes,) in zip(source.cells, cell_panels, strict=True):
        for method, look in looks.items():
            if trials := list(curves(source, cell, method).values()):
                accuracy = np.array([curve["forget_accuracy"] for curve in trials])
                draw_trials(axes, trials[0]["step"], accuracy, 0.15, **look)
        axes.set_ylim(-2, 102)
        axes.set_title(short_label(cell, source.cells), loc="left")
    for (axes,) in cell_panels[-grid.shape[1] :]:
        axes.set_xlabel("Steps of training on all images")
    for axes in grid[:, 0]:
        axes.set_ylabel("Forgotten images\nknown again (%)")
    collapsed = set().union(*source.collapsed_methods(names).values())
    handles = [
        Line2D([], [], label=marked_label(method, method in collapsed), **look) for method, look in looks.items()
    ]
    legends(figure, [], handles, ncols=4, columnspacing=1.5)
    notes(figure, bool(collapsed), BANDS, source.trials)
    return figure
