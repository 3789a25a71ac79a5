"""Single forgotten images for the page over all studies: what every method's models say of them, trial by trial."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import StaleOutput
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report.page.maps import images_of
from benchmark.report.page.sprites import sprite
from benchmark.report.style import in_order, method_label
from benchmark.results.frames import Results
from benchmark.results.sample_outputs import CellOutputs, Reader

FARTHEST, RANDOM = 16, 24  # images that lie farthest from Retrain, for each method; and others
EXACT, MOST = 100_000, 300_000  # bytes of a cell's images: see `sprite`


def build(results: Results, cell: Cell, images: bool) -> dict[str, Any] | None:
    """Return a cell's images with predictions and probabilities; None where its runs are not on disk.

    ``groups`` has the places of images by whose models fail on them: see `_groups`. ``said`` has, for each method and
    trial, the predicted class and the probability of the true one, in per cent, of each image; ``forgotten`` in which
    trials each image was forgotten.
    """
    try:
        study = results.study
        known = Reader(study, study.runs(), [cell], results.metrics).outputs(cell)
        classes = results.classes(cell.dataset)
    except StaleOutput:
        return None
    if known is None:
        return None
    groups = _groups(known)
    index = np.unique(np.concatenate(list(groups.values())))
    said = []
    for name in in_order(known.methods):
        mine = known.methods[name]
        probability = 100 / (1 + np.exp(-mine.margin[:, index].clip(-50, 50)))
        rows = zip(mine.prediction[:, index].tolist(), np.round(probability, 1).tolist(), strict=True)
        trials = dict(zip(map(int, mine.trials), rows, strict=True))
        said.append({"name": name, "label": method_label(name), "trials": trials})
    pictures = images_of(results, cell.dataset, index, partial=True) if images else None
    return {
        "classes": classes,
        "index": index.tolist(),
        "groups": {name: np.searchsorted(index, chosen).tolist() for name, chosen in groups.items()},
        "labels": known.label[index].tolist(),
        "trials": [int(trial) for trial in known.given.trials],
        "forgotten": known.given.forgotten[:, index].tolist(),
        "said": said,
        "sprite": None if pictures is None else sprite(pictures, MOST, EXACT),
    }


def _groups(known: CellOutputs) -> dict[str, npt.NDArray[np.int64]]:
    """Return the images that are shown: those that lie farthest from Retrain by all methods, by each, and some others.

    A method's models fail on an image whose margin lies far from its Retrain's, in the trials that forgot it.
    """
    retrain, forgotten = known.methods[RETRAIN], known.given.forgotten
    row = {int(trial): number for number, trial in enumerate(retrain.trials)}
    gone = np.flatnonzero(forgotten.any(axis=0))
    apart = {}
    for name in in_order(known.methods.keys() - {RETRAIN, ORIGINAL}):
        mine = known.methods[name]
        rows = [row[int(trial)] for trial in mine.trials]
        far = np.where(forgotten[rows], np.abs(mine.margin - retrain.margin[rows]), np.nan)[:, gone]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # none of the method's trials forgot the image
            apart[name] = np.nan_to_num(np.nanmean(far, axis=0))
    ranked = {"": np.mean(list(apart.values()), axis=0), **apart}
    groups = {name: gone[np.argsort(-far, kind="stable")[:FARTHEST]] for name, far in ranked.items()}
    others = np.setdiff1d(gone, np.concatenate(list(groups.values())))
    random = np.random.default_rng(0).choice(others, min(RANDOM, len(others)), replace=False)
    return groups | ({"random": np.sort(random)} if len(random) else {})
