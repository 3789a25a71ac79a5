"""Forget splits: the samples that a scenario forgets, and the file that lists them.

A split file has one row per forgotten sample, columns ``split`` (train, test or held-out), ``index`` (into the stored
arrays) and ``stage`` (the removal, from 1, that forgets it; 1 unless the scenario is sequential). Training rows are the
forget data. The others exist only where a class is forgotten: test samples, and training samples that the trial
holds out, which no metric counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmark.data.arrays import Labels, Pixels
from benchmark.errors import BadInput, DamagedFile, unknown
from benchmark.files import read_parquet
from benchmark.names import SPLITS, Scenario

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["split", "index", "stage"]
Indices = Labels  # int64 as well


def split_frame(
    train_labels: Indices,
    test_labels: Indices,
    classes: Sequence[str],
    scenario: Scenario,
    rng: np.random.Generator,
    hold_out: int = 0,
    chosen: Indices | None = None,
    groups: Indices | None = None,
) -> pd.DataFrame:
    """Return the rows of a split file. Labels are indices into ``classes``.

    ``random-<p>`` takes the first p % (rounded half up) of one permutation of the training set, so that with the same
    stream of ``rng``, of which nothing may have been drawn before, random-10 lies inside random-50, and stage k of
    ``sequential-<s>x<p>`` is ``random-<k*p>``. The last ``hold_out`` % of that permutation are held out, and so not
    forgotten either. ``chosen`` are the samples that a file names, for scenarios that need one. With ``groups``, the
    numbers of `equal_images`, copies of a forgotten training sample are forgotten too, unless a class is forgotten.

    Raises `BadInput` if the class does not exist, or if nothing would be forgotten or nothing retained.
    """
    import pandas as pd

    test = left_out = np.zeros(0, dtype=np.int64)
    order = rng.permutation(len(train_labels))
    held = _last(order, hold_out)
    if scenario.kind == "class":
        if scenario.class_name not in classes:
            raise unknown("class", scenario.class_name, classes, f"scenario {scenario.name!r}")
        label = list(classes).index(str(scenario.class_name))
        ends = [np.setdiff1d(np.flatnonzero(train_labels == label), held)]
        left_out = held[train_labels[held] == label]
        test = np.flatnonzero(test_labels == label)
    elif chosen is not None:
        ends = [np.setdiff1d(chosen, held)]
    else:
        percents = [scenario.percent * stage for stage in range(1, scenario.stages + 1)]
        ends = [np.sort(order[: share(len(order), percent)]) for percent in percents]
    if groups is not None and scenario.kind != "class":
        ends = [np.setdiff1d(np.flatnonzero(np.isin(groups, groups[end])), held) for end in ends]
    stages = [np.setdiff1d(end, before) for before, end in zip([test[:0], *ends], ends, strict=False)]
    if any(len(stage) == 0 for stage in stages):
        at_stage = " at some stage" * (scenario.stages > 1)
        raise BadInput(f"scenario {scenario.name!r} forgets none of {len(train_labels)} training samples{at_stage}")
    if len(ends[-1]) + len(held) >= len(train_labels):
        excess = f"all {len(train_labels)} training samples" + (f" but {len(held)} held out" if len(held) else "")
        raise BadInput(f"scenario {scenario.name!r} forgets {excess}: none is retained")
    split = np.repeat(SPLITS, [len(ends[-1]), len(test), len(left_out)])
    index = np.concatenate([*stages, test, left_out])
    stage = np.repeat([*range(1, len(stages) + 1), 1], [*map(len, stages), len(test) + len(left_out)])
    return pd.DataFrame({"split": split, "index": index.astype(np.int64), "stage": stage.astype(np.int64)})


def chosen_by(path: Path, scenario: Scenario, count: int) -> Indices:
    """Return the sorted indices of those of ``count`` training samples that a file chooses to be forgotten.

    For ``listed-<name>`` the file has an index a line. For ``memorised-<p>`` and ``typical-<p>`` it has a line
    ``index,score`` for every sample, the score empty if unknown: the p % with the highest or lowest are chosen.

    Raises `BadInput`, naming the file, if it holds anything else, or an index twice or out of range.
    """
    index, scores = _choice(path, is_list=scenario.kind == "listed")
    if wrong := [number for number in index if not 0 <= number < count]:
        raise BadInput(f"{path}: {wrong[0]}: the {count} training images are numbered from 0 to {count - 1}")
    ordered = sorted(index)
    if twice := [number for number, following in pairwise(ordered) if number == following]:
        raise BadInput(f"{path}: {twice[0]} is listed twice")
    if scenario.kind == "listed":
        return np.array(ordered, dtype=np.int64)
    if len(index) < count:
        raise BadInput(f"{path}: {len(index)} scores: there are {count} training images")
    by_index = np.array(scores)[np.argsort(index)]
    try:
        return extreme(by_index, scenario.percent, highest=scenario.kind == "memorised")
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def _choice(path: Path, is_list: bool) -> tuple[list[int], list[float]]:
    """Return the indices in a file, and their scores, which a list has not; text after ``#`` is a remark."""
    accepted = "an index a line" if is_list else "a heading index,score and a line for each image"
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable as text ({error}): accepted is {accepted}") from None
    lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line]
    heading = "" if is_list or not lines else lines.pop(0)[1]
    if not lines or heading != "index,score" * (not is_list):
        raise BadInput(f"{path}: {f'heading {heading}' if heading else 'empty'}: accepted is {accepted}")
    index, scores = [], []
    for number, line in lines:
        try:
            first, *others = line.split(",")
            if len(others) != (not is_list) or "_" in line:  # Python reads 1_0 as 10
                raise ValueError
            index.append(int(first))
            scores += [float(score or "nan") for score in others]
        except ValueError:
            raise BadInput(f"{path}: line {number}: {line!r}: accepted is {accepted}") from None
    return index, scores


