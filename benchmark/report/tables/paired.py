"""Two methods of a cell compared trial by trial."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from benchmark.metrics.bootstrap import estimate
from benchmark.metrics.evidence import Trials
from benchmark.names import RETRAIN, Cell
from benchmark.report.source import Source


def compared(source: Source, cell: Cell, first: str, second: str, fewest: int = 1) -> dict[str, float]:
    """Return the average gaps of two listed methods, and how much higher the second's is.

    ``trials`` counts those that both have, ``diverged`` those left out since a method diverged, ``collapsed`` those in
    which one did. ``first`` and ``second`` are the gaps in points; ``value, low, high, p, sd`` are
    `benchmark.metrics.bootstrap.Estimate`'s of their difference. All five and the gaps are NaN where one of the
    methods, or Retrain, has fewer than ``fewest`` trials.
    """
    numbers: dict[str, float] = dict.fromkeys(("first", "second", "value", "low", "high", "p", "sd"), np.nan)
    numbers |= {"trials": 0, "diverged": 0}
    numbers["collapsed"] = len(source.collapsed(cell, first) | source.collapsed(cell, second))
    if source.results.metrics.empty:
        return numbers
    first, second = (source.run_method(cell, method) for method in (first, second))
    trials = Trials(source.results.metrics, cell, dict.fromkeys((first, second)))
    numbers["diverged"] = max(trials.diverged.values(), default=0)  # so many were left out, at least
    if len(trials) < fewest or not {first, second, RETRAIN} <= set(trials.values):
        return numbers
    numbers["first"], numbers["second"] = trials.gaps((first, second), np.arange(len(trials))[None])[:, 0].tolist()
    return numbers | asdict(estimate(lambda drawn: trials.gap(second, drawn) - trials.gap(first, drawn), len(trials)))
