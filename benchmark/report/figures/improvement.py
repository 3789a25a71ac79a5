"""Bars of how much adding the contrastive term improves each method's average gap (Figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.metrics.gaps import improvement
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.style import (
    FULL_WIDTH,
    architecture_label,
    dataset_label,
    method_colour,
    method_label,
    scenario_label,
)
from benchmark.report.tables.unlearning import gather
from benchmark.results import measured
from benchmark.study.outputs import with_and_without
from benchmark.study.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS_PER_ROW = 18  # more, and the values on the bars would touch
FLOOR = -100.0  # a bar that would go lower is cut here and says its value: one small gap must not flatten all others
ROW_HEIGHT, WIDEST_BAR = 1.7, 0.5  # inches


def gains(study: Study, name: str, partial: bool = False) -> pd.DataFrame:
    """Return what the figure shows: ``dataset, arch, scenario, method, without, with_cl, improvement, note``.

    ``without`` and ``with_cl`` are average gaps in points, ``improvement`` is in per cent (Figure 4's formula), NaN
    where ``note`` says why there is none: ``diverged`` or ``missing``, or ``gap 0`` where ``without`` is.

    Parameters
    ----------
    study, name : the figure.
    partial : note what is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    pairs = dict(with_and_without(method) for method in output.methods)
    shown = list(dict.fromkeys([*pairs, *pairs.values()]))
    numbers = gather(study, cells, shown, measured.metrics(study, study.runs_of(name), cells, partial))
    rows = numbers.set_index(["dataset", "arch", "scenario", "method"])
    out = []
    for cell in cells:
        for method, partner in pairs.items():
            place = (cell.dataset, cell.arch, cell.scenario)
            both = rows.loc[[(*place, method), (*place, partner)]]
            without, with_cl = both["avg_gap"]
            gain = float(improvement(without, with_cl))
            note = "" if np.isfinite(gain) else _note(both)
            out.append((*place, method, without, with_cl, gain, note))
    columns = ["dataset", "arch", "scenario", "method", "without", "with_cl", "improvement", "note"]
    return pd.DataFrame(out, columns=columns)


def _note(both: pd.DataFrame) -> str:
    """Say why a method has no improvement, by its numbers without and with the term."""
    if both["diverged"].any():
        return "diverged"
    return "missing" if both["avg_gap"].isna().any() else "gap 0"


def build(study: Study, name: str, partial: bool = False) -> Figure:
    """Return the figure: groups of bars, one a cell, one bar a method, each with its value.

    Cells that do not fit in one row stand in a row a scenario. Parameters and errors are those of `gains`.
    """
    from matplotlib.figure import Figure

    data = gains(study, name, partial)
    methods, trials = study.output(name).methods, study.output(name).trials or study.trials
    rows = _rows(data, len(methods))
    low, high = _limits(data)
    figure = Figure(figsize=(FULL_WIDTH, 0.35 + ROW_HEIGHT * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 1, squeeze=False, sharey=True)[:, 0]
    widest = max(rows, key=lambda row: row["cell"].nunique())["cell"].nunique()
    for axes, row in zip(grid, rows, strict=True):
        _row(axes, row, methods, widest)
        axes.set_ylim(low, high)
        axes.set_ylabel(f"Improvement (%)\n{facts.over(trials)}")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(methods), 6), handlelength=1)
    return figure


def _rows(data: pd.DataFrame, methods: int) -> list[pd.DataFrame]:
    """Deal the cells out to rows of at most `BARS_PER_ROW` bars: one row if they fit, else by scenario."""
    data = data.assign(cell=data[["dataset", "arch", "scenario"]].agg("/".join, axis=1))
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
        axes.bar(centres, heights, width * 0.92, color=method_colour(method), label=method_label(method))
        for centre, height, row in zip(centres, heights, mine.itertuples(), strict=True):
            _value(axes, centre, height, row)
    axes.axhline(0, color="black", linewidth=0.6)
    one = data["scenario"].nunique() == 1
    axes.set_xticks(range(len(cells)), [_name(Cell.parse(cell), one) for cell in cells])
    axes.set_xlim(-0.5 - (widest - len(cells)) / 2, len(cells) - 0.5 + (widest - len(cells)) / 2)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    if one:
        axes.set_title(scenario_label(data["scenario"].iloc[0]), loc="left")


def _value(axes: Axes, centre: float, height: float, row: Any) -> None:
    """Print a bar's value beyond its end; say that it was cut, or why there is no bar."""
    if row.note:
        axes.annotate(row.note, (centre, 0), (0, 2), textcoords="offset points", ha="center", va="bottom", rotation=90)
        return
    below = row.improvement < 0
    text = f"{row.improvement:.1f}" if abs(row.improvement) < 99.95 else f"{row.improvement:.0f}"
    text = text.replace("-", "−") + ("\n▾" if row.improvement < FLOOR else "")
    offset, side = ((0, -1.5), "top") if below else ((0, 1.5), "bottom")
    axes.annotate(text, (centre, height), offset, textcoords="offset points", ha="center", va=side, linespacing=0.7)


def _name(cell: Cell, without_scenario: bool) -> str:
    lines = [dataset_label(cell.dataset), architecture_label(cell.arch).replace(" (", "\n(")]
    return "\n".join(lines if without_scenario else [*lines, scenario_label(cell.scenario)])