def extreme(scores: npt.NDArray[np.float64], percent: int, highest: bool) -> Indices:
    """Return the sorted indices of the ``percent`` % of samples, rounded half up, with the highest or lowest scores.

    Of equal scores the first samples are taken; NaN is never taken. Raises `BadInput` if too few have a score.
    """
    count, scored = share(len(scores), percent), np.flatnonzero(~np.isnan(scores))
    if len(scored) < count:
        raise BadInput(f"{count} samples are wanted, {len(scored)} of {len(scores)} have a score")
    order = np.argsort(-scores[scored] if highest else scores[scored], kind="stable")
    return np.sort(scored[order[:count]])


def held_out(count: int, percent: int, rng: np.random.Generator) -> Indices:
    """Return the sorted indices of those of ``count`` training samples that a trial never trains on.

    They are the last ``percent`` % of the permutation of which ``random-<p>`` takes the first; see `split_frame`.
    """
    return np.sort(_last(rng.permutation(count), percent))


def _last(order: Indices, percent: int) -> Indices:
    return order[len(order) - share(len(order), percent) :]


def share(count: int, percent: int) -> int:
    """Return ``percent`` % of ``count``, rounded half up."""
    return (count * percent + 50) // 100


def equal_images(*parts: Pixels) -> list[Indices]:
    """Number the images of each part, (N, H, W, C), from 0 on; exactly equal ones share a number."""
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for part in parts for image in part]
    numbers = np.unique(digests, return_inverse=True)[1].astype(np.int64)
    return np.split(numbers, np.cumsum([len(part) for part in parts])[:-1])


def twins(train: Indices, test: Indices, forgotten: Indices, retained: Indices) -> dict[str, int]:
    """Return how many images have an exact copy in another part, by the numbers of `equal_images`.

    ``twins``: forgotten images with a retained copy. ``twins_forget_test`` and ``twins_retain_test``: forgotten and
    retained images with a copy in the test set.
    """
    pairs = {"twins": (train[forgotten], train[retained])}
    pairs |= {"twins_forget_test": (train[forgotten], test), "twins_retain_test": (train[retained], test)}
    return {name: int(np.isin(*pair).sum()) for name, pair in pairs.items()}


def forgotten(frame: pd.DataFrame, split: str = "train", stage: int | None = None) -> Indices:
    """Return the sorted indices of ``split`` that are forgotten by the end of ``stage``, by default the last."""
    rows = frame["split"] == split
    if stage is not None:
        rows &= frame["stage"] <= stage
    return np.sort(frame.loc[rows, "index"].to_numpy(dtype=np.int64))


def read_split(path: Path, origin: dict[str, Any] | None = None) -> pd.DataFrame:
    """Return a split file's rows; raise `StaleOutput` if it is missing.

    Raises `DamagedFile` if it cannot be read, has other columns or was drawn from something other than ``origin``.
    """
    frame = read_parquet(path, origin, "run snakemake, or 'python -m benchmark split', which draws it")
    if list(frame.columns) != COLUMNS or not frame["split"].isin(SPLITS).all():
        columns = ", ".join(frame.columns)
        raise DamagedFile(
            path, f"columns {columns}; accepted are {', '.join(COLUMNS)}, split one of {', '.join(SPLITS)}"
        )
    return frame
