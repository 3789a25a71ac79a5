"""What several figures' axes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def log_axis(axes: Axes) -> None:
    """Put what has been drawn upright on a logarithmic axis, its numbers written out; if none is above 0, do not."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    heights = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if not (heights > 0).any():
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
