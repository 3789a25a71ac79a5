"""The paper's printed numbers, under this project's names and in the form of its own results.

Each function raises `BadInput` if its file is missing or names a method that the paper does not have.
"""

from __future__ import annotations

import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.metrics.gaps import STATISTICS
from benchmark.metrics.samples import METRICS
from benchmark.names import ALIASES, CELL_KEYS, CL

# The paper's spelling of each method, and this project's: lower case, except for two.
PRINTED = ("Original", "Retrain", "FT", "NegGrad+", "l1-sparse", "SalUn", "NoT", "CoUn", "BadT", "SSD", "SCRUB", "CU")
NAMES = {name: name.lower() for name in PRINTED} | {"NegGrad+": "neggrad-plus", "BadT": "bad-teacher"}
TRIALS = 10


def reported_means() -> pd.DataFrame:
    """Return the printed means of Tables 2, 3 and 7 to 10, one row each, as `gaps.summarise` takes runs.

    Columns ``table, dataset, arch, scenario, method, trial`` (always 0), ``ra, ua, ta, mia`` in per cent, the printed
    ``avg_gap`` in points, ``pflops``, and ``implied_epochs`` (NaN where it is unknown how the cost was counted).
    """
    printed = _unlearning().rename(columns={f"{metric}_mean": metric for metric in METRICS}).assign(trial=0)
    return printed[["table", *CELL_KEYS, "method", "trial", *METRICS, "avg_gap", "pflops", "implied_epochs"]]


def reported_summary() -> pd.DataFrame:
    """Return the printed rows of Tables 2, 3 and 7 to 10 with ``table`` and the columns of `gaps.summarise`.

    Gaps and average gaps are as printed, slips included; `benchmark.metrics.arithmetic.slips` lists them.
    """
    printed = _unlearning().rename(columns={f"{metric}_std": f"{metric}_sd" for metric in METRICS})
    first = ["table", *CELL_KEYS, "method", "trials", "diverged"]
    printed = printed.assign(trials=TRIALS, diverged=0)
    return printed[[*first, *STATISTICS, "avg_gap", "pflops", "implied_epochs"]]


def reported_predictions() -> pd.DataFrame:
    """Return Tables 5 and 6 (Table 1 is a part of 5): per cent of a class's forget samples predicted as each class.

    Columns ``table, dataset, arch, scenario, true_class, method, predicted_class, percent``.
    """
    return _read("predictions.csv")


def reported_distances() -> pd.DataFrame:
    """Return Table 4: distance of the forget samples of a class to retain class centroids, on the paper's own scale.

    Columns ``table, dataset, arch, scenario, true_class, method, centroid_class, distance``.
    """
    return _read("distances.csv")


def _unlearning() -> pd.DataFrame:
    frame = _read("unlearning.csv")
    suffixed = (frame["contrastive"] == "yes") & ~frame["method"].isin(ALIASES)
    return frame.assign(method=frame["method"].where(~suffixed, frame["method"] + CL)).drop(columns="contrastive")


def _read(name: str) -> pd.DataFrame:
    path = paths.REPORTED / name
    if not path.is_file():
        raise BadInput(f"{path}: no such file: accepted is the paper's printed numbers, which come with this project")
    frame = pd.read_csv(path)
    for method in sorted(set(frame["method"]) - NAMES.keys()):
        raise unknown("method", method, NAMES, f"{path}, column method")
    return frame.assign(method=frame["method"].map(NAMES))
