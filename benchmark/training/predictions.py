"""Predictions of a run's model, or of other code: read from a file, checked, and brought into our form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from benchmark.errors import BadInput
from benchmark.files import read_table
from benchmark.methods.scored import Scored
from benchmark.metrics.samplewise.margins import margin_of_loss
from benchmark.study.runs import Run
from benchmark.training.batches import Images, predict
from benchmark.training.device import Device

COLUMNS = ("index", "split", "label", "prediction")
NUMBERS = ("loss", "margin")  # at least one is needed
LARGEST = np.finfo(np.float32).max  # beyond it a number would be written as infinite
SURE = 0.69  # a cross-entropy below ln 2 leaves no other class as probable


def predictions_of(run: Run, model: nn.Module, images: Images, device: Device) -> pd.DataFrame:
    """Return the predictions of a run's model, or those in its file if other code made them.

    See `benchmark.training.batches.predict` for the columns. Faults in the file raise `BadInput`.
    """
    if issubclass(run.method, Scored):
        return read(run.method.file(run.name), images)
    return predict(model, images, device)


def read(path: Path, images: Images) -> pd.DataFrame:
    """Return the table of `benchmark.training.batches.predict` from a parquet file of any code's predictions.

    The file has a row for each training and test image of the prepared dataset, in any order: ``index`` within the
    split, ``split``, ``label``, ``prediction``, and ``loss`` (cross-entropy, natural logarithm) or ``margin``
    (log p - log(1 - p) of the label's probability p), or both.

    Raises
    ------
    BadInput
        If a column or sample is missing, a sample occurs twice, a label is not the dataset's, or a number is
        not finite in float32.
    """
    frame = _read(path)
    numbers = [column for column in NUMBERS if column in frame]
    labels = [(split, np.asarray(label.cpu())) for split, label in images.labels.items()]
    dataset = pd.concat(
        [pd.DataFrame({"split": split, "index": np.arange(len(label)), "true": label}) for split, label in labels]
    )
    predictions = frame[[*COLUMNS, *numbers]].astype({"split": str})
    if others := sorted({*predictions["split"]} - images.labels.keys()):
        raise BadInput(f"{path}: column split holds {others[0]!r}: accepted are {', '.join(images.labels)}")
    frame = dataset.merge(predictions, how="outer", on=["split", "index"], indicator="source")
    for fault, rows in {
        "this image is no part of the dataset": frame["source"] == "right_only",
        "this image is missing": frame["source"] == "left_only",
        "this image occurs twice": frame.duplicated(["split", "index"]),
        "the label is not the dataset's: are the images in another order?": frame["label"] != frame["true"],
        "the prediction is no class": ~frame["prediction"].isin(range(images.classes)),
        **{
            f"the {column} is not a finite number in float32": ~(frame[column].astype(float).abs() <= LARGEST)
            for column in numbers
        },
        "the loss is negative": frame["loss"] < 0 if "loss" in frame else np.zeros(len(frame), dtype=bool),
    }.items():
        _refuse(path, frame, fault, rows)
    if "loss" not in frame:
        frame["loss"] = np.logaddexp(0, -frame["margin"].astype(float))
    if "margin" not in frame:
        frame["margin"] = margin_of_loss(frame["loss"].to_numpy())
    sure = (frame["loss"] < SURE) & (frame["prediction"] != frame["label"])
    _refuse(path, frame, "the prediction is not the label, to which the loss gives more than half", sure)
    differs = ~np.isclose(np.logaddexp(0, -frame["margin"].astype(float)), frame["loss"], rtol=0.01, atol=0.01)
    _refuse(path, frame, "the loss is not the one that follows from the margin", pd.Series(differs, frame.index))
    frame = frame.astype({"label": "int64", "prediction": "int64", "loss": "float32", "margin": "float32"})
    frame = frame.sort_values(
        ["split", "index"], key=lambda column: column == "test" if column.name == "split" else column
    )
    return frame[[*COLUMNS, "loss", "margin"]].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    """Return a file's table; raise `BadInput` if it lacks a column or holds text for numbers."""
    try:
        # As the file's columns: pandas would take some for a frame's index, if it wrote the file so.
        frame = read_table(path).to_pandas(ignore_metadata=True)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # noise can raise anything
        raise BadInput(f"{path}: not readable as parquet: {' '.join(str(error).split())[:200]}") from None
    numbers = [column for column in NUMBERS if column in frame]
    missing = [column for column in COLUMNS if column not in frame] + ["loss or margin"] * (not numbers)
    if missing:
        raise BadInput(f"{path}: no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    for column in ("index", "label", "prediction", *numbers):
        if not pd.api.types.is_numeric_dtype(frame[column]):
            raise BadInput(f"{path}: column {column} holds {frame[column].dtype}: accepted are numbers")
        if column in COLUMNS and (empty := int(frame[column].isna().sum())):
            raise BadInput(f"{path}: column {column} is empty in {empty} row{'s' * (empty > 1)}: accepted are numbers")
    return frame


def _refuse(path: Path, frame: pd.DataFrame, fault: str, rows: pd.Series[bool]) -> None:
    if rows.any():
        first = frame[rows].iloc[0]
        such = f" ({rows.sum():,} such images)" if rows.sum() > 1 else ""
        raise BadInput(f"{path}: {first['split']} image {first['index']}: {fault}{such}")
