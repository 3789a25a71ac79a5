"""Average gap against audits: do the methods that are near Retrain by the one pass the other?"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL
from benchmark.metrics.samplewise.battery import summary
from benchmark.metrics.samplewise.standards import kendall
from benchmark.metrics.samplewise.sufficiency import ideal
from benchmark.report import audits, facts
from benchmark.report.figures.common import MARKERS, draw_daggers, legend_above, note_collapsed, panels
from benchmark.report.source import Source
from benchmark.report.style import in_order, method_colour, method_label, short_label
from benchmark.report.tabular import number

AVERAGE_GAP = "average-gap"
SHOWN = {  # and the study's own
    "efficacy-auc": "AUC against Retrain\nmargins as they are",
    "efficacy-auc-standardised": "AUC against Retrain\nmargins standardised",
}
PANEL_HEIGHT, LEGEND_LINE, LEGEND_COLUMNS = 1.75, 0.2, 4  # inches, and methods in a line
NULL: Any = {"color": "black", "linestyle": ":", "linewidth": 1}


def points(source: Source) -> pd.DataFrame:
    """Return what the figure shows: `summary` of the average gap and of the audits of the listed methods."""
    trials = audits.by_trial(source, source.compared)
    rows = summary(trials, CELL) if len(trials) else pd.DataFrame(columns=[*CELL, "method", "audit"])
    return rows[rows["audit"].isin([AVERAGE_GAP, *SHOWN, *source.study.audits])].reset_index(drop=True)


def build(source: Source) -> Figure:
    """Return the figure: a column a cell, a row an audit: margins as they are, standardised ones, own audits.

    Bars are 95 % intervals over trials; dotted is what a perfect unlearner reads. Each panel says Kendall's tau
    between the two rankings of the methods, by their distance from a perfect unlearner; Original is not ranked.
    A dagger stands where a trial collapsed.
    """
    data = points(source)
    shown = SHOWN | {audit: audits.label(audit) for audit in source.study.audits}
    lines = 1 + len(source.compared) // LEGEND_COLUMNS
    heights = [PANEL_HEIGHT] * len(shown)
    figure, grid, pairs = panels(len(source.cells), heights, LEGEND_LINE * lines, sharey="row")
    collapsed = {cell: {m for m in source.compared if source.collapsed(cell, m)} for cell in source.cells}
    markers = dict(zip(in_order(source.compared), cycle(MARKERS)))
    for cell, pair in zip(source.cells, pairs, strict=True):
        for axes, audit in zip(pair, shown, strict=True):
            tau = _panel(axes, in_cell(data, cell), audit, markers, collapsed[cell])
            known = f"τ = {number(tau)}" if np.isfinite(tau) else "too few numbers to rank"
            axes.set_title(f"{short_label(cell, source.cells)}: {known}", loc="left")
        pair[-1].set_xlabel(f"Average gap (points), {facts.over(source.trials)}")
    for axes, label in zip(grid[:, 0], cycle(shown.values())):
        axes.set_ylabel(label)
    handles = [
        Line2D([], [], color=method_colour(m), marker=marker, linestyle="none", label=method_label(m))
        for m, marker in markers.items()
    ]
    legend_above(figure, [], [*handles, Line2D([], [], label="Perfect unlearner", **NULL)], ncols=LEGEND_COLUMNS + 1)
    note_collapsed(figure, any(collapsed.values()))
    return figure


def _panel(axes: Axes, data: pd.DataFrame, audit: str, markers: dict[str, str], collapsed: set[str]) -> float:
    """Draw one cell and audit; return Kendall's tau between the two rankings, NaN where there are none."""
    rows = data.set_index(["method", "audit"])
    distances = []
    for method, marker in markers.items():
        if (method, AVERAGE_GAP) not in rows.index:
            continue
        gap, audited = rows.loc[(method, AVERAGE_GAP)], rows.loc[(method, audit)]
        errors = [[[one["value"] - one["low"]], [one["high"] - one["value"]]] for one in (gap, audited)]
        look: Any = {"color": method_colour(method), "marker": marker, "markersize": 4.5, "elinewidth": 0.8}
        axes.errorbar(gap["value"], audited["value"], xerr=errors[0], yerr=errors[1], linestyle="none", **look)
        if method in collapsed:
            draw_daggers(axes, [gap["value"]], [audited["value"]], method_colour(method))
        ideals = [ideal(name, one["null"]) for name, one in ((AVERAGE_GAP, gap), (audit, audited))]
        axes.axvline(ideals[0], zorder=0, **NULL)
        axes.axhline(ideals[1], zorder=0, **NULL)
        if not facts.is_control(method):
            distances.append([abs(one["value"] - ideal) for one, ideal in zip((gap, audited), ideals, strict=True)])
    axes.set_xlim(left=0)
    known = np.array([pair for pair in distances if np.isfinite(pair).all()])
    return float(kendall(*known.T)) if len(known) > 1 else np.nan
