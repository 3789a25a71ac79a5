"""Curves R[eps] of Lemma 1, on retain and on forget data."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.metrics.theory import GROUPS, LEVEL, Floats, chance, r_curve
from benchmark.report.figures.common import BANDS, draw_trials, legends, notes, panels
from benchmark.report.source import Source
from benchmark.report.style import method_colour, short_label
from benchmark.report.tabular import marked_label

STYLES: dict[str, Any] = dict(zip(GROUPS, ("-", "--"), strict=True))
GREY = "#E4E4E4"
POINTS = 201  # per curve
HEIGHTS, LEGEND = (1.6, 1.0), 0.4  # inches: a cell's two panels, and the legend above them


def build(source: Source) -> Figure:
    """Return the figure: per cell R[eps] in per cent, solid on retain and dashed on forget data, and below it the
    difference, forget minus retain, in points, beside what one trial differs by chance (5 % on either side).

    Lines are means over trials; bands span the trials. Diverged trials are left out, as are methods without any other.
    """
    methods = source.methods
    # The largest distances of the retain and of the forget samples, for each trial that has not diverged.
    distances = {
        (cell, method): [
            tuple(rows.loc[rows["membership"] == group, "max_distance"].to_numpy(float) for group in GROUPS)
            for rows in source.by_trial(source.results.views, cell, method).values()
            if rows["max_distance"].notna().all()
        ]
        for cell, method in product(source.cells, methods)
    }
    pooled = [np.concatenate(groups) for trials in distances.values() for groups in trials]
    end = max((float(np.quantile(values, 0.999)) for values in pooled), default=0.0) or 1.0
    figure, grid, cell_panels = panels(len(source.cells), HEIGHTS, LEGEND, sharex=True)
    for cell, (upper, lower) in zip(source.cells, cell_panels, strict=True):
        _cell(upper, lower, {method: distances[cell, method] for method in methods}, np.linspace(0, end, POINTS))
        upper.set_title(short_label(cell, source.cells), loc="left")
        lower.set_xlabel("ε")
    grid[0, 0].set_xlim(0, end)
    collapsed = set().union(*source.collapsed_methods(methods).values())
    _label_axes(figure, grid)
    handles = _handles({method: marked_label(method, method in collapsed) for method in methods})
    legends(figure, [], handles, ncols=5, handlelength=1.6, columnspacing=1.4)
    notes(figure, bool(collapsed), BANDS, source.trials)
    return figure


def _cell(upper: Axes, lower: Axes, methods: dict[str, list[tuple[Floats, ...]]], eps: Floats) -> None:
    for method, trials in methods.items():
        if not trials:
            continue
        lines = 100 * np.array([[r_curve(values, eps) for values in groups] for groups in trials])
        look: Any = {"color": method_colour(method), "linewidth": 1.1}
        for group, style in enumerate(STYLES.values()):
            draw_trials(upper, eps, lines[:, group], 0.2, linestyle=style, **look)
        draw_trials(lower, eps, lines[:, 1] - lines[:, 0], 0.2, **look)
    sizes = [tuple(map(len, groups)) for trials in methods.values() for groups in trials]
    if sizes:
        by_chance = 100 * chance(*sizes[0])
        lower.axhspan(-by_chance, by_chance, color=GREY, linewidth=0, zorder=0)
    lower.axhline(0, color="black", linewidth=0.6, zorder=1)


def _label_axes(figure: Figure, grid: npt.NDArray[Any]) -> None:
    for axes in grid[::2].flat:
        axes.set_ylim(0, 101)
        axes.tick_params(labelleft=axes in grid[:, 0])
    for upper, lower in zip(grid[::2, 0], grid[1::2, 0], strict=True):
        upper.set_ylabel("R[ε] (%)")
        lower.set_ylabel("forget − retain\n(points)")
    figure.align_ylabels(list(grid[:, 0]))


def _handles(labels: dict[str, str]) -> list[Any]:
    handles: list[Any] = [Line2D([], [], color=method_colour(method), label=label) for method, label in labels.items()]
    handles += [Line2D([], [], color="#555555", linestyle=style, label=group) for group, style in STYLES.items()]
    return [*handles, Patch(color=GREY, linewidth=0, label=f"chance ({100 * LEVEL:g} % on either side)")]
