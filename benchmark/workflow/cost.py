"""The cost of a study before it is run: each method's steps are taken with a stand-in for model and images.

How many images pass through the model, and how often, does not depend on the model or the images.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmark.data import store
from benchmark.data.splits import chosen_by, share
from benchmark.errors import BadInput, StaleOutput, number_of
from benchmark.methods.base import Context, Meter, Method, units_of
from benchmark.metrics.arithmetic import epoch_slips
from benchmark.metrics.gaps import Floats
from benchmark.metrics.reported import reported_means
from benchmark.models import forward_flops
from benchmark.models.classifier import Classifier
from benchmark.names import CELL_KEYS, Cell, Scenario
from benchmark.results.records import is_there
from benchmark.seeds import Streams
from benchmark.study.kinds import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.runs import Derived, Run
from benchmark.study.study import Study
from benchmark.study.tuning import TUNING, can_be_tuned

# Training images, test images, classes and image shape of the official datasets.
OFFICIAL = {
    "cifar10": (50_000, 10_000, 10, (3, 32, 32)),
    "cifar100": (50_000, 10_000, 100, (3, 32, 32)),
    "tinyimagenet": (100_000, 10_000, 200, (3, 64, 64)),
}
Shape = tuple[int, int, int]
MANY_IMAGES = 10**8  # through a network in training: days of a processor


def cost(study: Study, teraflops: float) -> pd.DataFrame:
    """Return the cost of each table and figure, and of the whole study.

    Columns: ``output``; ``runs`` that it needs, Original and Retrain included; ``pflops`` by the paper's counting;
    ``pflops_executed``, which includes evaluation; ``hours`` of a card that sustains so many ``teraflops``. Outputs
    share runs: the row ``all`` is less than the sum. The row ``tune`` is a whole search for hyperparameters, which
    ``all`` does not include. What is made from the weights of runs, such as maps, is executed but not counted by the
    paper. Predictions made elsewhere cost nothing here.
    """
    costs_of = {run.pool_path: run_cost(study, run) for run in study.runs()}
    costs_of |= {file.pool_path: (0.0, derived_cost(study, file)) for file in study.derived}
    rows = []
    for name in [*study.tables, *study.figures, "all"]:
        needs_all = name == "all" or study.kind_of(name).from_gathered  # such a table is made from all runs
        runs = study.runs(None if needs_all else [name])
        derived = study.derived if needs_all else study.derived_of(name)
        costs = [costs_of[run.pool_path] for run in runs] + [costs_of[file.pool_path] for file in derived]
        rows.append((name, len(runs), *np.nansum(np.reshape(costs, (-1, 2)), axis=0)))
    if can_be_tuned(study):
        rows.append(("tune", *_tuning_cost(study)))
    table = pd.DataFrame(rows, columns=["output", "runs", "pflops", "pflops_executed"])
    return table.assign(hours=table["pflops_executed"] * 1e3 / teraflops / 3600)


def without_gpu(study: Study) -> str:
    """Say how many images the runs that are left will be trained on, if they are many for processors; else nothing.

    Nothing is said either while the size of a dataset is unknown.
    """
    left = [run for run in study.runs() if not is_there(run)]
    with contextlib.suppress(BadInput):
        images = sum(run.settings.epochs * _size(study, run.name.dataset)[0] for run in left)
        if images > MANY_IMAGES:
            return (
                f"no GPU is used, and the {number_of(len(left), 'run')} left pass {images / 1e6:,.0f} million images "
                f"through their networks: 'python -m benchmark cost {study.name}' says what that takes; "
                "--resources gpu=N insists on GPUs, and BENCHMARK_DEVICE=cpu silences this warning"
            )
    return ""


def _tuning_cost(study: Study) -> tuple[int, float, float]:
    """Return runs and PFLOPs of a whole search: its candidates, their Originals and their Retrains."""
    tuning = Study.load(study.name + TUNING)
    counts = [study.tune.budget if run.original else 1 for run in tuning.runs()]
    costs = np.array([run_cost(tuning, run) for run in tuning.runs()]) * np.array(counts)[:, None]
    paper, executed = map(float, costs.sum(axis=0))
    return sum(counts), paper, executed


def run_cost(study: Study, run: Run) -> tuple[float, float]:
    """Return a run's PFLOPs: by the paper's counting, and as executed with its evaluations."""
    name = run.name
    train, test, classes, shape = _size(study, name.dataset)
    flops = forward_flops(name.arch, classes, shape)
    values = run.settings.model_dump_json(by_alias=True)
    removed = _removed(study, name.dataset, name.scenario, train, classes)
    cumulative, held_out = study.sequential.forget == "all", share(train, study.hold_out)
    paper, executed = _counted(run.method, values, removed, cumulative, train, classes, held_out)
    # Each row of the history is one pass over all images, and the last one of a stage its samples.
    stages = len(removed) - 1
    evaluations = stages * max(1, -(-(run.settings.epochs // stages) // run.settings.evaluate_every))
    return paper * flops / 1e15, (executed + evaluations * (train + test)) * flops / 1e15


def derived_cost(study: Study, file: Derived) -> float:
    """Return the PFLOPs of a file made from a run's weights: the images that pass through the model to make it."""
    name = file.run.name
    train, _, classes, shape = _size(study, name.dataset)
    sample, training = min(study.map_samples, train), study.relearning
    if file.kind == RELEARNING:  # trained on full batches, and evaluated on the forgotten images in between
        forgotten = _removed(study, name.dataset, file.scenario, train, classes)[-1]
        images = 3 * training.steps * training.batch_size + (1 - (-training.steps // training.every)) * forgotten
    else:
        images = {MAPS: sample, DISTANCES: train, VIEWS: sample * (2 * study.view_pairs + 2)}[file.kind]
    return images * forward_flops(name.arch, classes, shape) / 1e15


def against_reported(study: Study) -> pd.DataFrame:
    """Compare our counting with the costs that the paper prints, at whole numbers of epochs.

    Each printed row whose cost implies a number of epochs is counted again on our own models, with the method's own
    steps, at the nearest whole number of epochs. Columns: ``table, dataset, arch, scenario, method, epochs, printed,
    counted`` (PFLOPs), ``difference`` in per cent, and ``note``, which names the rows that imply no whole number of
    epochs.
    """
    keys = ["table", *CELL_KEYS, "method"]
    odd = {tuple(row[key] for key in keys) for row in epoch_slips()}
    table = reported_means().dropna(subset="implied_epochs")
    rows = []
    if absent := sorted({*table["dataset"]} - study.datasets.keys()):
        raise BadInput(f"{study.file}: datasets: no {', '.join(absent)}: accepted is a study of the paper's cells")
    for row in table.itertuples():
        run = study.run(study.run_name(Cell(row.dataset, row.arch, row.scenario), row.method, 0))
        epochs = round(row.implied_epochs)
        counted, _ = run_cost(study, replace(run, settings=run.settings.model_copy(update={"epochs": epochs})))
        slip = f"the printed cost implies {row.implied_epochs:.1f} epochs"
        note = slip if tuple(getattr(row, key) for key in keys) in odd else ""
        rows.append((epochs, row.pflops, counted, 100 * (counted / row.pflops - 1), note))
    columns = ["epochs", "printed", "counted", "difference", "note"]
    return table[keys].reset_index(drop=True).join(pd.DataFrame(rows, columns=columns))


@cache
def _counted(
    method: Any, settings: str, removed: tuple[int, ...], cumulative: bool, train: int, classes: int, held_out: int
) -> tuple[float, float]:
    """Count how many images pass through the model once, by the paper's counting and as executed.

    A run's steps are taken stage by stage; its trials share the count. If ``cumulative``, a stage also forgets what
    earlier ones have removed.
    """
    recipe = method.Settings.model_validate_json(settings)
    recipe = recipe.model_copy(update={"epochs": recipe.epochs // (len(removed) - 1)})
    total = np.zeros(2)
    for before, after in itertools.pairwise(removed):
        forget = after if cumulative else after - before
        started = method(recipe, stand_in_context(after, forget, train, classes, held_out))
        with torch.no_grad():
            started.prepare(_stand_in(classes))
        meter = started.context.meter
        total += (meter.paper, meter.executed)
        if recipe.epochs:
            total += _epochs(cache(partial(_epoch, started)), 0, recipe.epochs - 1)
    return float(total[0]), float(total[1])


def _epochs(count: Callable[[int], tuple[float, float]], first: int, last: int) -> Floats:
    """Add up the epochs from first to last: if these and the middle one cost the same, so do all in between.

    The epochs of few methods differ, and those change once, as SCRUB's do.
    """
    middle = (first + last) // 2
    if last - first < 2 or count(first) == count(middle) == count(last):
        return (last - first + 1) * np.mean([count(first), count(last)], axis=0)
    return _epochs(count, first, middle) + _epochs(count, middle + 1, last)


def _epoch(started: Method, epoch: int) -> tuple[float, float]:
    meter = Meter()
    for batch in started.batches(epoch):
        for part, samples in batch.items():
            meter.count(len(samples.index), *units_of(started, part), started.settings.batch_size)
    return meter.paper, meter.executed


def _stand_in(classes: int) -> nn.Module:
    return Classifier(nn.Flatten(), nn.Linear(1, classes))


def stand_in_context(removed: int, forget: int, train: int, classes: int, held_out: int = 0) -> Context:
    """Return the context of a stage that forgets ``forget`` images, with ``removed`` ones removed in all by its end."""
    everything = torch.arange(train)
    return Context(
        labels=everything % classes,
        retain=everything[removed : train - held_out],
        forget=everything[:forget],
        classes=classes,
        streams=Streams(0, ("cost",)),
        load=lambda part, generator: torch.zeros(len(part.index), 1, 1, 1),
        fresh=lambda purpose: _stand_in(classes),
    )


def _removed(study: Study, dataset: str, name: str, train: int, classes: int) -> tuple[int, ...]:
    """Return how many images have been removed before the first stage of a scenario, and by the end of each.

    Original, which has no scenario, is trained in one stage and forgets none.
    """
    if not name:
        return 0, 0
    scenario = Scenario(name)
    if scenario.list_name and (file := study.chosen_by(dataset, scenario)):
        return 0, len(chosen_by(file[0], scenario, train))
    if scenario.class_name:  # assumed to have an even share of the images
        return 0, round(train / classes)
    return tuple(share(train, stage * scenario.percent) for stage in range(scenario.stages + 1))


def _size(study: Study, dataset: str) -> tuple[int, int, int, Shape]:
    """Return the number of training images, test images and classes of a dataset, and its image shape."""
    settings = study.datasets[dataset]
    try:
        arrays = store.load(study.dataset_folder(dataset))
        return len(arrays.train_labels), len(arrays.test_labels), len(arrays.classes), arrays.image_shape
    except StaleOutput:
        complete = settings.source == "official" and not (settings.subset or settings.test_subset or settings.size)
        if not complete or dataset not in OFFICIAL:
            raise BadInput(
                f"dataset {dataset!r} has not been prepared, so its size is unknown: run "
                f"'python -m benchmark prepare {study.name} {dataset}' first"
            ) from None
    return OFFICIAL[dataset]
