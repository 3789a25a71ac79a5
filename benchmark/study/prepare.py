"""The stages that come before training: a study's dataset as arrays, and what each scenario forgets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.data import store
from benchmark.data.arrays import Arrays
from benchmark.data.splits import split_frame, write_split
from benchmark.errors import StaleOutput, unknown
from benchmark.files import locked, sweep
from benchmark.names import Scenario
from benchmark.seeds import Streams
from benchmark.study.checks import check_prepared
from benchmark.study.study import Study


def _is_whole(folder: Path) -> bool:
    try:
        store.load(folder, verify=True)
    except StaleOutput:
        return False
    return True


def prepare(study: Study, dataset: str) -> Path:
    """Store a dataset and return its folder, after checking that the study's classes exist in it.

    Raises
    ------
    BadInput
        If the study has no such dataset, its source cannot be read, a scenario or table names a class it lacks, or it
        is sorted by class where that matters.
    """
    if dataset not in study.datasets:
        raise unknown("dataset", dataset, study.datasets, str(paths.study_file(study.name)))
    folder = study.dataset_folder(dataset)
    with locked(folder.with_name(f".{folder.name}.lock")) as waited:
        # Another process may just have prepared it.
        if not waited or not _is_whole(folder):
            sweep(folder)
            store.prepare(dataset, study.datasets[dataset])
    # The folder stays as it is, since other studies may use it; nothing of this one starts.
    check_prepared(study, dataset, store.facts(folder))
    return folder


def load(study: Study, dataset: str) -> Arrays:
    """Return a prepared dataset after comparing every file with its digest.

    Raises
    ------
    StaleOutput
        If it is missing; or if it was damaged: then it has been prepared again, for the next attempt.
    """
    with mending(study, dataset):
        return store.load(study.dataset_folder(dataset), verify=True)


@contextlib.contextmanager
def mending(study: Study, dataset: str) -> Iterator[None]:
    """Prepare a dataset again if what is done inside finds it damaged, and raise `StaleOutput` all the same."""
    record = study.dataset_folder(dataset) / store.PROVENANCE
    try:
        yield
    except StaleOutput as error:
        if not record.is_file():
            raise
        prepare(study, dataset)
        raise StaleOutput(f"{error}. It has now been prepared again") from None


def split(study: Study, dataset: str, scenario: str, trial: int) -> Path:
    """Draw what a scenario forgets, write it and return the file; the dataset has been prepared."""
    if dataset not in study.datasets:
        raise unknown("dataset", dataset, study.datasets, str(paths.study_file(study.name)))
    arrays = load(study, dataset)
    rng = Streams(study.seed, (dataset, f"split-{trial}")).numpy("split")
    frame = split_frame(arrays.train_labels, arrays.test_labels, arrays.classes, Scenario(scenario), rng)
    path = paths.split(study.name, dataset, scenario, trial)
    write_split(path, frame, split_origin(study, dataset, scenario, trial))
    return path


def split_origin(study: Study, dataset: str, scenario: str, trial: int) -> dict[str, Any]:
    """Return what a forget split is drawn from: its file says so, and is refused where it says something else."""
    drawn_from = {
        "seed": study.seed,
        "dataset": study.dataset_folder(dataset).name,
        "scenario": scenario,
        "trial": trial,
    }
    images = store.content_hash_if_known(study.dataset_folder(dataset))
    return drawn_from | ({"images": images} if images else {})
