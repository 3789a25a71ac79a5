"""The page's provenance: what all runs share, and the runs of each cell and method."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmark import paths
from benchmark.data import store
from benchmark.errors import StaleOutput
from benchmark.metrics.evidence import in_cell
from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.page.table import anchor
from benchmark.report.style import cell_label, dataset_label, in_order, method_label, setting_label
from benchmark.report.tabular import DASH, remake
from benchmark.results import records
from benchmark.results.frames import Results
from benchmark.study.study import Study

# Columns of the metrics and their printed names.
STAMPS = {
    "commit": "Commit",
    "code": "Code",
    "plugins": "Plugins",
    "checksum": "Archive vouched for by the study",
    "version": "This software",
    "python": "Python",
    "torch": "PyTorch",
    "torchvision": "torchvision",
    "numpy": "NumPy",
    "pandas": "pandas",
    "scikit_learn": "scikit-learn",
    "vit_pytorch": "vit-pytorch",
    "system": "System",
    "device": "Hardware",
    "cores": "Processor cores",
    "threads": "Threads a run",
    "precision": "Precision",
}
SETTING = "setting_"


def build(results: Results, cells: list[Cell]) -> dict[str, Any]:
    """Return the template's values: facts of the study, what its runs share, its outputs, and the methods by cell."""
    study = results.study
    shared, differing = _stamps(results.metrics)
    outputs = []
    for name, output in study.outputs.items():
        files = [file.as_posix() for file in paths.drawn(study.section_of(name), study.name, name)]
        command = remake(study.name, name)
        outputs.append({"name": name, "caption": output.caption, "files": files, "command": command})
    return {
        "study_file": study.file,
        "images": {f"Images of {dataset_label(name)}": _images(study, name) for name in study.datasets},
        "shared": shared,
        "differing": differing,
        "plain": plain,
        "code": facts.code(results.codes),
        "outputs": outputs,
        "cells": [{"label": cell_label(cell), "methods": list(_methods(results, cell))} for cell in cells],
    }


def _images(study: Study, name: str) -> str:
    try:
        dataset = store.record(study.dataset_folder(name))
    except StaleOutput:
        return f"source {study.datasets[name].source}"
    origin = [
        f"{key.replace('_', ' ')} {_as_text(value)}"
        for key, value in dataset["origin"].items()
        if not isinstance(value, dict) or "files" in value  # other counts are of images, printed already
    ]
    shapes = {part: dataset["shapes"][f"{prefix}_images"] for part, prefix in (("training", "train"), ("test", "test"))}
    counts = [f"{shape[0]} {part} images" for part, shape in shapes.items() if shape]
    return "; ".join(", ".join(phrases) for phrases in (counts, origin) if phrases)


def _as_text(value: Any) -> str:
    """Return a fact about a dataset's origin as text; for skipped files, their number."""
    if isinstance(value, dict):
        return f"{value['files']} files"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _stamps(metrics: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values that all runs share, by printed name, and the printed names of columns that differ.

    Some runs may lack a value, such as those of a dataset whose archive nobody vouched for.
    """
    known = [column for column in STAMPS if column in metrics and metrics[column].notna().any()]
    values = {column: list(dict.fromkeys(map(plain, metrics[column]))) for column in known}
    shared = {STAMPS[column]: distinct[0] for column, distinct in values.items() if len(distinct) == 1}
    return shared, {column: STAMPS[column] for column, distinct in values.items() if len(distinct) > 1}


def _methods(results: Results, cell: Cell) -> Iterator[dict[str, Any]]:
    """Yield each method's settings and its runs: rows of the metrics with the ``command`` that made them."""
    runs = in_cell(results.metrics, cell)
    for method in in_order(runs["method"].unique()):
        rows = runs[runs["method"] == method].sort_values("trial").to_dict("records")
        # The settings of other methods are empty.
        settings = {key: value for key, value in rows[0].items() if key.startswith(SETTING) and not pd.isna(value)}
        yield {
            "anchor": anchor(cell, method),
            "label": method_label(method),
            "settings": {setting_label(key.removeprefix(SETTING)): plain(value) for key, value in settings.items()},
            "runs": [run | {"command": _command(results.study, cell, method, run["trial"])} for run in rows],
        }


def plain(value: Any) -> str:
    """Return a value as text, numbers without needless decimals; a dash where there is none."""
    if pd.isna(value):
        return DASH
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _command(study: Study, cell: Cell, method: str, trial: int) -> str:
    name, command = study.run_name(cell, method, trial), None
    with contextlib.suppress(StaleOutput):  # the metrics exist, but the run's record does not
        command = records.record(study, study.run(name)).get("command")
    return command or f"python -m benchmark run {study.name} {name}"
