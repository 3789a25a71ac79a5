"""How far methods are from Retrain: gaps, their average, the noise among Retrain's own trials, and what CL improves.

Gaps are taken between means over trials, as the paper's tables do. Standard deviations are those of a sample (divided
by trials - 1); the paper does not say which it prints.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput
from benchmark.names import ORIGINAL, RETRAIN

CELL = ["dataset", "arch", "scenario"]
METRICS = ["ra", "ua", "ta", "mia"]
GAPS = [f"{metric}_gap" for metric in METRICS]
DIVERGED = "diverged"
# Numbers that a frame of runs or of printed rows may hold and that are no cost.
LABELS = {*CELL, *METRICS, "method", "trial", "table", DIVERGED}

Floats = npt.NDArray[np.float64]


def summarise(metrics: pd.DataFrame, reference: str = RETRAIN) -> pd.DataFrame:
    """Return one row per cell and method: means, standard deviations and gaps over trials (Tables 2, 3, 7 to 10).

    Parameters
    ----------
    metrics : one row a run, with ``dataset, arch, scenario, method, trial`` and ``ra, ua, ta, mia`` in per cent.
        Every other numeric column is a cost and is averaged, except those ending in ``_gap``. A diverged run has
        "diverged" in a column ``status``. Original by itself has an empty scenario and needs no ua and mia.
    reference : the method that gaps are taken against.

    Returns
    -------
    In order of first appearance: ``dataset, arch, scenario, method, trials, diverged`` (how many trials did); for each
    metric ``_mean``, ``_sd`` (NaN for one trial) and ``_gap``, in per cent and points; ``avg_gap``, the mean of the
    four gaps (paper, section Metrics); costs, their means over the trials that have one. Where a trial diverged, means,
    deviations and gaps are NaN; so are the gaps of Original by itself.

    Raises
    ------
    BadInput
        If a column is missing, a run is listed twice, a metric of a run that did not diverge is not a number, or a cell
        lacks the reference.
    """
    runs = _checked(metrics)
    grouped = runs.groupby([*CELL, "method"], sort=False)
    out = grouped.agg(trials=("trial", "size"), diverged=(DIVERGED, "sum"))
    whole = out[DIVERGED] == 0
    out = out.join(grouped[METRICS].mean().where(whole).add_suffix("_mean"))
    out = out.join(grouped[METRICS].std(ddof=1).where(whole).add_suffix("_sd"))
    costs = [name for name in runs.select_dtypes("number") if name not in LABELS and not name.endswith("_gap")]
    out = out.join(grouped[costs].mean()).reset_index()
    out[GAPS] = _distance(out, [f"{metric}_mean" for metric in METRICS], runs, reference)
    out["avg_gap"] = out[GAPS].mean(axis=1, skipna=False)
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "gap")]
    return out[[*CELL, "method", "trials", DIVERGED, *columns, "avg_gap", *costs]]


def per_run_gaps(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with their own gaps to the mean of Retrain: ``ra_gap, ua_gap, ta_gap, mia_gap, avg_gap``, points.

    The mean of such average gaps is no smaller than the average gap of the means, which is what tables show.
    Parameters and errors are those of `summarise`; rows keep their order.
    """
    runs = _checked(metrics)
    gaps = _distance(runs, METRICS, runs, RETRAIN)
    return metrics.assign(**dict(zip(GAPS, gaps.T, strict=True)), avg_gap=gaps.mean(axis=1))


