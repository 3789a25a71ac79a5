"""What lies in the pool and no study shows: runs of settings that were changed, of studies that were removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.outputs import DERIVED
from benchmark.study.study import Study
from benchmark.study.tuning import TUNING, can_be_tuned


def unused(remove: bool = False) -> str:
    """Return what no study in ``config/`` shows, a line each, after deleting it where ``remove``."""
    files = {path for what in ("splits", *DERIVED) for path in (paths.RESULTS / what).rglob("*.parquet")}
    left_over = sorted((_runs() | files) - used())
    size = sum(file.stat().st_size for path in left_over for file in [path, *path.rglob("*")] if file.is_file())
    for path in left_over if remove else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not left_over:
        return "nothing in results/ is unused"
    end = "deleted" if remove else "used by no study; --remove deletes them"
    return "\n".join([*map(str, left_over), f"{len(left_over)} ({size / 1e6:.1f} MB): {end}"])


def unused_runs() -> list[Path]:
    """Return the folders of runs that no study shows; none where a study cannot be read, since it may show any."""
    try:
        return sorted(_runs() - used())
    except BadInput:
        return []


def _runs() -> set[Path]:
    return {path.parent for path in paths.RUNS.rglob(paths.RUN)}


def used() -> set[Path]:
    """Return everything in the pool that a study in ``config/`` shows, or trains for its tuning."""
    used: set[Path] = set()
    for name in paths.studies():
        study = Study.load(name)
        studies = [study, study.untuned]
        if can_be_tuned(study):
            studies.append(Study.load(name + TUNING))
        for one in studies:
            used |= {paths.run(run.place) for run in one.runs()}
            used |= {paths.split(split.place) for split in one.all_splits}
            used |= {paths.derived(derived.place) for derived in one.derived}
    return used
