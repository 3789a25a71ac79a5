"""Predictions that other code made: read from a parquet file, checked, and brought into the form of our own.

The file has a row for each training and test image of the prepared dataset, in any order: ``index`` within the split,
``split``, ``label``, ``prediction``, and ``loss`` (cross-entropy, natural logarithm) or ``margin`` (log p - log(1 - p)
of the label's probability p), or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmark.errors import BadInput
from benchmark.files import read_table
from benchmark.methods.scored import Scored
from benchmark.metrics.samplewise.margins import margin_of_loss
from benchmark.study.study import Study

COLUMNS = ("index", "split", "label", "prediction")
NUMBERS = ("loss", "margin")  # at least one is needed
LARGEST = np.finfo(np.float32).max  # beyond it a number would be written as infinite
SURE = 0.69  # a cross-entropy below ln 2 leaves no other class as probable
SLACK = 0.01  # of a loss, relative and absolute: it may be of half precision


def check_files(study: Study) -> None:
    """Raise `BadInput` for the first fault in the study's files of predictions that shows without the dataset."""
    for run in study.runs():
        if issubclass(run.method, Scored):
            path = run.method.file(run.name)
            frame = _read(path)
            _check_loss(path, frame, 1 + frame[["label", "prediction"]].to_numpy(dtype=float).max(initial=0))


def of_dataset(path: Path, labels: Mapping[str, npt.NDArray[Any]], classes: int) -> pd.DataFrame:
    """Return a file's predictions as the table of `benchmark.training.batches.predict`.

    ``labels`` are the dataset's, by split. Raises `BadInput` if the file is no parquet, a column or sample is missing
    or occurs twice, a label is not the dataset's, or a number is not finite in float32 or one that no model gives.
    """
    predictions = _read(path)
    numbers = [name for name in NUMBERS if name in predictions]
    if others := sorted({*predictions["split"]} - labels.keys()):
        raise BadInput(f"{path}: column split holds {others[0]!r}: accepted are {', '.join(labels)}")
    dataset = pd.concat(
        [pd.DataFrame({"split": split, "index": np.arange(len(true)), "true": true}) for split, true in labels.items()]
    )
    frame = dataset.merge(predictions, how="outer", on=["split", "index"], indicator="source")
    for fault, rows in {
        "this image is not in the dataset": frame["source"] == "right_only",
        "this image is missing": frame["source"] == "left_only",
        "this image occurs twice": frame.duplicated(["split", "index"]),
        "the label is not the dataset's: are the images in another order?": frame["label"] != frame["true"],
        "the prediction is not a class": ~frame["prediction"].isin(range(classes)),
        **{
            f"the {name} is not a finite number in float32": ~(frame[name].astype(float).abs() <= LARGEST)
            for name in numbers
        },
        "the loss is negative": frame["loss"] < 0 if "loss" in frame else np.zeros(len(frame), dtype=bool),
    }.items():
        _refuse(path, frame, fault, rows)
    frame["loss"] = _loss(frame)
    if "margin" not in frame:
        frame["margin"] = margin_of_loss(frame["loss"].to_numpy())
    sure = (frame["loss"] < SURE) & (frame["prediction"] != frame["label"])
    _refuse(path, frame, "the prediction is not the label, to which the loss gives more than half", sure)
    _check_loss(path, frame, classes)
    differs = ~np.isclose(_loss(frame[["margin"]]), frame["loss"], rtol=SLACK, atol=SLACK)
    _refuse(path, frame, "the loss is not the one that follows from the margin", pd.Series(differs, frame.index))
    frame = frame.astype({"label": "int64", "prediction": "int64", "loss": "float32", "margin": "float32"})
    frame = frame.sort_values(
        ["split", "index"], key=lambda column: column == "test" if column.name == "split" else column
    )
    return frame[[*COLUMNS, "loss", "margin"]].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    """Return a file's table; raise `BadInput` if it is no parquet, or a column is missing, occurs twice or is text."""
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
    numbers = [name for name in NUMBERS if name in names]
    if missing := [name for name in COLUMNS if name not in names] + ["loss or margin"] * (not numbers):
        raise BadInput(f"{path}: no column {', '.join(missing)}; it has {', '.join(names)}")
    try:
        # As the file's columns: pandas would take some for a frame's index, if it wrote the file so.
        frame = table.select([*COLUMNS, *numbers]).to_pandas(ignore_metadata=True).astype({"split": str})
    except ValueError as error:  # as for text that is none
        raise BadInput(f"{path}: not readable: {' '.join(str(error).split())[:200]}") from None
    for name, column in frame.drop(columns="split").items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise BadInput(f"{path}: column {name} holds {column.dtype}: accepted are numbers")
        if name in COLUMNS and (empty := int(column.isna().sum())):
            raise BadInput(f"{path}: column {name} is empty in {empty} row{'s' * (empty > 1)}: accepted are numbers")
    return frame


def _loss(frame: pd.DataFrame) -> pd.Series[float]:
    """Return the losses, or those that follow from the margins."""
    return frame["loss"] if "loss" in frame else np.logaddexp(0, -frame["margin"].astype(float))


def _check_loss(path: Path, frame: pd.DataFrame, classes: float) -> None:
    """Raise `BadInput` for a loss that no model gives.

    The predicted class is at least as probable as the others: where it is the label, the loss is at most the logarithm
    of the number of classes.
    """
    loss = _loss(frame)
    most = np.log(classes)
    beyond = (frame["prediction"] == frame["label"]) & (loss > most * (1 + SLACK) + SLACK)
    for row in np.flatnonzero(beyond)[:1]:
        first = frame.iloc[row]
        accepted = f"accepted is at most {most:.3f}, the logarithm of the {classes:.0f} classes"
        where = f"{path}: {first['split']} image {first['index']}"
        raise BadInput(f"{where}: its class is predicted with a loss of {loss[row]:#.4g}: {accepted}")


def _refuse(path: Path, frame: pd.DataFrame, fault: str, rows: pd.Series[bool]) -> None:
    if rows.any():
        first = frame[rows].iloc[0]
        such = f" ({rows.sum():,} such images)" if rows.sum() > 1 else ""
        raise BadInput(f"{path}: {first['split']} image {first['index']}: {fault}{such}")
