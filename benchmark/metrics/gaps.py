"""Distances to Retrain: gaps, their average, the noise among Retrain's own trials, and the improvement by CL.

Gaps are taken between means over trials, as the paper's tables do. Standard deviations are those of a sample (divided
by trials - 1); the paper does not say which it prints.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, ORIGINAL, RETRAIN, RUN_KEYS, RunName

GAPS = [f"{metric}_gap" for metric in METRICS]
# Of several trials, as `summarise` returns them: mean, standard deviation and gap of each metric.
STATISTICS = [f"{metric}_{statistic}" for metric in METRICS for statistic in ("mean", "sd", "gap")]
# Columns of runs and of printed rows that are not costs.
LABELS = {*CELL_KEYS, *METRICS, "method", "trial", "table", DIVERGED}

Floats = npt.NDArray[np.float64]


def summarise(metrics: pd.DataFrame, reference: str = RETRAIN) -> pd.DataFrame:
    """Return one row per cell and method: means, standard deviations and gaps over trials (Tables 2, 3, 7 to 10).

    Raises `BadInput` if a column is missing, a run is listed twice, a metric of a run that did not diverge is not a
    number, or a cell lacks the reference.

    Parameters
    ----------
    metrics : one row a run, with ``dataset, arch, scenario, method, trial`` and ``ra, ua, ta, mia`` in per cent.
        Every other numeric column is a cost and is averaged, except those ending in ``_gap``. A diverged run has
        "diverged" in a column ``status``. Original by itself has an empty scenario and needs no ua and mia.
    reference : the method that gaps are taken against.

    Returns
    -------
    In order of first appearance: ``dataset, arch, scenario, method, trials, diverged`` (in how many trials); for each
    metric ``_mean``, ``_sd`` (NaN for one trial) and ``_gap``, in per cent and points; ``avg_gap``, the mean of the
    four gaps (paper, section Metrics); costs, their means over the trials that have one. Where a trial diverged, means,
    deviations and gaps are NaN; so are the gaps of Original by itself.
    """
    runs = _checked(metrics)
    grouped = runs.groupby([*CELL_KEYS, "method"], sort=False)
    summary = grouped.agg(trials=("trial", "size"), diverged=(DIVERGED, "sum"))
    complete = summary[DIVERGED] == 0
    summary = summary.join(grouped[METRICS].mean().where(complete).add_suffix("_mean"))
    summary = summary.join(grouped[METRICS].std(ddof=1).where(complete).add_suffix("_sd"))
    costs = [name for name in runs.select_dtypes("number") if name not in LABELS and not name.endswith("_gap")]
    summary = summary.join(grouped[costs].mean()).reset_index()
    summary[GAPS] = _distance(summary, [f"{metric}_mean" for metric in METRICS], runs, reference)
    summary["avg_gap"] = summary[GAPS].mean(axis=1, skipna=False)
    return summary[[*CELL_KEYS, "method", "trials", DIVERGED, *STATISTICS, "avg_gap", *costs]]


def per_run_gaps(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with their own gaps to the mean of Retrain: ``ra_gap, ua_gap, ta_gap, mia_gap, avg_gap``, points.

    Tables show the average gap of the means, over the trials that a method shares with Retrain. Where a method has all
    of Retrain's trials, the mean of the average gaps returned here is no smaller than that.
    Parameters and errors are those of `summarise`; rows keep their order.
    """
    runs = _checked(metrics)
    gaps = _distance(runs, METRICS, runs, RETRAIN)
    return metrics.assign(**dict(zip(GAPS, gaps.T, strict=True)), avg_gap=gaps.mean(axis=1))


