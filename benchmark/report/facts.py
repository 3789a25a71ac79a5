"""What every caption says by itself, so that a table does not depend on its author's memory."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from benchmark.names import ORIGINAL, Cell, MethodName
from benchmark.report.style import architecture_label, dataset_label, method_label
from benchmark.study.study import Study


def shared(cells: list[Cell]) -> str:
    """Return the dataset and the architecture that all cells have, which `style.short_label` leaves out."""
    datasets, archs = {cell.dataset for cell in cells}, {cell.arch for cell in cells}
    parts = [dataset_label(*datasets)] if len(datasets) == 1 else []
    parts += [architecture_label(*archs)] if len(archs) == 1 else []
    return ", ".join(parts)


def listed(methods: Iterable[str]) -> str:
    """Return methods' labels, each once, joined by commas."""
    return ", ".join(map(method_label, dict.fromkeys(methods)))


def over(trials: int) -> str:
    """Return of how many trials a number is: ``over 3 trials``."""
    return f"over {trials} trials" if trials > 1 else "of one trial"


def values(frame: pd.DataFrame, column: str) -> str:
    """Return the values of a column, each once: ``bfloat16 and float32``."""
    return " and ".join(sorted(frame[column].dropna().astype(str).unique()))


def tuned(study: Study) -> str:
    """Return that hyperparameters were searched with what a user who unlearns has not, or nothing if they were not."""
    return "Hyperparameters tuned on other trials, with their Retrain and the test data" if study.includes_tuned else ""


def apart(study: Study, metrics: pd.DataFrame) -> str:
    """Say whether methods of one trial started from Originals that were trained apart, as on two kinds of machine."""
    if "started_from" not in metrics:
        return ""
    known = metrics[metrics["started_from"] != ""]
    one = ["dataset", "arch", *(["trial"] if "original" in study.resample else [])]
    several = (known.groupby(one)["started_from"].nunique() > 1).any()
    return "Not all methods of a trial started from the same training of Original" if several else ""


def is_control(method: str) -> bool:
    """Whether a method is Original, which forgets nothing and competes for nothing."""
    return MethodName.parse(method).base == ORIGINAL


def control(methods: list[str]) -> str:
    """Say what Original is doing in the table; nothing if there is none."""
    return f"{listed(methods)} is the model before unlearning: a control" if methods else ""


def incomplete(data: pd.DataFrame, trials: int) -> str:
    """Say which methods have fewer ``trials`` than they should, controls aside; nothing if none has."""
    short = data.loc[data["trials"] < trials, "method"]
    short = [method for method in short if not is_control(method)]
    return f"Incomplete, with trials missing: {listed(short)}" if short else ""


def left_out(data: pd.DataFrame) -> str:
    """Say for which rows trials were left out, since one of the methods that are compared diverged in them.

    Parameters
    ----------
    data : columns ``method`` and ``diverged``, in how many trials.
    """
    counts = [f"{method_label(row.method)} {row.diverged}" for row in data.itertuples() if row.diverged]
    return f"Trials left out, since a method diverged in them: {', '.join(dict.fromkeys(counts))}" if counts else ""


def unfinished(data: pd.DataFrame, trials: int) -> list[str]:
    """Say which methods diverged in some trial, and which have fewer trials than they should.

    Parameters
    ----------
    data : columns ``method``, ``trials`` and ``diverged``, how many of each.
    """
    diverged = listed(data.loc[data["diverged"] > 0, "method"])
    return [f"Diverged in at least one trial: {diverged}" if diverged else "", incomplete(data, trials)]