def noise_floor(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the average gap that Retrain has to itself: what one more Retrain would be expected to show.

    Each trial of Retrain is compared with the mean of its other trials; the average gaps that result are averaged.
    `floor_of` has the floor of means over several trials, as in a table's rows. Errors are those of `summarise`, but a
    cell without Retrain is merely absent.

    Returns
    -------
    ``dataset, arch, scenario, trials, noise_floor`` in points, one row a cell, in order of first appearance; NaN where
    Retrain has one trial, or one that diverged.
    """
    runs = _checked(metrics)
    rows = []
    for cell, trials in runs[runs["method"] == RETRAIN].groupby(CELL, sort=False):
        floor = np.nan if trials[DIVERGED].any() else floor_of(trials[METRICS].to_numpy(dtype=float))
        rows.append((*cell, len(trials), floor))
    return pd.DataFrame(rows, columns=[*CELL, "trials", "noise_floor"])


def floor_of(values: Floats, trials: int | None = None) -> float:
    """Return the average gap of one of Retrain's trials (n, 4) to the others, or of means over so many ``trials``.

    One trial differs from the mean of the n - 1 others with n / (n - 1) of a trial's variance, a mean over m trials
    from another such mean with 2 / m of it. NaN for a single trial.
    """
    count = len(values)
    if count < 2:
        return float("nan")
    others = (values.sum(axis=0) - values) / (count - 1)
    floor = float(np.abs(values - others).mean())
    return floor if trials is None else floor * math.sqrt(2 / trials * (count - 1) / count)


def improvement(gap_without: npt.ArrayLike, gap_with: npt.ArrayLike) -> Floats:
    """Return by how many per cent adding CL lowers the average gap: 100 (without - with) / without (Figure 4).

    It is negative where CL raises the gap, NaN where the gap without CL is 0.
    """
    without = np.asarray(gap_without, dtype=float)
    divisor = np.where(without == 0, np.nan, without)
    return np.asarray(100.0 * (without - np.asarray(gap_with, dtype=float)) / divisor)


def average_difference(shares: Floats, reference: Floats) -> float:
    """Return the mean over the shown classes of the absolute difference to Retrain, in points (Tables 1, 5 and 6).

    Both are the per cent of the forget samples of one class that are predicted as each shown class, (classes,).
    """
    return float(np.abs(shares - reference).mean())


def _checked(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a boolean column ``diverged`` and Original's scenario as "", or say what is wrong."""
    if missing := [column for column in (*CELL, "method", "trial", *METRICS) if column not in metrics]:
        raise BadInput(f"metrics: column {missing[0]!r} is missing: accepted is a row a run, as `collect` writes them")
    runs = metrics.copy()
    for column in [*CELL, "method"]:  # plain strings: grouping by categories would bring combinations that never ran
        runs[column] = runs[column].astype(object).where(runs[column].notna(), "")
    runs[DIVERGED] = (runs["status"] == DIVERGED).to_numpy() if "status" in runs else False
    twice = runs.duplicated([*CELL, "method", "trial"])
    if twice.any():
        raise BadInput(f"metrics: run {_run(runs[twice].iloc[0])} is listed twice: accepted is once")
    for metric in METRICS:
        excused = runs[DIVERGED] | (_alone(runs) & (metric in ("ua", "mia")))
        holes = ~np.isfinite(runs[metric].to_numpy(dtype=float)) & ~excused.to_numpy()
        if holes.any():
            row = runs[holes].iloc[0]
            value = f"{metric} of run {_run(row)} is {row[metric]}"
            raise BadInput(f"metrics: {value}: accepted is a number, or status 'diverged'")
    return runs


def _alone(runs: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are Original by itself, which no scenario and so no Retrain belongs to."""
    return (runs["method"] == ORIGINAL) & (runs["scenario"] == "")


def _run(row: pd.Series[Any]) -> str:
    return "/".join(str(row[column]) for column in [*CELL, "method"] if row[column]) + f"/trial-{row['trial']}"


def _distance(frame: pd.DataFrame, columns: list[str], runs: pd.DataFrame, reference: str) -> Floats:
    """Return the absolute differences, shape (rows, 4), of four columns to the reference's means in the row's cell."""
    grouped = runs[runs["method"] == reference].groupby(CELL, sort=False)
    means = grouped[METRICS].mean().where(grouped[DIVERGED].sum() == 0)
    cells = pd.MultiIndex.from_frame(frame[CELL])
    lacking = ~cells.isin(means.index) & ~_alone(frame).to_numpy()
    if lacking.any():
        cell = "/".join(frame.loc[lacking, CELL].iloc[0])
        raise BadInput(f"metrics: cell {cell} has no run of {reference!r}, which its gaps are taken against")
    return np.abs(frame[columns].to_numpy(dtype=float) - means.reindex(cells).to_numpy(dtype=float))
