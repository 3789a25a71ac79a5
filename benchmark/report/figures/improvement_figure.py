"""Improvement in average gap from adding the contrastive term (Figure 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.metrics.gaps import CELL, improvement
from benchmark.names import Cell
from benchmark.report.facts import over
from benchmark.report.figures.common import legend_above, page_wide
from benchmark.report.source import Source
from benchmark.report.style import FULL_WIDTH, cell_parts, method_colour, method_label, scenario_label
from benchmark.report.summary import gather
from benchmark.study.outputs import with_and_without

BARS_PER_ROW = 18  # more, and the values on the bars would touch
FLOOR = -100.0  # a bar that would go lower is cut here and says its value: one small gap must not flatten all others
ROW_HEIGHT, WIDEST_BAR = 1.7, 0.5  # inches


def gains(source: Source) -> pd.DataFrame:
    """Return what the figure shows: ``dataset, arch, scenario, method, without, with_cl, improvement, note``.

    ``without`` and ``with_cl`` are average gaps in points, ``improvement`` is in per cent (Figure 4's formula), NaN
    where ``note`` says why there is none: ``diverged`` or ``missing``, or ``gap 0`` where ``without`` is.
    """
    partners = dict(with_and_without(method) for method in source.methods)
    numbers = gather(source, [*partners, *partners.values()])[[*CELL, "method", "avg_gap", "diverged"]]
    plain = numbers[numbers["method"].isin(partners)].assign(partner=lambda rows: rows["method"].map(partners))
    both = plain.merge(numbers, left_on=[*CELL, "partner"], right_on=[*CELL, "method"], suffixes=("", "_cl"))
    gain = improvement(both["avg_gap"], both["avg_gap_cl"])
    reasons = {
        "": np.isfinite(gain),
        "diverged": both["diverged"] + both["diverged_cl"] > 0,
        "missing": both[["avg_gap", "avg_gap_cl"]].isna().any(axis=1),
    }
    note = np.select(list(reasons.values()), list(reasons), "gap 0")
    both = both.rename(columns={"avg_gap": "without", "avg_gap_cl": "with_cl"}).assign(improvement=gain, note=note)
    return both[[*CELL, "method", "without", "with_cl", "improvement", "note"]]


def build(source: Source) -> Figure:
    """Return the figure: groups of bars, one a cell, one bar a method, each with its value.

    Cells that do not fit in one row stand in a row a scenario.
    """
    data = gains(source)
    rows = rows_of_bars(data, len(source.methods))
    figure = page_wide(0.35 + ROW_HEIGHT * len(rows))
    grid = figure.subplots(len(rows), 1, squeeze=False, sharey=True)[:, 0]
    widest = max(row["cell"].nunique() for row in rows)
    for axes, row in zip(grid, rows, strict=True):
        _row(axes, row, source.methods, widest)
        axes.set_ylim(*_limits(data))
        axes.set_ylabel(f"Improvement (%)\n{over(source.trials)}")
    legend_above(figure, grid[:1], ncols=min(len(source.methods), 6), columnspacing=None, handlelength=1)
    return figure


def rows_of_bars(data: pd.DataFrame, methods: int) -> list[pd.DataFrame]:
    """Deal the cells out to rows of at most `BARS_PER_ROW` bars: one row if they fit, else by scenario."""
    data = data.assign(cell=data[CELL].agg("/".join, axis=1))
    per_row = max(1, BARS_PER_ROW // methods)
    cells = list(dict.fromkeys(data["cell"]))
    groups = [cells]
    if len(cells) > per_row:
        scenarios = dict.fromkeys(data["scenario"])
        groups = [[cell for cell in cells if cell.endswith(f"/{scenario}")] for scenario in scenarios]
    parts = [group[start : start + per_row] for group in groups for start in range(0, len(group), per_row)]
    return [data[data["cell"].isin(part)] for part in parts]


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    """Return the axis' ends: 0 inside, room for the values printed beyond the bars, and for upright notes."""
    known = data["improvement"].dropna()
    low, high = min(0.0, known.clip(lower=FLOOR).min()), max(0.0, known.max())
    if known.empty or low == high:
        low, high = 0.0, 100.0
    room = 0.17 * (high - low)
    low, high = (low - room if low < 0 else 0.0), (high + room if high > 0 else room)
    return low, max(high, -low) if data["note"].any() else high


def _row(axes: Axes, data: pd.DataFrame, methods: list[str], widest: int) -> None:
    cells = list(dict.fromkeys(data["cell"]))
    width = min(0.84 / len(methods), WIDEST_BAR * widest / FULL_WIDTH)
    for place, method in enumerate(methods):
        mine = data[data["method"] == method]
        centres = np.arange(len(cells)) + (place - (len(methods) - 1) / 2) * width
        heights = mine["improvement"].clip(lower=FLOOR).fillna(0)
        bars = axes.bar(centres, heights, width * 0.92, color=method_colour(method), label=method_label(method))
        axes.bar_label(bars, [_value(gain) for gain in mine["improvement"]], padding=1.5, linespacing=0.7)
        axes.bar_label(bars, mine["note"], padding=2, rotation=90)
    axes.axhline(0, color="black", linewidth=0.6)
    one = data["scenario"].nunique() == 1
    parts = [cell_parts(Cell.parse(cell))[: 2 if one else 3] for cell in cells]
    axes.set_xticks(range(len(cells)), ["\n".join(part).replace(" (", "\n(") for part in parts])
    axes.set_xlim(-0.5 - (widest - len(cells)) / 2, len(cells) - 0.5 + (widest - len(cells)) / 2)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    if one:
        axes.set_title(scenario_label(data["scenario"].iloc[0]), loc="left")


def _value(gain: float) -> str:
    """Return a bar's value, with an arrow if the bar was cut; nothing where there is none."""
    if np.isnan(gain):
        return ""
    text = f"{gain:.1f}" if abs(gain) < 99.95 else f"{gain:.0f}"
    return text.replace("-", "−") + ("\n▾" if gain < FLOOR else "")
