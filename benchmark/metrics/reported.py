"""The paper's printed numbers, with this project's names, in the shapes that our own results have.

Each function raises `BadInput` if its file is missing or names a method that the paper does not have.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.names import ALIASES, CL

# How the paper spells a method, and how we do: in lower case, but for two.
SPELT = ("Original", "Retrain", "FT", "NegGrad+", "l1-sparse", "SalUn", "NoT", "CoUn", "BadT", "SSD", "SCRUB", "CU")
NAMES = {name: name.lower() for name in SPELT} | {"NegGrad+": "neggrad-plus", "BadT": "bad-teacher"}
TRIALS = 10


def reported_means(folder: Path = paths.REPORTED) -> pd.DataFrame:
    """Return the printed means of Tables 2, 3 and 7 to 10, one row each, as `gaps.summarise` takes runs.

    Columns ``table, dataset, arch, scenario, method, trial`` (always 0), ``ra, ua, ta, mia`` in per cent, the printed
    ``avg_gap`` in points, ``pflops``, and ``implied_epochs`` (NaN where it is not known how the cost was counted).
    """
    printed = _unlearning(folder).rename(columns={f"{metric}_mean": metric for metric in METRICS}).assign(trial=0)
    return printed[["table", *CELL, "method", "trial", *METRICS, "avg_gap", "pflops", "implied_epochs"]]


def reported_summary(folder: Path = paths.REPORTED) -> pd.DataFrame:
    """Return the printed rows of Tables 2, 3 and 7 to 10 with the columns of `gaps.summarise`, and ``table`` before.

    Gaps and average gaps are those printed, slips included; see `audit` for those.
    """
    printed = _unlearning(folder).rename(columns={f"{metric}_std": f"{metric}_sd" for metric in METRICS})
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "gap")]
    head = ["table", *CELL, "method", "trials", "diverged"]
    printed = printed.assign(trials=TRIALS, diverged=0)
    return printed[[*head, *columns, "avg_gap", "pflops", "implied_epochs"]]


def reported_predictions(folder: Path = paths.REPORTED) -> pd.DataFrame:
    """Return Tables 5 and 6 (Table 1 is a part of 5): per cent of a class's forget samples predicted as each class.

    Columns ``table, dataset, arch, scenario, true_class, method, predicted_class, percent``.
    """
    return _read(folder / "predictions.csv")


def reported_distances(folder: Path = paths.REPORTED) -> pd.DataFrame:
    """Return Table 4: distance of the forget samples of a class to retain class centroids, on the paper's own scale.

    Columns ``table, dataset, arch, scenario, true_class, method, centroid_class, distance``.
    """
    return _read(folder / "distances.csv")


def _unlearning(folder: Path) -> pd.DataFrame:
    frame = _read(folder / "unlearning.csv")
    added = (frame["contrastive"] == "yes") & ~frame["method"].isin(ALIASES)
    return frame.assign(method=frame["method"].where(~added, frame["method"] + CL)).drop(columns="contrastive")


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise BadInput(f"{path}: no such file: accepted is the paper's printed numbers, which come with this project")
    frame = pd.read_csv(path)
    for name in sorted(set(frame["method"]) - NAMES.keys()):
        raise unknown("method", name, NAMES, f"{path}, column method")
    return frame.assign(method=frame["method"].map(NAMES))
