"""Means, gaps and costs of methods, as tables, figures and the page show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.metrics.bootstrap import estimate, mean_interval
from benchmark.metrics.evidence import Trials
from benchmark.metrics.gaps import GAPS, noise_floor, summarise
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, FINISHED, ORIGINAL, RETRAIN, RUN_KEYS, Cell, MethodName
from benchmark.report.source import Source

COUNTS = ("trials", "diverged", "collapsed")
COSTS = ("pflops", "pflops_executed")
UNITS = {"PFLOPs": 1.0, "TFLOPs": 1e3, "GFLOPs": 1e6, "MFLOPs": 1e9}


def method_numbers(source: Source, methods: Iterable[str]) -> pd.DataFrame:
    """Return the numbers at full precision, one row per cell and method; missing ones are NaN, with 0 trials.

    Columns: ``dataset, arch, scenario, method, run_method`` (what its runs are called), ``trials, diverged,
    collapsed`` (counts), ``report_epoch, epoch``; per metric ``_mean, _sd, _low, _high, _gap``, and ``avg_gap`` with
    ``_low, _high``, in per cent and points: the ends of 95 % intervals, Student's for a mean and that of
    `benchmark.metrics.bootstrap` for the average gap; ``pflops, pflops_executed, seconds``; the cell's
    ``noise_floor``, in points. ``methods`` are named as the study lists them.
    """
    metrics = source.results.metrics
    columns = [f"{metric}_{statistic}" for metric in METRICS for statistic in ("mean", "sd", "low", "high", "gap")]
    numbers = ["epoch", *columns, "avg_gap", "avg_gap_low", "avg_gap_high", *COSTS, "seconds"]
    empty = dict.fromkeys(numbers, np.nan) | dict.fromkeys(COUNTS, 0) | {"report_epoch": ""}
    summary_rows, floors = summaries(metrics), floors_of(metrics)
    rows = []
    for cell, method in product(source.cells, dict.fromkeys(methods)):
        run_method = source.run_method(cell, method)
        names = {**vars(cell), "method": method, "run_method": run_method}
        rows.append({**names, **summary_rows.get((cell, run_method), empty), "noise_floor": floors.get(cell, np.nan)})
    order = [*CELL_KEYS, "method", "run_method", *COUNTS, "report_epoch", *numbers, "noise_floor"]
    return pd.DataFrame(rows, columns=order)


def summaries(metrics: pd.DataFrame) -> dict[tuple[Cell, str], dict[str, Any]]:
    """Return `summarise`'s row for each cell and method; a cell without Retrain has its means alone.

    Where a method and Retrain have different trials, they are compared in those that both have; not so Original, which
    may have one for all.

    ``metrics`` has one row per run, from `benchmark.results.measured.metrics` or with what `summarise` needs,
    ``collapsed`` and ``report_epoch``.
    """
    rows: dict[tuple[Cell, str], dict[str, Any]] = {}
    if metrics.empty:
        return rows
    # The last digit of a mean depends on the order of rows, which differs in gathered files.
    for parts, runs in metrics.sort_values(RUN_KEYS).groupby(CELL_KEYS, sort=False):
        cell, methods = Cell(*parts), list(runs["method"].unique())
        retrains = set(runs.loc[runs["method"] == RETRAIN, "trial"])
        summary = summarise(runs, RETRAIN if RETRAIN in methods else methods[0])
        if RETRAIN not in methods:
            summary[[*GAPS, "avg_gap"]] = np.nan
        for row in summary.drop(columns=CELL_KEYS).to_dict("records"):
            method = str(row.pop("method"))
            method_runs = runs[runs["method"] == method]
            of_method = set(method_runs["trial"])
            common = retrains & of_method
            if MethodName.parse(method).base != ORIGINAL and common and retrains != of_method:
                shared = runs[runs["trial"].isin(common) & runs["method"].isin([method, RETRAIN])]
                row |= summarise(shared).set_index("method").loc[method, [*GAPS, "avg_gap"]].to_dict()
            row["collapsed"] = int(method_runs["collapsed"].sum())
            row["report_epoch"] = method_runs["report_epoch"].iloc[0]
            for metric in METRICS:
                row[f"{metric}_low"], row[f"{metric}_high"] = mean_interval(method_runs[metric])
            trials = Trials(runs, cell, [method])
            row["avg_gap_low"] = row["avg_gap_high"] = np.nan
            if method != RETRAIN and np.isfinite(row["avg_gap"]) and len(trials):
                _, row["avg_gap_low"], row["avg_gap_high"] = average_gap(trials, method)
            rows[cell, method] = row
    return rows


def average_gap(trials: Trials, method: str) -> tuple[float, float, float]:
    """Return a method's average gap to Retrain and the ends of its 95 % interval, in points: no gap is below 0."""
    gap = estimate(partial(trials.gap, method), len(trials))
    return gap.value, float(np.maximum(0.0, gap.low)), gap.high


