"""Gather all runs of a study in nine parquet files that open in plain pandas; docs/results.md describes the columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_parquet
from benchmark.metrics.samples import METRICS
from benchmark.names import Cell
from benchmark.results import frames, published, records
from benchmark.results.measured import from_samples
from benchmark.results.records import DIVERGED
from benchmark.study.runs import Run, with_cells
from benchmark.study.study import Study

EQUAL = 1e-6  # points: two records of one evaluation


def collect(study: Study, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write ``results/<study>-<frame>.parquet`` for every frame of `benchmark.results.frames`; return the paths.

    Parameters
    ----------
    partial : leave out what is missing instead of failing, and write ``results/<study>-<frame>.partial.parquet``.
    replace : let results that the study declares published differ from those in git.
    """
    if not study.runs():
        raise BadInput(f"{paths.study_file(study.name)}: it shows no runs of its own: there is nothing to gather")
    results = gather(study, partial)
    if study.published and not (replace or partial):  # partial files replace nothing
        published.check(study, results["metrics"])
    datasets = sorted(results["predictions"]["dataset"].unique())  # others have no runs here
    classes = {dataset: records.classes(study, dataset) for dataset in datasets}
    files = [paths.gathered(study.name, name + paths.PARTIAL * partial) for name in results]
    for file, frame in zip(files, results.values(), strict=True):
        write_parquet(file, frame, {"classes": classes, "derived": sorted(entry.pool_path for entry in study.derived)})
    return files


def gather(study: Study, partial: bool = False) -> dict[str, pd.DataFrame]:
    """Return the frames that `collect` writes, by name; parameters and errors are those of `collect`.

    Raises `StaleOutput` if the metrics at the end of a run's history are not those of its samples.
    """
    if not partial and (problems := contradicted_histories(study)):
        raise StaleOutput(f"{problems[0]}: delete the run's folder")
    results = frames.of_study(study, partial)
    gathered = {name: getattr(results, name) for name in paths.FRAMES}
    return gathered | {"metrics": frames.with_gaps(gathered["metrics"])}


def contradicted_histories(study: Study, anew: bool = False) -> list[str]:
    """Measure all runs by their samples and describe those whose history ends in other metrics of that evaluation.

    ``anew`` ignores what an earlier command measured.
    """
    pairs = [(run, cell) for run, cell in with_cells(study.runs(), study.cells) if not run.name.is_original]
    return list(filter(None, records.read_all(lambda pair: _contradiction(study, *pair, anew), pairs)))


def _contradiction(study: Study, run: Run, cell: Cell, anew: bool) -> str:
    if records.record(study, run)["status"] == DIVERGED:
        return ""
    by_samples, last = from_samples(study, run, cell, anew), records.frame(study, run, paths.HISTORY).iloc[-1]
    unequal = [metric for metric in METRICS if not abs(by_samples[metric] - last[metric]) <= EQUAL]
    texts = [f"{metric} is {by_samples[metric]:.4f} by samples, {last[metric]:.4f} by history" for metric in unequal]
    return f"run {run.name}: {', '.join(texts)}" if texts else ""
