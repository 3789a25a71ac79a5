"""Average gap and signed gaps at every value of one setting (Figures 7 to 10)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.evidence import cell_by_row
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, RETRAIN, MethodName
from benchmark.report.figures.common import (
    FLOOR,
    FLOOR_LABEL,
    GAP_COLUMNS,
    INTERVALS_AND_DEVIATIONS,
    ON_WHITE,
    draw_gaps,
    highest_gap,
    legends,
    notes,
    page_wide,
)
from benchmark.report.source import Source
from benchmark.report.style import cell_label, method_colour, method_label, setting_label
from benchmark.report.summary import method_numbers
from benchmark.report.tabular import DAGGER
from benchmark.study.kinds import varied

HEIGHT, LEGEND = 1.9, 0.25  # inches: a row of panels, and the legend above them
SPREAD = 0.24  # share of the distance between values over which the four metrics spread, to part their error bars
LINE = 36  # characters that fit below a panel
OWN_GREY = "#EFEFEF"
# Paul Tol's "bright" palette and a marker per metric; the colours of methods mean something else.
LOOKS = {"ra": ("#4477AA", "o"), "ua": ("#EE6677", "s"), "ta": ("#228833", "^"), "mia": ("#AA3377", "D")}


def numbers(source: Source) -> pd.DataFrame:
    """Return the figure's numbers, one row per cell and listed method, sorted by value where values are numbers.

    Columns: ``dataset, arch, scenario``; ``head``, the method's name without settings; ``value`` of the varied setting;
    ``own``, whether that is the study's own value; ``avg_gap`` with its 95 % interval ``_low, _high``, and
    ``noise_floor``, in points; ``collapsed``, the number of collapsed trials; per metric ``_difference``, the mean over
    trials minus that of Retrain, and ``_sd``. Raises `BadInput` as `benchmark.study.kinds.varied` does.
    """
    key = varied(source.study, source.output)
    data = method_numbers(source, [RETRAIN, *source.compared])
    retrain = data["method"] == RETRAIN
    data = data[~retrain].merge(data[retrain], on=CELL_KEYS, suffixes=("", "_retrain"))
    for metric in METRICS:
        data[f"{metric}_difference"] = data[f"{metric}_mean"] - data[f"{metric}_mean_retrain"]
    data["head"] = [MethodName.parse(method).head for method in data["method"]]
    data["value"], own_value = (
        [source.study.settings_of(*pair)[key] for pair in zip(cell_by_row(data), data[column], strict=True)]
        for column in ("method", "head")
    )
    data["own"] = data["value"] == own_value
    if not isinstance(data["value"].iloc[0], str):
        data = data.sort_values("value", kind="stable")
    columns = [f"{metric}_{statistic}" for metric in METRICS for statistic in ("difference", "sd")]
    return data[[*CELL_KEYS, "head", "value", "own", *GAP_COLUMNS, *columns]].reset_index(drop=True)


def build(source: Source) -> Figure:
    """Return the figure: one row per cell and method; left the average gap, right each metric's difference to Retrain.

    Values are evenly spaced, the study's own on grey. Error bars are 95 % intervals of the average gap and standard
    deviations over trials of the metrics. Where runs collapsed, the average gap has a dagger and the differences
    are written out instead of drawn, so that the other values keep their scale.
    """
    data = numbers(source)
    groups = [rows for _, rows in data.groupby([*CELL_KEYS, "head"], sort=False)]
    figure = page_wide(HEIGHT * len(groups) + LEGEND)
    grid = figure.subplots(len(groups), 2, squeeze=False)
    label = _axis_label(source)
    for panels, rows in zip(grid, groups, strict=True):
        _gaps(panels[0], rows)
        _differences(panels[1], rows)
        for axes, kind in zip(panels, ("Average", "Signed"), strict=True):
            values = [f"{value:g}" if isinstance(value, float) else str(value) for value in rows["value"]]
            axes.set_xticks(range(len(rows)), values)
            ends = -0.5, len(rows) - 0.5
            axes.set(xlim=ends, xlabel=label, ylabel=f"{kind} gap (points)")
        if len(groups) > 1:
            cell, head = cell_by_row(rows)[0], rows["head"].iloc[0]
            panels[0].set_title(f"{method_label(head)}: {cell_label(cell)}", loc="left")
    legends(figure, grid[0], handlelength=1.3)
    notes(figure, bool(data["collapsed"].any()), INTERVALS_AND_DEVIATIONS, source.trials)
    return figure


def _axis_label(source: Source) -> str:
    """Return the setting's name and, from its documentation, its meaning."""
    study, key = source.study, varied(source.study, source.output)
    settings = type(study.run(study.run_name(source.cells[0], source.compared[0], 0)).settings)
    fields = {field.alias or attribute: field for attribute, field in settings.model_fields.items()}
    label, meaning = setting_label(key), re.split("[:;,]", fields[key].description or "")[0]
    separator = "\n" if len(label + meaning) > LINE else " "
    return f"{label}:{separator}{meaning}"


def _gaps(axes: Axes, rows: pd.DataFrame) -> None:
    _mark_own(axes, rows, "Study’s own value")
    axes.axhspan(0, rows["noise_floor"].iloc[0], label=FLOOR_LABEL, **FLOOR)
    draw_gaps(axes, range(len(rows)), rows, highest_gap(rows), color=method_colour(rows["head"].iloc[0]))


def _differences(axes: Axes, rows: pd.DataFrame) -> None:
    _mark_own(axes, rows)
    axes.axhline(0, color=method_colour(RETRAIN), linewidth=0.8, label=method_label(RETRAIN))
    collapsed = rows["collapsed"] > 0
    for line, (metric, (colour, marker)) in enumerate(LOOKS.items()):
        x = [position + (line - 1.5) / 3 * SPREAD for position in range(len(rows))]
        look: Any = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 0.8, "elinewidth": 0.6}
        difference, deviation = rows[f"{metric}_difference"], rows[f"{metric}_sd"].fillna(0)
        axes.errorbar(x, difference.where(~collapsed), deviation, **look, label=metric.upper())
        for position in np.flatnonzero(collapsed):
            text = f"{difference.iloc[position]:+z.0f}{DAGGER}".replace("-", "−")
            style: Any = {"xy": (position, 0), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            style["bbox"] = ON_WHITE
            above = 2 + 10 * (len(LOOKS) - 1 - line)
            axes.annotate(text, **style, xytext=(0, above), ha="center", va="bottom", color=colour)


def _mark_own(axes: Axes, rows: pd.DataFrame, label: str = "_") -> None:
    for position in np.flatnonzero(rows["own"]):
        axes.axvspan(position - 0.5, position + 0.5, color=OWN_GREY, linewidth=0, zorder=0, label=label)
