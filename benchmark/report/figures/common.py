"""Width, legend and logarithmic axes of figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmark.report.style import FULL_WIDTH


def page_wide(height: float) -> Figure:
    """Return an empty figure, as wide as a page's text and so many inches high."""
    return Figure(figsize=(FULL_WIDTH, height), layout="constrained")


def legend_above(figure: Figure, axes: Iterable[Axes], more: Iterable[Any] = (), **options: Any) -> None:
    """Explain above all panels what is drawn in ``axes``, then the handles ``more``; in one line without ``ncols``."""
    handles = [handle for one in axes for handle in one.get_legend_handles_labels()[0]] + list(more)
    options = {"ncols": len(handles), "columnspacing": 1, **options}
    figure.legend(handles, [handle.get_label() for handle in handles], loc="outside upper center", **options)


def rows_of(panels: int, per_row: int) -> tuple[int, int]:
    """Return in how many rows and columns so many panels stand."""
    columns = min(panels, per_row)
    return -(-panels // columns), columns


def log_axis(axes: Axes) -> None:
    """Put what has been drawn upright on a logarithmic axis, its numbers written out; if none is above 0, do not."""
    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if not (heights > 0).any():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
