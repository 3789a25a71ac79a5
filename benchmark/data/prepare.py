"""The stages that come before training: a study's dataset as arrays, and what each scenario forgets."""

from __future__ import annotations

from pathlib import Path

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import split_frame, write_split
from benchmark.errors import BadInput, unknown
from benchmark.files import locked, sweep
from benchmark.names import Scenario
from benchmark.results import split_origin
from benchmark.seeds import Streams
from benchmark.study import Study


def prepare(study: Study, dataset: str) -> Path:
    """Store a dataset and return its folder, after checking that the study's classes exist in it.

    Raises
    ------
    BadInput
        If the study has no such dataset, its source cannot be read, or a scenario or table names a class it lacks.
    """
    if dataset not in study.datasets:
        raise unknown("dataset", dataset, study.datasets, str(paths.study_file(study.name)))
    folder = study.dataset_folder(dataset)
    with locked(folder.with_name(f".{folder.name}.lock")) as waited:
        # Another workflow may just have prepared it.
        if not waited or not (folder / store.PROVENANCE).is_file():
            sweep(folder)
            store.prepare(dataset, study.datasets[dataset])
    try:
        study.check_classes(dataset, store.facts(folder)["classes"])
    except BadInput:
        # Without this file the folder counts as unprepared, so that no training starts on a study that cannot end.
        (folder / store.PROVENANCE).unlink()
        raise
    return folder


def split(study: Study, dataset: str, scenario: str, trial: int) -> Path:
    """Draw what a scenario forgets, write it and return the file; the dataset has been prepared."""
    if dataset not in study.datasets:
        raise unknown("dataset", dataset, study.datasets, str(paths.study_file(study.name)))
    arrays = store.load(study.dataset_folder(dataset), verify=True)
    rng = Streams(study.seed, (dataset, f"split-{trial}")).numpy("split")
    frame = split_frame(arrays.train_labels, arrays.test_labels, arrays.classes, Scenario(scenario), rng)
    path = paths.split(study.name, dataset, scenario, trial)
    write_split(path, frame, split_origin(study, dataset, scenario, trial))
    return path
