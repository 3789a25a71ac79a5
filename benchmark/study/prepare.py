"""What precedes training: a study's datasets as arrays, and what each scenario forgets."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmark import paths
from benchmark.data import splits, store
from benchmark.data.arrays import Arrays
from benchmark.data.splits import split_frame
from benchmark.errors import BadInput, StaleOutput, unknown
from benchmark.files import locked, sweep, write_parquet
from benchmark.names import Scenario
from benchmark.seeds import Streams
from benchmark.study.checks import check_prepared
from benchmark.study.reading import place_of
from benchmark.study.runs import Run
from benchmark.study.study import Study


def prepare(study: Study, dataset: str) -> Path:
    """Store a dataset and return its folder; raise `BadInput` if it cannot be read, or is not what the study needs."""
    if dataset not in study.datasets:
        raise unknown("dataset", dataset, study.datasets, study.file)
    folder = study.dataset_folder(dataset)
    with locked(folder.with_name(f".{folder.name}.lock")) as waited:
        # Another process may just have prepared it.
        if not waited or not _is_whole(folder):
            sweep(folder)
            with naming_the_file(dataset, study.file):
                store.prepare(dataset, study.datasets[dataset])
    # On a fault the folder stays, since other studies may use it, but no job of this study starts.
    check_prepared(study, dataset, store.record(folder))
    return folder


@contextlib.contextmanager
def naming_the_file(dataset: str, study_file: str) -> Iterator[None]:
    """Let a `BadInput` about a setting of a dataset begin with the file that it stands in."""
    try:
        yield
    except BadInput as error:
        if type(error) is not BadInput:
            raise
        key = re.search(rf"datasets\.{re.escape(dataset)}\.(\w+)", str(error))
        place = place_of(dataset, key[1] if key else "path", study_file)
        raise BadInput(str(error).replace(f"datasets.{dataset}", place, 1)) from None


def _is_whole(folder: Path) -> bool:
    try:
        store.load(folder, verify=True)
    except StaleOutput:
        return False
    return True


def load(study: Study, dataset: str) -> Arrays:
    """Return a prepared dataset after comparing every file with its digest; raise as `benchmark.data.store.load`."""
    return store.load(study.dataset_folder(dataset), verify=True)


def split(study: Study, dataset: str, scenario: str, trial: int) -> Path:
    """Draw what a scenario forgets of a prepared dataset, write it and return the file.

    The file also has the images' digest, the names of the classes, and how many images have an exact copy on another
    side, so that results can be read without the images.
    """
    draw = study.split(dataset, scenario, trial)
    draws = study.trials if "split" in study.resample else 1
    if not 0 <= trial < draws:
        shared = ", whose draw all trials share (resample names no 'split')" * ("split" not in study.resample)
        accepted = f"0{f' to {draws - 1}' * (draws > 1)}{shared}"
        raise BadInput(f"{study.file}: trial {trial} of {dataset}/{scenario}: accepted is {accepted}")
    arrays = load(study, dataset)
    file = study.chosen_by(dataset, Scenario(scenario))
    chosen = splits.chosen_by(file[0], Scenario(scenario), len(arrays.train_labels)) if file else None
    labels, count = (arrays.train_labels, arrays.test_labels), len(arrays.train_labels)
    rng = _split_stream(study, dataset, trial)
    train_groups, test_groups = splits.equal_images(arrays.train_images, arrays.test_images)
    groups = train_groups if study.keep_twins else None
    frame = split_frame(*labels, arrays.classes, Scenario(scenario), rng, study.hold_out, chosen, groups)
    forgotten = splits.forgotten(frame)
    if len(splits.forgotten(frame, "test")) == len(arrays.test_labels):
        fault = f"{study.file}: scenario {scenario!r} of {dataset}: all test images are of its class"
        raise BadInput(f"{fault}: accepted is a class that leaves some")
    unseen = splits.held_out(count, study.hold_out, _split_stream(study, dataset, trial))
    copies = splits.twins(train_groups, test_groups, forgotten, np.setdiff1d(np.arange(count), [*forgotten, *unseen]))
    facts = {"images": store.content_digest(study.dataset_folder(dataset)), "classes": arrays.classes, **copies}
    path = paths.split(draw.pool_path)
    write_parquet(path, frame, draw.origin | facts)
    pairs = zip(("forgotten and retained", "forgotten and test", "retained and test"), copies.values(), strict=True)
    print("exact copies among", ", ".join(f"{pair}: {number}" for pair, number in pairs), file=sys.stderr)
    return path


def held_out(study: Study, run: Run, count: int) -> npt.NDArray[np.int64]:
    """Return the sorted indices of those of ``count`` training samples that the trial of a run never trains on."""
    return splits.held_out(count, study.hold_out, _split_stream(study, run.name.dataset, run.split_trial))


def _split_stream(study: Study, dataset: str, trial: int) -> np.random.Generator:
    """Return the stream whose first permutation decides which samples are forgotten and which are held out."""
    return Streams(study.seed, (dataset, f"split-{trial}")).numpy("split")
