"""Average gap against audits: do methods with a small average gap also pass the audits?"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.samplewise.battery import summary
from benchmark.metrics.samplewise.built_in_audits import ideal
from benchmark.metrics.samplewise.standards import kendall
from benchmark.names import CELL_KEYS, is_control
from benchmark.report import audits
from benchmark.report.audits import AVERAGE_GAP
from benchmark.report.figures.common import (
    INTERVALS,
    MARKERS,
    ON_WHITE,
    draw_daggers,
    highest_gap,
    legends,
    notes,
    panels,
)
from benchmark.report.source import Source
from benchmark.report.style import in_order, method_colour, method_label, short_label
from benchmark.report.tabular import DAGGER, number

AUDIT_LABELS = {  # shown beside the study's own audits
    "efficacy-auc": "AUC against Retrain",
    "efficacy-auc-beyond-standardised": "AUC, standardised,\nbeyond test data",
    "kept": "Kept (points)",
}
PANEL_HEIGHT, LEGEND_LINE, LEGEND_COLUMNS = 1.75, 0.2, 4  # inches, and methods per line
STRETCH = 2  # times as wide as the other methods need: a collapsed method further away is written at the panel's edge
NULL: Any = {"color": "black", "linestyle": ":", "linewidth": 1}


def points(source: Source) -> pd.DataFrame:
    """Return `summary` of the average gap and the audits shown, for the listed methods."""
    rows = summary(audits.by_trial(source, source.compared), CELL_KEYS)
    return rows[rows["audit"].isin([AVERAGE_GAP, *AUDIT_LABELS, *source.study.audits])].reset_index(drop=True)


def build(source: Source) -> Figure:
    """Return the figure: one column per cell, one row per audit, the study's own last.

    Bars are 95 % intervals over trials; dotted lines show a perfect unlearner. Each panel states Kendall's tau between
    the two rankings of the methods by their distance from a perfect unlearner; Original is not ranked. A dagger marks
    methods with a collapsed trial; the gap of one that would stretch the panel is written at its edge.
    """
    data = points(source)
    labels = AUDIT_LABELS | {audit: audits.label(audit) for audit in source.study.audits}
    methods = source.compared
    lines, heights = 1 + len(methods) // LEGEND_COLUMNS, [PANEL_HEIGHT] * len(labels)
    figure, grid, cell_panels = panels(len(source.cells), heights, LEGEND_LINE * lines, per_row=3, sharey="row")
    collapsed = source.collapsed_methods(methods)
    markers = dict(zip(in_order(methods), cycle(MARKERS)))
    for cell, column in zip(source.cells, cell_panels, strict=True):
        for axes, audit in zip(column, labels, strict=True):
            tau = _panel(axes, in_cell(data, cell), audit, markers, collapsed[cell])
            ranking = f"τ = {number(tau)}" if np.isfinite(tau) else "too few numbers to rank"
            title = f"{short_label(cell, source.cells)}\n{ranking}" if axes is column[0] else ranking
            axes.set_title(title, loc="left")
        column[-1].set_xlabel("Average gap (points)")
    for axes, label in zip(grid[:, 0], cycle(labels.values())):
        axes.set_ylabel(label)
    handles = [
        Line2D([], [], color=method_colour(method), marker=marker, linestyle="none", label=method_label(method))
        for method, marker in markers.items()
    ]
    handles.append(Line2D([], [], label="Perfect unlearner", **NULL))
    legends(figure, [], handles, ncols=LEGEND_COLUMNS + 1)
    notes(figure, any(collapsed.values()), INTERVALS, source.trials)
    return figure


def _panel(axes: Axes, data: pd.DataFrame, audit: str, markers: dict[str, str], collapsed: set[str]) -> float:
    """Draw one cell and audit; return Kendall's tau between the two rankings, NaN if there are none."""
    rows = data.set_index(["method", "audit"])
    distances = []
    gaps = data[data["audit"] == AVERAGE_GAP].rename(columns={"value": "avg_gap", "high": "avg_gap_high"})
    end = highest_gap(gaps.assign(collapsed=gaps["method"].isin(collapsed)))
    for method, marker in markers.items():
        if not {(method, AVERAGE_GAP), (method, audit)} <= {*rows.index}:  # earlier versions gathered fewer audits
            continue
        gap, audited = rows.loc[(method, AVERAGE_GAP)], rows.loc[(method, audit)]
        colour = method_colour(method)
        if method in collapsed and gap["value"] > STRETCH * end:
            axes.plot(end, audited["value"], color=colour, marker=">", markersize=4.5, clip_on=False)
            style: Any = {"textcoords": "offset points", "ha": "right", "va": "center", "color": colour}
            style["bbox"] = ON_WHITE
            axes.annotate(f"{gap['value']:.1f}{DAGGER}", (end, audited["value"]), (-4, 0), **style)
            axes.set_xlim(right=end)
        else:
            errors = [[[row["value"] - row["low"]], [row["high"] - row["value"]]] for row in (gap, audited)]
            look: Any = {"color": colour, "marker": marker, "markersize": 4.5, "elinewidth": 0.8, "linestyle": "none"}
            axes.errorbar(gap["value"], audited["value"], xerr=errors[0], yerr=errors[1], **look)
            if method in collapsed:
                draw_daggers(axes, [gap["value"]], [audited["value"]], colour)
        ideals = [ideal(name, row["null"], gap["scenario"]) for name, row in ((AVERAGE_GAP, gap), (audit, audited))]
        axes.axvline(ideals[0], zorder=0, **NULL)
        axes.axhline(ideals[1], zorder=0, **NULL)
        if not is_control(method):
            distances.append([abs(row["value"] - ideal) for row, ideal in zip((gap, audited), ideals, strict=True)])
    axes.set_xlim(left=0)
    finite = np.array([pair for pair in distances if np.isfinite(pair).all()])
    return float(kendall(*finite.T)) if len(finite) > 1 else np.nan
