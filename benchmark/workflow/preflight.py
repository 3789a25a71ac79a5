"""Checks before the first job of what a study file alone does not show: datasets, finished runs and plugins."""

from __future__ import annotations

import contextlib
import inspect
import math
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, IncompletePlugin, StaleOutput, unknown
from benchmark.files import read_record
from benchmark.methods.base import Batch, Method, Output, Part, check_positions, units_of
from benchmark.names import MethodName
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS
from benchmark.results.predictions import check_files
from benchmark.study.checks import PIXELS, check_batches, check_prepared
from benchmark.study.reading import place_of
from benchmark.study.runs import Run
from benchmark.study.study import Study

FROM_FILES = ("folder", "parquet")  # sources that need a folder
# Of the stand-in on which plugins are tried: training images, those to forget, classes, the side of an image in pixels.
SAMPLES, FORGET, CLASSES, SIDE = 640, 64, 10, 32


def check_needed(study: Study, planned: Mapping[str, int]) -> None:
    """Check what the planned jobs, counted by rule, need; raise `BadInput` for the first fault."""
    check_audits(study)
    check_images(study, [name for name in study.datasets if planned.get(f"prepare_{name}".replace("-", "_"))])
    if planned.get("run"):
        check_plugins(study)
        check_files(study)


def check_all(study: Study) -> None:
    """Check datasets, prepared or not, plugins and predictions made elsewhere; raise `BadInput` for the first fault."""
    check_present(study)
    check_unchanged(study)
    folders = {name: study.dataset_folder(name) for name in study.datasets}
    check_images(study, [name for name, folder in folders.items() if not (folder / store.PROVENANCE).is_file()])
    check_audits(study)
    check_plugins(study)
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
    """Raise `BadInput` if a folder has another number of classes or images than when it was prepared.

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

    _, images = folder.images(dataset, settings)
    found = {split: sum(map(len, files.values())) for split, files in images.items()}
    prepared, classes = record["origin"]["images"], record["classes"]
    if found != prepared or len(images["train"]) != len(classes):
        now, then = (
            f"{len(of)} classes, {counts['train']} training and {counts['test']} test images"
            for of, counts in ((images["train"], found), (classes, prepared))
        )
        raise BadInput(
            f"{study.file}: datasets.{dataset}.path: {settings.path} has {now}, and had {then} when it was prepared: "
            f"'python -m benchmark prepare {study.name} {dataset}' reads it again; another name in the study keeps both"
        )


def _check_runs(study: Study, dataset: str, folder: Path, prepared: str) -> None:
    """Raise `BadInput` if runs were made from other images than are prepared: a table cannot show both."""
    runs = [run.pool_path for run in study.runs() if run.name.dataset == dataset]
    differing = {run: images for run in runs if (images := _stamped(run, "data")) not in (None, prepared)}
    if differing:
        run, images = next(iter(differing.items()))
        raise BadInput(
            f"{folder} holds other images ({prepared}) than {len(differing)} finished runs were made from, such as "
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
    """Raise `BadInput` if a dataset is to be read from a folder that does not exist, or lacks files of a split.

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

            try:
                if settings.source == "parquet":
                    parquet.shards(name, settings)
                    continue
                _, images = folder.images(name, settings)
            except BadInput as error:
                place = place_of(name, "path", study.file)
                raise BadInput(str(error).replace(f"datasets.{name}", place, 1)) from None
            count = sum(map(len, images["train"].values()))
            check_batches(study, name, min(count, settings.subset or count))


def check_audits(study: Study) -> None:
    """Raise `BadInput` for an own audit that cannot be imported, or does not take one run's samples."""
    for audit in study.audits:
        where = f"{study.file}: audits"
        _check_call(f"{where}: audit {audit!r}", OWN_AUDITS.get(audit, where), "samples")


def check_chosen(study: Study) -> None:
    """Raise `BadInput` if a file that says what is forgotten is not there, though no cell may use it yet."""
    for key, files in (("lists", study.lists), ("memorisation", study.memorisation)):
        for name, file in files.items():
            study.check_file(key, name, Path(file))


