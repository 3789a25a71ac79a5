"""What lies in the pool and no study shows: runs of settings that were changed, of studies that were removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmark import paths
from benchmark.study.outputs import DISTANCES, MAPS, VIEWS
from benchmark.study.study import Study
from benchmark.study.tuning import TUNING, tuned_cells


def unused(remove: bool = False) -> str:
    """Return what no study in ``config/`` shows, a line each, after deleting it where ``remove``.

    Raises
    ------
    BadInput
        If a study cannot be read: what it shows is then not known.
    """
    found = unused_files(paths.CONFIG)
    if remove:
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    size = sum(_size(path) for path in found) if not remove else 0
    lines = [str(path) for path in found]
    if not lines:
        return "every run, split and derived file in results/ is shown by a study"
    if remove:
        return "\n".join([*lines, f"{len(lines)} deleted"])
    return "\n".join([*lines, f"{len(lines)} are shown by no study ({size / 1e6:.1f} MB); --remove deletes them"])


def unused_files(config: Path) -> list[Path]:
    """Return the folders of runs and the files of splits and derived files that no study in ``config`` shows."""
    used: set[Path] = set()
    for file in sorted(config.glob("*.yaml")):
        study = Study.load(file.stem)
        used |= _used(study) | (_used(study.untuned) if study.includes_tuned else set())
        if tuned_cells(study) and study.tune.seed != study.seed:
            used |= _used(Study.load(file.stem + TUNING))
    runs = {path.parent for path in paths.RUNS.rglob(paths.RUN)}
    files = {path for what in ("splits", MAPS, DISTANCES, VIEWS) for path in (paths.RESULTS / what).rglob("*.parquet")}
    return sorted((runs | files) - used)


def _used(study: Study) -> set[Path]:
    used = {paths.run(run.place) for run in study.runs()}
    used |= {paths.split(split.place) for split in study.all_splits}
    return used | {paths.derived(one.place) for one in study.derived}


def _size(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
