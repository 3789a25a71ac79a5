"""Single forgotten images for the page over all studies: what every method's models say of them, trial by trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.data import store
from benchmark.errors import StaleOutput
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report.page.sprites import sprite
from benchmark.report.style import in_order, method_label
from benchmark.results.frames import Results
from benchmark.results.sample_outputs import CellOutputs, Reader

FARTHEST, RANDOM = 24, 24  # images on which methods differ most from Retrain, and others
EXACT, MOST = 60_000, 200_000  # bytes of a cell's images: see `sprite`


def build(results: Results, cell: Cell, images: bool) -> dict[str, Any] | None:
    """Return a cell's images with predictions and probabilities; None where its runs are not on disk.

    ``said`` has, for each method and trial, the predicted class and the probability of the true one, in per cent, of
    each image; ``forgotten`` in which trials each image was forgotten.
    """
    try:
        study = results.study
        known = Reader(study, study.runs(), [cell], results.metrics).outputs(cell)
        classes = results.classes(cell.dataset)
    except StaleOutput:
        return None
    if known is None:
        return None
    index, far = _chosen(known)
    said = []
    for name in in_order(list(known.methods)):
        mine = known.methods[name]
        probability = 100 / (1 + np.exp(-mine.margin[:, index].clip(-50, 50)))
        rows = zip(mine.prediction[:, index].tolist(), np.round(probability, 1).tolist(), strict=True)
        said.append(
            {"name": name, "label": method_label(name), "trials": dict(zip(map(int, mine.trials), rows, strict=True))}
        )
    return {
        "classes": classes,
        "index": index.tolist(),
        "far": far,
        "labels": known.label[index].tolist(),
        "trials": [int(trial) for trial in known.given.trials],
        "forgotten": known.given.forgotten[:, index].tolist(),
        "said": said,
        "sprite": _pictures(results, cell, index) if images else None,
    }


def _chosen(known: CellOutputs) -> tuple[npt.NDArray[np.int64], int]:
    """Return the images that are shown, and how many of them, the first, are those that lie farthest from Retrain."""
    retrain, forgotten = known.methods[RETRAIN], known.given.forgotten
    apart = np.zeros(forgotten.shape)
    rows = {int(trial): row for row, trial in enumerate(retrain.trials)}
    for name, mine in known.methods.items():
        if name not in (RETRAIN, ORIGINAL):
            for trial, margin in zip(mine.trials, mine.margin, strict=True):
                apart[rows[int(trial)]] += np.abs(margin - retrain.margin[rows[int(trial)]])
    gone = np.flatnonzero(forgotten.any(axis=0))
    mean = (apart * forgotten).sum(axis=0)[gone] / forgotten.sum(axis=0)[gone]
    far = gone[np.argsort(-mean, kind="stable")[:FARTHEST]]
    rest = np.setdiff1d(gone, far)
    others = np.random.default_rng(0).choice(rest, min(RANDOM, len(rest)), replace=False)
    return np.concatenate([far, np.sort(others)]), len(far)


def _pictures(results: Results, cell: Cell, index: npt.NDArray[np.int64]) -> dict[str, Any] | None:
    try:
        arrays = store.load(results.study.dataset_folder(cell.dataset))
    except StaleOutput:
        return None
    return sprite(np.asarray(arrays.train_images[index]), MOST, EXACT)
