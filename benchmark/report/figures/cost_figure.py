"""Average gap against computation, by the paper's counting and as executed (Figure 5)."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import RETRAIN, Cell
from benchmark.report.facts import over
from benchmark.report.figures.common import legend_above, log_axis, page_wide, rows_of
from benchmark.report.source import Source
from benchmark.report.style import cell_parts, line_style, method_colour, method_label
from benchmark.report.summary import COSTS, UNITS, at_end, by_epoch, cost_unit, floors_of

COUNTINGS = {"pflops": "by the paper's counting", "pflops_executed": "as executed"}
PANELS_PER_ROW = 3
PANEL_HEIGHT, LEGEND_LINE = 1.6, 0.17  # inches
LEGEND_COLUMNS = 5
LETTERS = 84  # of a title that fit above all columns together
NO_BREAK = "\u00a0"
BEST: Any = {"marker": "o", "markersize": 5, "markeredgecolor": "white", "linestyle": "none"}
BEST_COLOUR = "#555555"  # in the legend, where it is no method's


def curves(source: Source) -> pd.DataFrame:
    """Return what the figure shows, a row an evaluated epoch of each method but Retrain.

    Columns ``dataset, arch, scenario, method, epoch``; ``avg_gap``, between means over trials, in points, against
    Retrain at its last epoch, NaN where a trial has diverged by then or Retrain is missing; ``pflops,
    pflops_executed``, what was computed until then, means over trials; ``best``, whether no other epoch has a smaller
    gap; ``noise_floor``, the cell's.
    """
    columns = [*CELL, "method", "epoch", "avg_gap", *COSTS, "best", "noise_floor"]
    parts = []
    for cell in source.cells:
        reference = at_end(cell, RETRAIN, source.histories(cell, RETRAIN))
        target = reference[METRICS].astype(float).mean(skipna=False)
        place = {**vars(cell), "noise_floor": floors_of(reference).get(cell, np.nan)}
        for method in source.compared:
            if trials := source.histories(cell, method):
                curve = by_epoch(pd.concat(trials), target).reset_index()
                best = curve["avg_gap"] == curve["avg_gap"].min()
                parts.append(curve.assign(**place, method=method, best=best)[columns])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def build(source: Source) -> Figure:
    """Return the figure: a column a cell, above by the paper's counting, below as executed, at one scale.

    Lines of methods with the contrastive term are broken, each method's best epoch is marked: the one that
    somebody who had Retrain would choose. The gap is on a logarithmic axis.
    """
    data = curves(source)
    # By what each method costs as a whole, as in the tables.
    unit, _ = cost_unit(data.groupby([*CELL, "method"])[list(COSTS)].max().to_numpy(dtype=float))
    bands, columns = rows_of(len(source.cells), PANELS_PER_ROW)
    figure = page_wide(2 * bands * PANEL_HEIGHT + LEGEND_LINE * (1 + (len(source.compared) + 1) // LEGEND_COLUMNS))
    grid = figure.subplots(2 * bands, columns, squeeze=False, sharey=True)
    for number, cell in enumerate(source.cells):
        band, column = divmod(number, columns)
        _cell(grid[2 * band : 2 * band + 2, column], data, cell, source.compared, unit, LETTERS // columns)
    for axes in grid[-2:, len(source.cells) - columns * (bands - 1) :].flat:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"Average gap (points)\n{over(source.trials)}")
    best = Line2D([], [], color=BEST_COLOUR, label="Best epoch", **BEST)
    legend_above(figure, grid[0, :1], [best], ncols=LEGEND_COLUMNS, handlelength=1.6)
    return figure


def _cell(pair: npt.NDArray[Any], data: pd.DataFrame, cell: Cell, methods: list[str], unit: str, width: int) -> None:
    """Draw one cell: above by the paper's counting, below as executed, over one range of computation.

    Its title has ``width`` letters a line.
    """
    rows = in_cell(data, cell)
    most = np.nanmax([0.0, *rows[list(COSTS)].to_numpy(dtype=float).ravel()]) * UNITS[unit]
    for axes, (cost, counting) in zip(pair, COUNTINGS.items(), strict=True):
        for method in methods:
            mine, colour = rows[rows["method"] == method], method_colour(method)
            look: Any = {"linestyle": line_style(method, methods), "label": method_label(method), "linewidth": 1}
            axes.plot(mine[cost] * UNITS[unit], mine["avg_gap"], color=colour, **look)
            best = mine[mine["best"].astype(bool)].head(1)
            axes.plot(best[cost] * UNITS[unit], best["avg_gap"], color=colour, **BEST)
        floor = rows["noise_floor"].iloc[0] if len(rows) else np.nan
        axes.axhline(floor, color="black", linestyle=":", linewidth=1, label="Noise floor")
        log_axis(axes)
        axes.set_xlim(0, 1.04 * most or 1)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(f"{unit} {counting}")
    # Lines are broken between a cell's parts, not within them.
    parts = ", ".join(part.replace(" ", NO_BREAK) for part in cell_parts(cell))
    pair[0].set_title(textwrap.fill(parts, width, break_long_words=False).replace(NO_BREAK, " "))