def _check_call(what: str, function: Any, *parameters: str) -> None:
    """Raise `IncompletePlugin` for what cannot be called with so many values."""
    accepted = f"accepted is a function of ({', '.join(parameters)})"
    if not callable(function):
        raise IncompletePlugin(f"{what} is {function!r}: {accepted}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # as of some functions in C
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        raise IncompletePlugin(f"{what} is {getattr(function, '__name__', function)}{signature}: {accepted}") from None


def check_plugins(study: Study) -> None:
    """Raise `BadInput` if a plugin's method or architecture lacks what its first step would miss.

    Each is tried on a stand-in, for which it was not made: any other error there is ignored.
    """
    runs = {MethodName.parse(run.name.method).base: run for run in study.runs()}
    for base, run in runs.items():
        if METHODS.code(base):
            with _only_missing_parts(f"{study.file}: plugins: {base!r}"):
                first_steps(run, SAMPLES * study.hold_out // 100)
    for arch, dataset in dict.fromkeys((run.name.arch, run.name.dataset) for run in study.runs()):
        if ARCHITECTURES.code(arch):
            where = f"{study.file}: plugins"
            make = ARCHITECTURES.get(arch, where)
            _check_call(f"{where}: architecture {arch!r}", make, "classes", "image_shape")
            with _only_missing_parts(where):
                _first_outputs(arch, *_classes_and_shape(study, dataset))


@contextlib.contextmanager
def _only_missing_parts(where: str) -> Iterator[None]:
    try:
        yield
    except IncompletePlugin as error:
        raise BadInput(f"{where}: {error}") from None
    except Exception:
        return


def first_steps(run: Run, held_out: int = 0) -> None:
    """Do the first step of a run's method on a stand-in of `SAMPLES` images, the last ``held_out`` of them held out.

    Raises `IncompletePlugin` for steps or a loss that no training could use, and whatever the method raises.
    """
    import torch

    from benchmark.workflow.cost import stand_in_context

    context = stand_in_context(FORGET, FORGET, SAMPLES, CLASSES, held_out)
    method, model = run.method(run.settings, context), context.fresh("stand-in")
    batches = _steps(method)
    with torch.no_grad():
        method.prepare(model)
    if not batches:  # like SSD, it trains nothing
        return
    generator, outputs = torch.Generator(), _Outputs()
    for name, part in batches[0].items():
        images = context.load(part, generator)
        outputs[name] = Output(images, *model(images))
    loss = method.loss(outputs, batches[0], 0)
    if not isinstance(loss, torch.Tensor) or loss.ndim:
        given = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else repr(loss)
        raise IncompletePlugin(f"method {type(method).__name__}: loss returns {given}: accepted is a scalar tensor")
    if not loss.requires_grad:
        accepted = "accepted is one that follows from a part's features or logits, and from weights that are not frozen"
        raise IncompletePlugin(f"method {type(method).__name__}: loss returns a tensor without a gradient: {accepted}")


def _steps(method: Method) -> list[Batch]:
    """Return the steps of the first epoch; raise `IncompletePlugin` for what is no step, or a cost that is none."""
    import torch

    steps, where = method.batches(0), f"method {type(method).__name__}"
    if not isinstance(steps, list) or not all(isinstance(step, dict) and step for step in steps):
        accepted = "accepted is a list of steps, each a mapping from the names of its parts to them"
        raise IncompletePlugin(f"{where}: batches returns {reprlib.repr(steps)}: {accepted}")
    for name, part in (item for step in steps for item in step.items()):
        if (
            not isinstance(part, Part)
            or not all(isinstance(values, torch.Tensor) for values in (part.index, part.label))
            or not part.index.shape == part.label.shape == (len(part.index),)
        ):
            accepted = "accepted is a benchmark.methods.base.Part of two tensors, with as many labels as positions"
            raise IncompletePlugin(f"{where}: batches gives the part {name!r} as {reprlib.repr(part)}: {accepted}")
        for units in units_of(method, name):
            if not isinstance(units, Real) or not 0 <= units < math.inf:
                accepted = "accepted is a number of forward passes, at least 0"
                raise IncompletePlugin(f"{where}: an image of the part {name!r} costs {units!r}: {accepted}")
    check_positions(method, steps)
    return steps


def _classes_and_shape(study: Study, dataset: str) -> tuple[int, tuple[int, int, int]]:
    """Return the number of classes and the shape of an image; a stand-in's where the dataset is not prepared."""
    settings = study.datasets[dataset]
    with contextlib.suppress(StaleOutput):
        record = store.record(study.dataset_folder(dataset))
        _, height, width, channels = record["shapes"]["train_images"]
        return len(record["classes"]), (channels, height, width)
    side = settings.size or PIXELS.get(settings.source, SIDE)
    return len(settings.classes or range(CLASSES)), (len(settings.augmentation.mean), side, side)


def _first_outputs(arch: str, classes: int, shape: tuple[int, int, int]) -> None:
    """Build an architecture and look at the shape of what it returns, without computing anything."""
    import torch

    from benchmark.models import build

    with torch.device("meta"), torch.no_grad():
        _, logits = build(arch, classes, shape).eval()(torch.zeros(2, *shape))
    if tuple(logits.shape) != (2, classes):
        given = f"logits of shape {tuple(logits.shape)} for 2 images and {classes} classes"
        raise IncompletePlugin(f"architecture {arch!r} gives {given}: accepted is {(2, classes)}")


class _Outputs(dict[str, Output]):
    """The outputs of a step's parts; raises `IncompletePlugin` for a part that the step lacks."""

    def __missing__(self, part: str) -> Output:
        raise IncompletePlugin(f"loss uses the outputs of {part!r}: accepted is a part of its step, {', '.join(self)}")
