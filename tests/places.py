"""Where things lie in the pool, for tests that name runs as people do."""

from pathlib import Path

from benchmark import paths
from benchmark.names import RunName
from benchmark.study.runs import Run
from benchmark.study.study import Study


def place(study: Study | str, run: Run | RunName | str) -> str:
    """The place of a run, given by its name, as the study file stands now."""
    if isinstance(run, Run):
        return run.place
    return (Study.load(study) if isinstance(study, str) else study).run(run).place


def run_folder(study: Study | str, run: Run | RunName | str) -> Path:
    """The folder of a run."""
    return paths.run(place(study, run))


def split_file(study: Study | str, scenario: str = "random-10", trial: int = 0, dataset: str = "digits") -> Path:
    """The file of a split."""
    read = Study.load(study) if isinstance(study, str) else study
    return paths.split(read.split(dataset, scenario, trial).place)
