"""The four metrics of a run, RA, UA, TA and MIA, from one row per sample.

A *samples* frame has the columns ``index`` (position in its split's dataset order), ``split`` (train, test, or
held-out: a training sample that the run was never trained on), ``label``, ``prediction`` and ``loss``. A *forget*
frame has ``split`` and ``index``: its train rows are the forget data D_u; its other rows, which only class-wise
scenarios have, are samples of the class that no metric counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadInput, unknown
from benchmark.metrics.mia import balanced, confidence, mia_rate
from benchmark.names import HELD_OUT, SPLITS

METRICS = ["ra", "ua", "ta", "mia"]
MEMBERSHIP = ("retain", "forget", "test", "left-out", HELD_OUT)
COLUMNS = ("index", "split", "label", "prediction", "loss")


def membership(samples: pd.DataFrame, forget: pd.DataFrame | None) -> pd.Series[Any]:
    """Return the membership of each sample under a scenario: one of `MEMBERSHIP`, categorical (n,).

    If ``forget`` is None, all training samples are retained. Raises `BadInput` if a column is missing, a split is none
    of `SPLITS`, a sample is listed twice, ``forget`` names a sample that ``samples`` lacks, or no sample is left to
    retain, to forget or to test.
    """
    _check_keys(samples, "samples")
    split, index = samples["split"].to_numpy(), samples["index"].to_numpy()
    code = np.where(split == "train", MEMBERSHIP.index("retain"), MEMBERSHIP.index("test"))
    code[split == HELD_OUT] = MEMBERSHIP.index(HELD_OUT)
    if forget is not None:
        _check_keys(forget, "forget")
        for name, becomes in (("train", "forget"), ("test", "left-out"), (HELD_OUT, "left-out")):
            forgotten = forget.loc[(forget["split"] == name).to_numpy(), "index"].to_numpy()
            in_split = split == name
            if len(missing := np.setdiff1d(forgotten, index[in_split])):
                rows = f"the samples' {int(in_split.sum())} {name} rows ({len(missing)} such)"
                raise BadInput(f"forget: index {missing[0]} of split {name!r} is not among {rows}")
            code[in_split & np.isin(index, forgotten)] = MEMBERSHIP.index(becomes)
    for group in ("retain", "test") if forget is None else ("retain", "forget", "test"):
        if not np.any(code == MEMBERSHIP.index(group)):
            raise BadInput(f"samples: 0 of {len(samples)} rows are {group}: accepted is at least one")
    return pd.Series(pd.Categorical.from_codes(code, list(MEMBERSHIP)), index=samples.index, name="membership")


def measure(
    samples: pd.DataFrame,
    forget: pd.DataFrame | None,
    members: str = "first",
    rng: np.random.Generator | None = None,
    unseen: str = "test",
) -> dict[str, float]:
    """Return the metrics of one run in per cent (paper, section Metrics).

    Raises `BadInput` as `membership`; or if a loss is not a number, no sample is ``unseen``, or ``members`` is no
    accepted choice.

    Parameters
    ----------
    samples, forget : see the top of this file. ``forget`` None is Original by itself.
    members, rng : the choice of samples that the attack learns from; see `balanced`.
    unseen : the samples of ``ta``, which are the attack's non-members: ``test``, or ``held-out`` for a choice of
        hyperparameters without a look at test images.

    Returns
    -------
    ``ra``, the accuracy on retain data; ``ua``, 100 - accuracy on forget data; ``ta``, test accuracy; ``mia``, the
    forget samples that the attack takes for non-members. Without ``forget`` only ``ra``, on all training data, and
    ``ta``.
    """
    _check_columns(samples, "samples", COLUMNS)
    memberships = membership(samples, forget)
    # Dataset order, whatever the order of the rows: "first" is a statement about the dataset.
    order = np.argsort(samples["index"].to_numpy(), kind="stable")
    groups = {str(name): samples.iloc[order[memberships.to_numpy()[order] == name]] for name in MEMBERSHIP}
    if not len(groups[unseen]):
        raise BadInput(f"samples: 0 of {len(samples)} rows are {unseen}: accepted is at least one")
    ra, ta = _accuracy(groups["retain"]), _accuracy(groups[unseen])
    if forget is None:
        return {"ra": ra, "ta": ta}
    retain, nonmembers, queries = (confidence(groups[name]["loss"].to_numpy()) for name in ("retain", unseen, "forget"))
    mia = mia_rate(*balanced(retain, nonmembers, members, rng), queries)
    return {"ra": ra, "ua": 100.0 - _accuracy(groups["forget"]), "ta": ta, "mia": mia}


def _accuracy(group: pd.DataFrame) -> float:
    return float(100.0 * np.mean(group["label"].to_numpy() == group["prediction"].to_numpy()))


def _check_columns(frame: pd.DataFrame, name: str, columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in frame:
            raise BadInput(f"{name}: column {column!r} is missing: accepted is a frame with {', '.join(columns)}")


def _check_keys(frame: pd.DataFrame, name: str) -> None:
    _check_columns(frame, name, ("split", "index"))
    for split in frame["split"].unique():
        if split not in SPLITS:
            raise unknown("split", split, SPLITS, f"{name}, column split")
    twice = frame.duplicated(["split", "index"])
    if twice.any():
        row = frame.loc[twice.to_numpy()].iloc[0]
        raise BadInput(f"{name}: {row['split']} sample {row['index']} is listed twice: accepted is once")