def gaps_of_two(source: Source, cell: Cell, first: str, second: str, fewest: int = 1) -> dict[str, float]:
    """Return the average gaps of two listed methods, trial by trial, and how much higher the second's is.

    ``trials`` counts those that both have; of these, ``diverged`` are left out because one of them or Retrain diverged,
    and in ``collapsed`` one has collapsed at the epoch that the gaps are of. ``first`` and ``second`` are the
    gaps in points; ``value, low, high, p, sd`` are `benchmark.metrics.bootstrap.Estimate`'s of their difference. All
    five and the gaps are NaN where the methods and Retrain share fewer than ``fewest`` trials.
    """
    numbers: dict[str, float] = dict.fromkeys(("first", "second", "value", "low", "high", "p", "sd"), np.nan)
    numbers |= dict.fromkeys(COUNTS, 0)
    if source.results.metrics.empty:
        return numbers
    diverged = len(set.union(*(source.diverged(cell, method) for method in (first, second, RETRAIN))))
    numbers["trials"] = numbers["diverged"] = diverged
    runs = pd.concat([source.rows(source.results.metrics, cell, method) for method in (first, second)])
    numbers["collapsed"] = runs.loc[runs["collapsed"], "trial"].nunique()
    first, second = (source.run_method(cell, method) for method in (first, second))
    trials = Trials(source.results.metrics, cell, dict.fromkeys((first, second)))
    if not {first, second, RETRAIN} <= set(trials.values):
        return numbers
    numbers["trials"] += len(trials)
    if len(trials) < fewest:
        return numbers
    numbers["first"], numbers["second"] = trials.gaps((first, second), np.arange(len(trials))[None])[:, 0].tolist()
    difference = trials.farther(second, first)
    return numbers | asdict(difference) | {"trials": numbers["trials"]}


def floors_of(metrics: pd.DataFrame) -> dict[Cell, float]:
    """Return the noise floor of each cell that has Retrain, in points."""
    if metrics.empty:
        return {}
    floors = noise_floor(metrics).set_index(CELL_KEYS)["noise_floor"]
    return {Cell(*parts): floor for parts, floor in floors.items()}


def by_epoch(history: pd.DataFrame, target: pd.Series[float] | pd.DataFrame) -> pd.DataFrame:
    """Return a method's means over trials by epoch: metrics, ``loss`` and costs, and ``avg_gap`` between these means.

    All but the costs are NaN from where a trial has diverged. ``history`` has the rows of its trials in one cell, at
    least one; ``target`` Retrain's metrics, of the cell or by epoch.
    """
    grouped = history.groupby("epoch")
    complete = grouped.size() == grouped.size().max()
    means = grouped[[*METRICS, "loss"]].agg(lambda values: values.mean(skipna=False)).where(complete)
    means["avg_gap"] = (means[METRICS] - target).abs().mean(axis=1, skipna=False)
    return means.join(grouped[list(COSTS)].mean())


def at_end(source: Source, cell: Cell, method: str, histories: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Return the last metrics and costs of each trial's history, or part of it, as runs for `summaries`.

    A trial without a row, or without numbers in it, diverged.
    """
    columns, rows = [*METRICS, *COSTS], []
    for trial, history in histories.items():
        last = history[columns].iloc[-1].to_numpy(dtype=float) if len(history) else np.full(len(columns), np.nan)
        status = FINISHED if np.isfinite(last[: len(METRICS)]).all() else DIVERGED
        collapsed = source.results.collapsed(cell, trial, float(last[0]))
        rows.append([*vars(cell).values(), method, trial, status, "last", collapsed, *last])
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "method", "trial", "status", "report_epoch", "collapsed", *columns])


def cost_unit(pflops: npt.NDArray[Any]) -> tuple[str, int]:
    """Return the largest unit in which no cost is below 0.05, and decimals, at most 2: three digits of the smallest.

    Costs in ``pflops`` may have any shape; NaN and 0 are ignored.
    """
    positive = pflops[np.isfinite(pflops) & (pflops > 0)]
    if not len(positive):
        return "PFLOPs", 2
    smallest = float(positive.min())
    unit = next((unit for unit, factor in UNITS.items() if smallest * factor >= 0.05), "MFLOPs")
    return unit, int(np.clip(2 - np.floor(np.log10(smallest * UNITS[unit])), 0, 2))