def noise_floor(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return Retrain's average gap to itself: the gap to expect of one more Retrain.

    Each trial of Retrain is compared with the mean of its other trials, and the resulting average gaps are averaged.
    `floor_of` also gives the floor of means over several trials, as in a table's rows. Errors are those of `summarise`,
    except that a cell without Retrain is merely absent.

    Columns ``dataset, arch, scenario, trials, noise_floor`` in points, one row a cell, in order of first appearance;
    NaN where Retrain has one trial, or one that diverged.
    """
    runs = _checked(metrics)
    rows = []
    for cell, trials in runs[runs["method"] == RETRAIN].groupby(CELL_KEYS, sort=False):
        floor = np.nan if trials[DIVERGED].any() else floor_of(trials[METRICS].to_numpy(dtype=float))
        rows.append((*cell, len(trials), floor))
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "trials", "noise_floor"])


def floor_of(values: Floats, trials: int | None = None) -> float:
    """Return the average gap of one of Retrain's trials (n, 4) to the others, or of means over ``trials`` trials.

    One trial differs from the mean of the n - 1 others with n / (n - 1) of a trial's variance, a mean over m trials
    from another such mean with 2 / m of it. NaN for a single trial.
    """
    count = len(values)
    if count < 2:
        return float("nan")
    other_means = (values.sum(axis=0) - values) / (count - 1)
    floor = float(np.abs(values - other_means).mean())
    return floor if trials is None else floor * math.sqrt(2 / trials * (count - 1) / count)


def improvement(gap_without: npt.ArrayLike, gap_with: npt.ArrayLike) -> Floats:
    """Return by how many per cent CL lowers the average gap: 100 (without - with) / without (Figure 4).

    Negative where CL raises the gap, NaN where the gap without CL is 0.
    """
    without = np.asarray(gap_without, dtype=float)
    divisor = np.where(without == 0, np.nan, without)
    return np.asarray(100.0 * (without - np.asarray(gap_with, dtype=float)) / divisor)


def average_difference(shares: Floats, reference: Floats) -> float:
    """Return the mean over the shown classes of the absolute difference to Retrain, as in Tables 1, 5 and 6.

    Both have a number of the forget samples of one class for each shown class, (classes,): the per cent predicted as
    it, or their distance to its centroid.
    """
    return float(np.abs(shares - reference).mean())


def _checked(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with a boolean column ``diverged`` and Original's scenario as ""; raise `BadInput` on errors."""
    if missing := [column for column in (*CELL_KEYS, "method", "trial", *METRICS) if column not in metrics]:
        raise BadInput(f"metrics: column {missing[0]!r} is missing: accepted is a row a run, as `collect` writes them")
    runs = metrics.copy()
    # Plain strings: grouping by categories would bring combinations that never ran.
    for column in (*CELL_KEYS, "method"):
        runs[column] = runs[column].astype(object).where(runs[column].notna(), "")
    runs[DIVERGED] = (runs["status"] == DIVERGED).to_numpy() if "status" in runs else False
    twice = runs.duplicated(RUN_KEYS)
    if twice.any():
        name = RunName.of_row(*runs.loc[twice, RUN_KEYS].iloc[0])
        raise BadInput(f"metrics: run {name} is listed twice: accepted is once")
    for metric in METRICS:
        exempt = runs[DIVERGED] | (_alone(runs) & (metric in ("ua", "mia")))
        invalid = ~np.isfinite(runs[metric].to_numpy(dtype=float)) & ~exempt.to_numpy()
        if invalid.any():
            row = runs[invalid].iloc[0]
            value = f"{metric} of run {RunName.of_row(*row[RUN_KEYS])} is {row[metric]}"
            raise BadInput(f"metrics: {value}: accepted is a number, or status 'diverged'")
    return runs


def _alone(runs: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows are Original by itself, which has no scenario and so no Retrain."""
    return (runs["method"] == ORIGINAL) & (runs["scenario"] == "")


def _distance(frame: pd.DataFrame, columns: list[str], runs: pd.DataFrame, reference: str) -> Floats:
    """Return the absolute differences, shape (rows, 4), of four columns to the reference's means in the row's cell."""
    grouped = runs[runs["method"] == reference].groupby(CELL_KEYS, sort=False)
    means = grouped[METRICS].mean().where(grouped[DIVERGED].sum() == 0)
    cells = pd.MultiIndex.from_frame(frame[CELL_KEYS])
    lacking = ~cells.isin(means.index) & ~_alone(frame).to_numpy()
    if lacking.any():
        cell = "/".join(frame.loc[lacking, CELL_KEYS].iloc[0])
        raise BadInput(f"metrics: cell {cell} has no run of {reference!r}, which its gaps are taken against")
    return np.abs(frame[columns].to_numpy(dtype=float) - means.reindex(cells).to_numpy(dtype=float))
