"""Which samples are not forgotten: how well they are told from Retrain's, by how far they are memorised."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL
from benchmark.metrics.samplewise.memorisation import GROUPS
from benchmark.report.facts import over
from benchmark.report.figures.common import draw_daggers, legend_above, note_collapsed, panels
from benchmark.report.source import Source
from benchmark.report.style import line_style, method_colour, method_label, short_label

PANEL_HEIGHT, LEGEND_LINE, LEGEND_COLUMNS = 2.1, 0.2, 5  # inches, and methods in a line
APART = 0.012  # of the axis, between two methods' error bars


def points(source: Source) -> pd.DataFrame:
    """Return what the figure shows: ``dataset, arch, scenario, method, memorisation, samples, auc, low, high``.

    ``samples`` is the mean over trials, ``auc`` too, with its 95 % interval.
    """
    rows = []
    for cell, method in product(source.cells, source.compared):
        mine = source.rows(source.results.memorised, cell, method)
        for score, group in mine.groupby("memorisation") if len(mine) else ():
            values = group["auc"].dropna()
            numbers = group["samples"].mean(), values.mean(), *mean_interval(values)
            rows.append([*vars(cell).values(), method, score, *numbers])
    return pd.DataFrame(rows, columns=[*CELL, "method", "memorisation", "samples", "auc", "low", "high"])


def build(source: Source) -> Figure:
    """Return the figure: a panel a cell, a line a method over groups of forgotten samples.

    Margins are standardised, so a shift of the whole model does not show. Bars are 95 % intervals over trials; a
    perfect unlearner reads a half everywhere. Groups with too few samples are left out. Where a trial collapsed, a
    method has daggers, and one in the legend.
    """
    data, methods = points(source), source.compared
    above = LEGEND_LINE * (1 + len(methods) // LEGEND_COLUMNS)
    figure, grid, own = panels(len(source.cells), [PANEL_HEIGHT], above, sharey=True)
    collapsed = {(cell, method) for cell, method in product(source.cells, methods) if source.collapsed(cell, method)}
    for cell, (axes,) in zip(source.cells, own, strict=True):
        here = in_cell(data, cell)
        for place, method in enumerate(methods):
            mine = here[here["method"] == method]
            at = mine["memorisation"] + APART * (place - (len(methods) - 1) / 2)
            errors = [mine["auc"] - mine["low"], mine["high"] - mine["auc"]]
            label = method_label(method) + "†" * any(of == method for _, of in collapsed)
            look: Any = {"color": method_colour(method), "linestyle": line_style(method, methods), "linewidth": 1}
            axes.errorbar(at, mine["auc"], yerr=errors, marker="o", markersize=3, label=label, **look)
            if (cell, method) in collapsed:
                draw_daggers(axes, at, mine["auc"], method_colour(method))
        axes.axhline(0.5, color="black", linestyle=":", linewidth=1, zorder=0)
        axes.set_xticks(GROUPS)
        axes.set_title(short_label(cell, source.cells), loc="left")
        axes.set_xlabel("Memorisation, by the Retrains of other trials")
    for axes in grid[:, 0]:
        axes.set_ylabel(f"AUC against Retrain,\nstandardised, {over(source.trials)}")
    legend_above(figure, grid.flat[:1], ncols=LEGEND_COLUMNS)
    note_collapsed(figure, bool(collapsed))
    return figure
