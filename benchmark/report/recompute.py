"""Recomputed results: metrics from samples and splits, gathered files from runs, tables and claims from both.

Digests show that a file is as it was written. This shows that it follows from the samples, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.report.draw import texts
from benchmark.results import frames, gather
from benchmark.results.records import FIRST_COLUMNS
from benchmark.study.study import Study

EQUAL = 1e-9  # relative, and absolute near 0: the same number, added in another order


def changed_results(study: Study) -> list[str]:
    """Return a line for each metric of a run, gathered file and table file that comes out different."""
    results = frames.of_study(study)
    steps: list[Callable[[], Iterable[str]]] = [
        partial(gather.contradicted_histories, study, anew=True),
        *(partial(_gathered, results, frame) for frame in paths.FRAMES if results.runs),
        *(partial(_table, study, name) for name in study.tables | study.versus_tables),
    ]
    return [line for step in steps for line in _attempted(step)]


def _attempted(step: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(step())
    except BadInput as error:  # missing data cannot be recomputed
        return [str(error)]


def _gathered(results: frames.Results, frame: str) -> Iterator[str]:
    path = paths.gathered(results.study.name, frame)
    derived, stored = getattr(results, frame), frames.gathered_frame(results.study.name, frame)
    derived = frames.with_gaps(derived) if frame == "metrics" else derived
    if list(derived) != list(stored):
        different = ", ".join(sorted({*derived} ^ {*stored})) or "their order"
        yield f"{path}: its columns are not those that its runs give: {different}"
        return
    if len(derived) != len(stored):
        yield f"{path}: it has {len(stored)} rows, its runs give {len(derived)}"
        return
    for column in stored:
        if len(rows := np.flatnonzero(~_equal(stored[column], derived[column]))):
            row = stored.iloc[rows[0]]
            run = "/".join(str(row[part]) for part in FIRST_COLUMNS[1:])
            yield f"{path}: {column} of {run} is {row[column]}, its run gives {derived[column].iloc[rows[0]]}"


def _equal(stored: pd.Series[object], derived: pd.Series[object]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(stored) and pd.api.types.is_numeric_dtype(derived):
        return np.isclose(stored.to_numpy(float), derived.to_numpy(float), rtol=EQUAL, atol=EQUAL, equal_nan=True)
    return ((stored == derived) | (stored.isna() & derived.isna())).to_numpy(bool)


def _table(study: Study, name: str) -> Iterator[str]:
    for path, text in texts(study, name, replace=True).items():
        if path.is_file() and path.read_bytes() != text.encode():
            yield f"{path}: its results give another table"
