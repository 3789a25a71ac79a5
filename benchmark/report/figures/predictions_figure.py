"""Predicted classes of the forget samples of one class, as a heat map: the numbers of Tables 1, 5 and 6."""

from __future__ import annotations

import seaborn
from matplotlib.figure import Figure

from benchmark.metrics.evidence import in_cell
from benchmark.report.figures.common import notes, page_wide
from benchmark.report.source import Source
from benchmark.report.style import short_label
from benchmark.report.tables.predictions_table import numbers
from benchmark.report.tabular import marked_label

ROW, AROUND = 0.19, 0.5  # inches: a method's row, and the surroundings of a cell's rows


def build(source: Source) -> Figure:
    """Return the figure: one heat map per cell, one row per method, one column per class; per cent, means over trials.

    The rows are those of the table: Original, if listed, Retrain, then the methods as listed. A row is empty if a
    trial diverged or all are missing, and has a dagger if one collapsed.
    """
    data = numbers(source)
    methods = data["method"].unique()
    collapsed = source.collapsed_methods(methods)
    figure = page_wide(len(source.cells) * (AROUND + ROW * len(methods)))
    grid = figure.subplots(len(source.cells), 1, squeeze=False, sharex=True)[:, 0]
    for axes, cell in zip(grid, source.cells, strict=True):
        shares = in_cell(data, cell).pivot(index="method", columns="predicted_class", values="percent")
        look = {"vmin": 0, "vmax": 100, "cmap": "Blues", "linewidths": 0.5, "cbar": False}
        seaborn.heatmap(shares.loc[methods, source.output.classes], ax=axes, annot=True, fmt=".0f", **look)
        names = [marked_label(method, method in collapsed[cell]) for method in methods]
        axes.set_yticks([row + 0.5 for row in range(len(names))], names, rotation=0)
        axes.tick_params(length=0)
        axes.set(xlabel="", ylabel="")
        axes.set_title(short_label(cell, source.cells), loc="left")
    grid[-1].tick_params(axis="x", labelrotation=30)
    grid[-1].set_xlabel(f"Forget samples of class {source.output.classes[0]} predicted as (%)")
    notes(figure, any(collapsed.values()))
    return figure
