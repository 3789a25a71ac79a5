"""Checks of predictions made elsewhere before anything is trained; the job that scores them makes further ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.files import read_table
from benchmark.methods.scored import Scored
from benchmark.study.study import Study

NUMBERS = ("index", "label", "prediction", "loss", "margin")
SLACK = 0.01  # of a loss, relative and absolute: it may be of half precision


def check_files(study: Study) -> None:
    """Raise `BadInput` for the first file of the study's predictions that `check_file` refuses."""
    for run in study.runs():
        if issubclass(run.method, Scored):
            check_file(run.method.file(run.name))


def check_file(path: Path) -> None:
    """Raise `BadInput` if a file is no parquet, has two columns of one name, or has numbers that no model gives.

    The predicted class of ``n`` is at least as probable as the others: where it is the label, the loss is ``ln n`` at
    most.
    """
    try:
        table = read_table(path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # noise can raise anything
        raise BadInput(f"{path}: not readable as parquet: {' '.join(str(error).split())[:200]}") from None
    names = table.column_names
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{path}: {names.count(name)} columns are called {name!r}: accepted is one")
    frame = table.to_pandas(ignore_metadata=True)
    numbers = frame[[name for name in NUMBERS if name in frame]]
    for name, column in numbers.items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise BadInput(f"{path}: column {name} holds {column.dtype}: accepted are numbers")
    if not {"label", "prediction"} <= {*numbers} or not {"loss", "margin"} & {*numbers}:
        return
    loss = frame["loss"] if "loss" in frame else np.logaddexp(0, -frame["margin"].astype(float))
    classes = 1 + np.fmax.reduce(frame[["label", "prediction"]].to_numpy(dtype=float), axis=None, initial=0)
    most = np.log(classes)
    for row in np.flatnonzero((frame["prediction"] == frame["label"]) & (loss > most * (1 + SLACK) + SLACK))[:1]:
        first = frame.iloc[row]
        accepted = f"accepted is at most {most:.3f}, the logarithm of the {classes:.0f} classes"
        where = f"{path}: {first.get('split')} image {first.get('index')}"
        raise BadInput(f"{where}: its class is predicted with a loss of {loss[row]:.3f}: {accepted}")
