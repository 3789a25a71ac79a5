"""Is everything on disk what was written? Compares every file of a study with its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import Damaged, read_parquet, set_aside
from benchmark.results import records as results
from benchmark.results.frames import FRAMES
from benchmark.study import prepare
from benchmark.study.runs import Derived, Run
from benchmark.study.study import Study


def verify(study: Study) -> tuple[int, list[str]]:
    """Return how many files are as they were written, and a line for each that is not.

    What is missing or of another configuration is passed over: the workflow sees to it. What is damaged is set aside; a
    dataset and a split are made again at once.
    """
    right, wrong = 0, []
    for check in _checks(study):
        try:
            right += check()
        except StaleOutput as error:
            wrong.append(str(error))
    return right, wrong


def _checks(study: Study) -> Iterator[Callable[[], int]]:
    for name in study.datasets:
        folder = study.dataset_folder(name)
        if (folder / store.PROVENANCE).is_file():
            yield partial(_dataset, study, name)
    for run in study.runs():
        folder = paths.run(study.name, run.name)
        if (folder / paths.RUN).is_file():
            yield partial(_run, study, run)
    splits = {study.split_file(run): run for run in study.runs() if not run.name.is_original}
    for path, run in splits.items():
        if path.is_file():
            yield partial(_split, study, run)
    for one in study.derived:
        if paths.derived(study.name, one).is_file():
            yield partial(_derived, study, one)
    for what in FRAMES:
        if paths.collected(study.name, what).is_file():
            yield partial(_collected, study, what)


def _run(study: Study, run: Run) -> int:
    try:
        told = results.record(study, run)
    except StaleOutput as error:
        if "another configuration" in str(error):
            return 0
        raise
    folder = paths.run(study.name, run.name)
    names = [name for name in told["sha256"] if (folder / name).is_file()]
    for name in names:
        results.checked(study, run, name)
    return 1 + len(names)


def _dataset(study: Study, name: str) -> int:
    prepare.load(study, name)
    return len(store.FILES) + 1


def _split(study: Study, run: Run) -> int:
    results.forget(study, run)
    return 1


def _derived(study: Study, one: Derived) -> int:
    results.derived(study, one)
    return 1


def _collected(study: Study, what: str) -> int:
    path = paths.collected(study.name, what)
    try:
        read_parquet(path)
    except Damaged as error:
        raise StaleOutput(f"{path} is damaged ({error}): set aside as {set_aside(path)}; run snakemake again") from None
    return 1


def report(study: Study) -> str:
    """Return the findings as text.

    Raises
    ------
    BadInput
        If anything is damaged: one line a file.
    """
    right, wrong = verify(study)
    if wrong:
        raise BadInput(f"{len(wrong)} damaged, {right} whole: " + "; ".join(wrong))
    return f"{right} files are what was written"
