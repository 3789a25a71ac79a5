"""Improvement in average gap from adding the contrastive term (Figure 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.bootstrap import estimate
from benchmark.metrics.evidence import Trials, cell_by_row
from benchmark.metrics.gaps import improvement
from benchmark.names import CELL_KEYS, RETRAIN, Cell
from benchmark.report.figures.common import INTERVALS, legends, notes, page_wide
from benchmark.report.source import Source
from benchmark.report.style import FULL_WIDTH, cell_parts, method_colour, method_label, scenario_label, short_parts
from benchmark.report.summary import method_numbers
from benchmark.report.tabular import DAGGER, number
from benchmark.study.kinds import with_and_without

BARS_PER_ROW = 18  # more, and the values on the bars would touch
CROWDED, SMALL = 12, 6  # from so many bars on, values are printed in so many points, to keep them apart
FLOOR = -100.0  # a lower bar is cut here and has its value written: one small gap must not flatten all others
ROW_HEIGHT, WIDEST_BAR = 1.7, 0.5  # inches


def gains(source: Source) -> pd.DataFrame:
    """Return the figure's numbers, one row per cell and method.

    Columns: ``dataset, arch, scenario, method``; ``without, with_cl``, average gaps in points; ``improvement`` in per
    cent (Figure 4's formula) with ``low, high``, its 95 % interval from resampled trials of both variants and of
    Retrain, NaN where ``note`` gives the reason: ``diverged`` (a variant or Retrain), ``missing``, or ``gap 0``
    where ``without`` is 0; ``collapsed``, the number of collapsed trials of both variants.
    """
    partners = dict(with_and_without(method) for method in source.methods)
    numbers = method_numbers(source, [RETRAIN, *partners, *partners.values()])
    numbers = numbers[[*CELL_KEYS, "method", "run_method", "avg_gap", "diverged", "collapsed"]]
    plain = numbers[numbers["method"].isin(partners)].assign(partner=lambda rows: rows["method"].map(partners))
    pairs = plain.merge(numbers, left_on=[*CELL_KEYS, "partner"], right_on=[*CELL_KEYS, "method"], suffixes=("", "_cl"))
    pairs = pairs.merge(numbers[numbers["method"] == RETRAIN], on=CELL_KEYS, suffixes=("", "_retrain"))
    gain = improvement(pairs["avg_gap"], pairs["avg_gap_cl"])
    reasons = {
        "": np.isfinite(gain),
        "diverged": pairs[["diverged", "diverged_cl", "diverged_retrain"]].any(axis=1),
        "missing": pairs[["avg_gap", "avg_gap_cl"]].isna().any(axis=1),
    }
    note = np.select(list(reasons.values()), list(reasons), "gap 0")
    pairs = pairs.rename(columns={"avg_gap": "without", "avg_gap_cl": "with_cl"}).assign(improvement=gain, note=note)
    pairs["collapsed"] += pairs["collapsed_cl"]
    pairs[["low", "high"]] = [(np.nan, np.nan) if pair.note else _interval(source, pair) for pair in pairs.itertuples()]
    return pairs[[*CELL_KEYS, "method", "without", "with_cl", "improvement", "low", "high", "note", "collapsed"]]


def _interval(source: Source, pair: Any) -> tuple[float, float]:
    methods = pair.run_method, pair.run_method_cl
    trials = Trials(source.results.metrics, Cell(pair.dataset, pair.arch, pair.scenario), methods)
    interval = estimate(lambda drawn: improvement(*trials.gaps(methods, drawn)), len(trials))
    return interval.low, min(interval.high, 100.0)  # no gap is below 0


def build(source: Source) -> Figure:
    """Return the figure: one group of bars per cell, one bar per method, each with its value and 95 % interval.

    Cells that do not fit in one row are drawn in one row per scenario.
    """
    data = gains(source)
    rows = rows_of_bars(data, len(source.methods))
    figure = page_wide(0.35 + ROW_HEIGHT * len(rows))
    grid = figure.subplots(len(rows), 1, squeeze=False, sharey=True)[:, 0]
    widest = max(row["cell"].nunique() for row in rows)
    for axes, row in zip(grid, rows, strict=True):
        _row(axes, row, source.methods, widest)
        axes.set(ylim=_limits(data), ylabel="Improvement (%)")
    look: Any = {"ncols": min(len(source.methods), 6), "columnspacing": None, "handlelength": 1}
    legends(figure, grid[:1], **look)
    notes(figure, bool(data["collapsed"].any()), INTERVALS, source.trials)
    return figure


def rows_of_bars(data: pd.DataFrame, methods: int) -> list[pd.DataFrame]:
    """Divide the cells into rows of at most `BARS_PER_ROW` bars: one row if they fit, else by scenario."""
    data = data.assign(cell=cell_by_row(data))
    per_row = max(1, BARS_PER_ROW // methods)
    fits = data["cell"].nunique() <= per_row
    groups = [data] if fits else [rows for _, rows in data.groupby("scenario", sort=False)]
    cells = [rows["cell"].unique() for rows in groups]
    parts = [own[start : start + per_row] for own in cells for start in range(0, len(own), per_row)]
    return [data[data["cell"].isin(part)] for part in parts]


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis: around 0, with room for the values printed beyond bars and for upright notes."""
    values = data[["improvement", "low", "high"]].stack()
    low, high = min(0.0, values.clip(lower=FLOOR).min()), max(0.0, values.max())
    if low == high:
        low, high = 0.0, 100.0
    room = 0.17 * (high - low)
    low, high = (low - room if low < 0 else 0.0), (high + room if high > 0 else room)
    return low, max(high, -low) if data["note"].any() else high


def _row(axes: Axes, data: pd.DataFrame, methods: list[str], widest: int) -> None:
    cells = list(dict.fromkeys(data["cell"]))
    width = min(0.84 / len(methods), WIDEST_BAR * widest / FULL_WIDTH)
    size = SMALL if len(methods) * widest > CROWDED else None
    for position, method in enumerate(methods):
        rows = data[data["method"] == method]
        centres = np.arange(len(cells)) + (position - (len(methods) - 1) / 2) * width
        heights = rows["improvement"].clip(lower=FLOOR).fillna(0)
        look: Any = {"color": method_colour(method), "label": method_label(method)}
        errors = np.nan_to_num([heights - rows["low"].clip(lower=FLOOR), rows["high"] - heights]).clip(min=0)
        bars = axes.bar(centres, heights, width * 0.92, yerr=errors, error_kw={"elinewidth": 0.8}, **look)
        values = [_value(*row) for row in zip(rows["improvement"], rows["collapsed"], strict=True)]
        axes.bar_label(bars, values, padding=1.5, linespacing=0.7, fontsize=size)
        axes.bar_label(bars, rows["note"], padding=2, rotation=90)
    axes.axhline(0, color="black", linewidth=0.6)
    one_scenario = data["scenario"].nunique() == 1
    parts = [cell_parts(cell)[:2] if one_scenario else short_parts(cell, cells) for cell in cells]
    axes.set_xticks(range(len(cells)), ["\n".join(part).replace(" (", "\n(") for part in parts])
    axes.set_xlim(-0.5 - (widest - len(cells)) / 2, len(cells) - 0.5 + (widest - len(cells)) / 2)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    if one_scenario:
        axes.set_title(scenario_label(data["scenario"].iloc[0]), loc="left")


def _value(gain: float, collapsed: int) -> str:
    """Return a bar's value, with a dagger if a run collapsed and an arrow if the bar was cut; empty without a value."""
    if np.isnan(gain):
        return ""
    return number(gain, 1 if abs(gain) < 99.95 else 0) + DAGGER * bool(collapsed) + "\n▾" * (gain < FLOOR)
