"""Two methods of a cell compared trial by trial."""

from __future__ import annotations

from functools import partial as bind

import pandas as pd

from benchmark.metrics.bootstrap import Estimate, Indices, estimate
from benchmark.metrics.evidence import Floats, Trials
from benchmark.names import RETRAIN, Cell


def compared(
    metrics: pd.DataFrame, cell: Cell, first: str, second: str, fewest: int = 1
) -> tuple[tuple[Trials, Estimate] | None, int]:
    """Return two methods' trials with the second's average gap less the first's, and how many trials were left out.

    There is no difference where one of the methods, or Retrain, has fewer than ``fewest`` trials.
    """
    if metrics.empty:
        return None, 0
    trials = Trials(metrics, cell, dict.fromkeys((first, second)))
    if len(trials) < fewest or not {first, second, RETRAIN} <= set(trials.values):
        return None, trials.lost
    return (trials, estimate(bind(_difference, trials, first, second), len(trials))), trials.lost


def _difference(trials: Trials, first: str, second: str, drawn: Indices) -> Floats:
    return trials.gap(second, drawn) - trials.gap(first, drawn)
