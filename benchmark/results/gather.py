"""All runs of a study in eight parquet files that open in plain pandas; docs/results.md describes every column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import write_parquet
from benchmark.names import ORIGINAL
from benchmark.results import frames, published, records
from benchmark.results.measured import DIVERGED
from benchmark.study.study import Study

EQUAL = 1e-6  # points: two records of one evaluation


def collect(study: Study, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write ``results/<study>-<frame>.parquet`` for every frame of `benchmark.results.frames`; return the paths.

    Parameters
    ----------
    partial : leave out what is missing instead of failing, and write ``results/<study>-<frame>.partial.parquet``.
    replace : whether results that the study calls published may come out otherwise than they are in git.
    """
    results = gather(study, partial)
    if study.published and not replace:
        published.keep(study, results["metrics"])
    datasets = sorted({run.name.dataset for run in study.runs()})
    classes = {dataset: records.classes(study, dataset) for dataset in datasets}
    files = [paths.collected(study.name, what + paths.PARTIAL * partial) for what in results]
    for file, frame in zip(files, results.values(), strict=True):
        write_parquet(file, frame, {"classes": classes})
    return files


def gather(study: Study, partial: bool = False) -> dict[str, pd.DataFrame]:
    """Return what `collect` writes, each frame by its name; parameters and errors are those of `collect`."""
    results = frames.of_study(study, partial)
    gathered = {what: getattr(results, what) for what in paths.FRAMES}
    if not partial:
        check_evaluations(gathered["metrics"], gathered["history"], gathered["predictions"])
    return gathered | {"metrics": frames.with_gaps(gathered["metrics"])}


def check_evaluations(metrics: pd.DataFrame, history: pd.DataFrame, predictions: pd.DataFrame) -> None:
    """Compare the accuracies in each history's last row with those of the samples: two records of one evaluation."""
    if metrics.empty:
        return
    run = ["dataset", "arch", "scenario", "method", "trial"]
    kept = metrics[(metrics["method"] != ORIGINAL) & (metrics["status"] != DIVERGED)].set_index(run).index
    last = history.groupby(run).tail(1).set_index(run)
    right = predictions[predictions["label"] == predictions["prediction"]].groupby([*run, "membership"])["count"].sum()
    accuracy = 100 * (right / predictions.groupby([*run, "membership"])["count"].sum()).fillna(0.0)
    for metric, member in (("ra", "retain"), ("ua", "forget"), ("ta", "test")):
        by_samples = accuracy.xs(member, level="membership").reindex(kept)
        by_samples = 100 - by_samples if metric == "ua" else by_samples
        apart = (by_samples - last[metric].reindex(kept)).abs() > EQUAL
        if apart.any():
            name = apart.idxmax()
            raise StaleOutput(
                f"run {'/'.join(map(str, name[:-1]))}/trial-{name[-1]}: {metric} is {by_samples[name]:.4f} by samples, "
                f"{last[metric][name]:.4f} by history: delete the run's folder"
            )
