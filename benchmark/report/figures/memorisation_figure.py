"""Which samples are not forgotten: AUC against Retrain by memorisation."""

from __future__ import annotations

from itertools import cycle, product
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.samplewise.memorisation import GROUPS
from benchmark.names import CELL_KEYS
from benchmark.report.figures.common import INTERVALS, MARKERS, draw_daggers, legends, notes, panels
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, short_label
from benchmark.report.tabular import marked_label

PANEL_HEIGHT, LEGEND_LINE, LEGEND_COLUMNS = 2.1, 0.2, 5  # inches, and methods per line
SPACING = 0.012  # on the axis, between the error bars of two methods


def points(source: Source) -> pd.DataFrame:
    """Return the figure's numbers: ``dataset, arch, scenario, method, memorisation, samples, auc, low, high``.

    ``samples`` and ``auc`` are means over trials, ``low`` and ``high`` the 95 % interval of ``auc``.
    """
    rows = []
    for cell, method in product(source.cells, source.compared):
        groups = source.rows(source.results.memorised, cell, method)
        for memorisation, group in groups.groupby("memorisation") if len(groups) else ():
            values = group["auc"].dropna()
            numbers = group["samples"].mean(), values.mean(), *mean_interval(values)
            rows.append([*vars(cell).values(), method, memorisation, *numbers])
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "method", "memorisation", "samples", "auc", "low", "high"])


def build(source: Source) -> Figure:
    """Return the figure: one panel per cell, one line per method over groups of forget samples.

    Margins are standardised, which hides a shift of the whole model. Bars are 95 % intervals over trials; a perfect
    unlearner reads 0.5. Groups with too few samples are left out. Daggers mark methods with a collapsed trial.
    """
    data, methods = points(source), source.compared
    above = LEGEND_LINE * (1 + len(methods) // LEGEND_COLUMNS)
    figure, grid, cell_panels = panels(len(source.cells), [PANEL_HEIGHT], above, sharey=True)
    collapsed = source.collapsed_methods(methods)
    marked = set().union(*collapsed.values())
    for cell, (axes,) in zip(source.cells, cell_panels, strict=True):
        cell_rows = in_cell(data, cell)
        for position, (method, marker) in enumerate(zip(methods, cycle(MARKERS))):
            rows = cell_rows[cell_rows["method"] == method]
            x = rows["memorisation"] + SPACING * (position - (len(methods) - 1) / 2)
            errors = [rows["auc"] - rows["low"], rows["high"] - rows["auc"]]
            label = marked_label(method, method in marked)
            look: Any = {"color": method_colour(method), "linestyle": line_style(method, methods), "linewidth": 1}
            axes.errorbar(x, rows["auc"], yerr=errors, marker=marker, markersize=3, label=label, **look)
            if method in collapsed[cell]:
                draw_daggers(axes, x, rows["auc"], method_colour(method))
        axes.axhline(0.5, color="black", linestyle=":", linewidth=1, zorder=0)
        axes.set(xticks=GROUPS, xlabel="Memorisation, by the Retrains of other trials")
        axes.set_title(short_label(cell, source.cells), loc="left")
    for axes in grid[:, 0]:
        axes.set_ylabel("AUC against Retrain,\nstandardised")
    legends(figure, grid.flat[:1], ncols=LEGEND_COLUMNS)
    notes(figure, bool(marked), INTERVALS, source.trials)
    return figure
