"""Gather all runs of a study in nine parquet files that open in plain pandas; docs/results.md describes the columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import write_parquet
from benchmark.results import frames, published, records
from benchmark.study.study import Study


def collect(study: Study, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write ``results/<study>-<frame>.parquet`` for every frame of `benchmark.results.frames`; return the paths.

    With ``partial``, leave out what is missing instead of failing, and write
    ``results/<study>-<frame>.partial.parquet``; with ``replace``, let results that the study declares published differ
    from those in git. Raises `BadInput` if the study has no runs, or if published results differ, and `StaleOutput` if
    a run is missing or damaged, unless ``partial``.
    """
    if not study.runs():
        raise BadInput(f"{study.file}: it shows no runs of its own: there is nothing to gather")
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
    """Return the frames that `collect` writes, by name; parameters and errors are those of `collect`."""
    results = frames.of_study(study, partial)
    gathered = {name: getattr(results, name) for name in paths.FRAMES}
    return gathered | {"metrics": frames.with_gaps(gathered["metrics"])}
