"""Single forget images for the page over all studies, with every method's predictions by trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import StaleOutput
from benchmark.metrics.samplewise.resampling import nan_mean
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report.page.maps import images_of
from benchmark.report.page.sprites import sprite
from benchmark.report.style import in_order, method_label
from benchmark.results.frames import Results
from benchmark.results.sample_outputs import CellOutputs, OutputsReader

FARTHEST, RANDOM = 16, 24  # images farthest from Retrain per method, and random others
EXACT, MOST = 100_000, 300_000  # bytes of a cell's images: see `sprite`


def build(results: Results, cell: Cell, images: bool) -> dict[str, Any] | None:
    """Return a cell's images with predictions and probabilities; None if its runs are not on disk.

    ``groups`` holds positions of images by the method that fails on them: see `_groups`. ``predictions`` holds, for
    each method and trial, each image's predicted class and its true class's probability in per cent; ``forgotten``, the
    trials in which each image was forgotten.
    """
    try:
        study = results.study
        outputs = OutputsReader(study, study.runs(), [cell], results.metrics).outputs(cell)
        classes = results.classes(cell.dataset)
    except StaleOutput:
        return None
    if outputs is None:
        return None
    groups = _groups(outputs)
    index = np.unique(np.concatenate(list(groups.values())))
    predictions = []
    for name in in_order(outputs.methods):
        output = outputs.methods[name]
        probability = 100 / (1 + np.exp(-output.margin[:, index].clip(-50, 50)))
        rows = zip(output.prediction[:, index].tolist(), np.round(probability, 1).tolist(), strict=True)
        trials = dict(zip(map(int, output.trials), rows, strict=True))
        predictions.append({"name": name, "label": method_label(name), "trials": trials})
    pictures = images_of(results, cell.dataset, index, partial=True) if images else None
    return {
        "classes": classes,
        "index": index.tolist(),
        "groups": {name: np.searchsorted(index, group).tolist() for name, group in groups.items()},
        "labels": outputs.label[index].tolist(),
        "trials": [int(trial) for trial in outputs.forgetting.trials],
        "forgotten": outputs.forgetting.forgotten[:, index].tolist(),
        "predictions": predictions,
        "sprite": None if pictures is None else sprite(pictures, MOST, EXACT),
    }


def _groups(outputs: CellOutputs) -> dict[str, npt.NDArray[np.int64]]:
    """Return the images to show: those farthest from Retrain over all methods, for each method, and random others.

    Distance is between an image's margins under a method and under Retrain, in the trials that forgot the image.
    """
    retrain, forgotten = outputs.methods[RETRAIN], outputs.forgetting.forgotten
    row = {int(trial): number for number, trial in enumerate(retrain.trials)}
    forget = np.flatnonzero(forgotten.any(axis=0))
    distances = {}
    for name in in_order(outputs.methods.keys() - {RETRAIN, ORIGINAL}):
        output = outputs.methods[name]
        rows = [row[int(trial)] for trial in output.trials]
        distance = np.where(forgotten[rows], np.abs(output.margin - retrain.margin[rows]), np.nan)[:, forget]
        distances[name] = np.nan_to_num(nan_mean(distance))  # 0 if none of the method's trials forgot the image
    ranked = {"": np.mean(list(distances.values()), axis=0), **distances}
    groups = {name: forget[np.argsort(-values, kind="stable")[:FARTHEST]] for name, values in ranked.items()}
    others = np.setdiff1d(forget, np.concatenate(list(groups.values())))
    random = np.random.default_rng(0).choice(others, min(RANDOM, len(others)), replace=False)
    return groups | ({"random": np.sort(random)} if len(random) else {})
