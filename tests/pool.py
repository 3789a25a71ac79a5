"""Paths in the pool, for tests that name runs as users do."""

from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.names import RunName
from benchmark.study.runs import Run
from benchmark.study.study import Study


def pool_path(study: Study | str, run: Run | RunName | str) -> str:
    """Return the path of a run in the pool, by the study file as it stands."""
    if isinstance(run, Run):
        return run.pool_path
    return (Study.load(study) if isinstance(study, str) else study).run(run).pool_path


def run_folder(study: Study | str, run: Run | RunName | str) -> Path:
    """Return the folder of a run."""
    return paths.run(pool_path(study, run))


def split_file(study: Study | str, scenario: str = "random-10", trial: int = 0, dataset: str = "digits") -> Path:
    """Return the file of a split."""
    loaded = Study.load(study) if isinstance(study, str) else study
    return paths.split(loaded.split(dataset, scenario, trial).pool_path)


def made_up_record(run: Run, **more: Any) -> dict[str, Any]:
    """Return what the record of a finished run holds at least, with more."""
    needed = {"run": str(run.name), "status": "finished", "wall_seconds": 1.0, "sha256": {}, "stamp": {}}
    return needed | {"fingerprint": run.fingerprint, "slice": run.origin} | more
