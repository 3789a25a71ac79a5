"""Checks before the first job of what a study file alone does not show: datasets, finished runs and plugins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.data import store
from benchmark.data.arrays import TRAIN_AND_TEST
from benchmark.errors import BadInput, StaleOutput, number_of, unknown
from benchmark.files import read_record
from benchmark.results.predictions import check_files
from benchmark.study.checks import check_batches, check_members, check_prepared
from benchmark.study.prepare import naming_the_file
from benchmark.study.study import Study
from benchmark.workflow.architecture_trial import check_architectures
from benchmark.workflow.plugin_trial import check_audits, check_plugins

FROM_FILES = ("folder", "parquet")  # sources that need a folder


def check_needed(study: Study, planned: Mapping[str, int]) -> None:
    """Check what the planned jobs, counted by rule, need; raise `BadInput` for the first fault."""
    check_audits(study)
    check_images(study, [name for name in study.datasets if planned.get(f"prepare_{name}".replace("-", "_"))])
    if planned.get("run"):
        check_plugins(study)
        check_architectures(study)
        check_files(study)


def check_all(study: Study) -> None:
    """Check datasets, prepared or not, plugins and predictions made elsewhere; raise `BadInput` for the first fault."""
    check_present(study)
    check_unchanged(study)
    folders = {name: study.dataset_folder(name) for name in study.datasets}
    check_images(study, [name for name, folder in folders.items() if not (folder / store.PROVENANCE).is_file()])
    check_audits(study)
    check_plugins(study)
    check_architectures(study)
    check_files(study)
    check_chosen(study)


def check_present(study: Study) -> None:
    """Raise `BadInput` if prepared datasets are not what the study needs, or files stand where its folders belong."""
    for folder in (paths.RESULTS, paths.LOGS, paths.TABLES / study.name, paths.FIGURES / study.name):
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder} is a file: accepted is a folder")
    for dataset in study.datasets:
        folder = study.dataset_folder(dataset)
        # The classes and their order are known once a dataset is prepared, which checks them. While its record is
        # damaged they are not known either: the first job that reads it says so.
        with contextlib.suppress(StaleOutput):
            check_prepared(study, dataset, store.record(folder))
            _check_runs(study, dataset, folder, store.content_digest(folder))


def check_unchanged(study: Study) -> None:
    """Raise `BadInput` if a folder has other classes or images than when it was prepared, by their names and sizes.

    It lists all images, so a workflow calls it once and not in every job.
    """
    for dataset in study.datasets:
        with contextlib.suppress(StaleOutput):  # it is not prepared, or its record is damaged
            _check_folder(study, dataset, store.record(study.dataset_folder(dataset)))


def _check_folder(study: Study, dataset: str, record: dict[str, Any]) -> None:
    settings = study.datasets[dataset]
    # The arrays may come from another source, if `order: content` let both have them, and the folder may be gone.
    came_from = record["origin"].get("source")
    if not settings.source == came_from == "folder" or not Path(str(settings.path)).is_dir():
        return
    from benchmark.data import folder

    root, images = folder.images(dataset, settings)
    found, prepared, classes = folder.counts(images), record["origin"]["images"], record["classes"]
    again = f"'python -m benchmark prepare {study.name} {dataset}' reads it again; another name in the study keeps both"
    where = f"{study.file}: datasets.{dataset}.path: {settings.path}"
    if found != prepared or len(images["train"]) != len(classes):
        now, then = (
            f"{len(of)} classes, {of_split['train']} training and {of_split['test']} test images"
            for of, of_split in ((images["train"], found), (classes, prepared))
        )
        raise BadInput(f"{where} has {now}, and had {then} when it was prepared: {again}")
    if settings.order == "content":  # other names of the same images share what was prepared
        return
    if record["origin"].get("listing") not in (None, folder.listing(root, images)):  # earlier versions have none
        raise BadInput(f"{where}: images were renamed, moved or replaced since it was prepared: {again}")


def _check_runs(study: Study, dataset: str, folder: Path, prepared: str) -> None:
    """Raise `BadInput` if runs were made from other images than are prepared: a table cannot show both."""
    runs = [run.pool_path for run in study.runs() if run.name.dataset == dataset]
    differing = {run: images for run in runs if (images := _stamped(run, "data")) not in (None, prepared)}
    if differing:
        run, images = next(iter(differing.items()))
        raise BadInput(
            f"{folder} holds other images ({prepared}) than {number_of(len(differing), 'finished run')} had, such as "
            f"{paths.run(run)} ({images}): prepare the dataset from those images, or let 'python -m benchmark "
            f"verify {study.name}' set the runs aside, to be made again"
        )


def other_precision(study: Study, here: str) -> str:
    """Say how many finished runs were computed in another precision than ``here``; empty if the study sets one."""
    runs = study.runs() if study.precision == "auto" else []
    stamps = filter(None, (_stamped(run.pool_path, "precision") for run in runs))
    others = [stamp for stamp in stamps if stamp.partition(",")[0] != here]  # a comma precedes "compiled"
    if not others:
        return ""
    return (
        f"finished runs in {' or '.join(sorted(set(others)))}: {len(others)}, and 'precision: auto' is {here} here: if "
        "the study sets 'precision', all its runs have the same, and those made with 'auto' are trained again"
    )


def _stamped(pool_path: str, key: str) -> str | None:
    """Return an entry of the stamp of a finished run, such as the digest of its images; None if it has none."""
    try:
        return str(read_record(paths.run(pool_path) / paths.RUN)["stamp"][key])
    except (OSError, StaleOutput, KeyError, TypeError):
        return None


def check_images(study: Study, datasets: Iterable[str]) -> None:
    """Raise `BadInput` if a dataset is to be read from a folder that does not exist, or lacks files or columns.

    An official dataset has to be one of those that can be downloaded.
    """
    for name in datasets:
        settings = study.datasets[name]
        if settings.source == "official":
            from benchmark.data.official import ARCHIVES

            if name not in ARCHIVES:
                raise unknown("official dataset", name, ARCHIVES, f"{study.file}: datasets")
        if settings.source in FROM_FILES:
            from benchmark.data import folder, parquet

            with naming_the_file(name, study.file):
                if settings.source == "parquet":
                    parquet.check_columns(name, settings)
                    continue
                _, images = folder.images(name, settings)
                if settings.order == "source":
                    check_members(study, name, TRAIN_AND_TEST)
            counts = folder.counts(images)
            for key, split in (("subset", "train"), ("test_subset", "test")):
                if (asked := getattr(settings, key)) and asked > counts[split]:
                    where, there = f"{study.file}: datasets.{name}.{key}", number_of(counts[split], "image")
                    raise BadInput(f"{where}: {asked}: accepted is at most the {there} there")
            count = counts["train"]
            check_batches(study, name, min(count, settings.subset or count))


def check_chosen(study: Study) -> None:
    """Raise `BadInput` if a file that says what is forgotten is not there, though no cell may use it yet."""
    for key, files in (("lists", study.lists), ("memorisation", study.memorisation)):
        for name, file in files.items():
            study.check_file(key, name, Path(file))
