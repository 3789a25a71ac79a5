"""Everything derived once more: metrics from samples and splits, gathered files from runs, tables and claims from both.

Digests say that a file is what was written. This says that it is what follows from the samples, whoever wrote it.
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
from benchmark.results.records import FIRST
from benchmark.study.study import Study

EQUAL = 1e-9  # relative: the same number, added in another order


def differing(study: Study) -> list[str]:
    """Return a line for each metric of a run, gathered file and file of a table that comes out otherwise."""
    results = frames.of_study(study)
    steps: list[Callable[[], Iterable[str]]] = [
        partial(gather.differing, study, anew=True),
        *(partial(_gathered, results, what) for what in paths.FRAMES),
        *(partial(_table, study, name) for name in study.tables | study.compared),
    ]
    return [line for step in steps for line in _attempted(step)]


def _attempted(step: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(step())
    except BadInput as error:  # what is missing cannot be derived
        return [str(error)]


def _gathered(results: frames.Results, what: str) -> Iterator[str]:
    path = paths.collected(results.study.name, what)
    now, before = getattr(results, what), frames.gathered_frame(results.study.name, what)
    now = frames.with_gaps(now) if what == "metrics" else now
    if list(now) != list(before) or len(now) != len(before):
        yield f"{path}: it has {before.shape} rows and columns, its runs give {now.shape}"
        return
    for column in before:
        if len(rows := np.flatnonzero(~_equal(before[column], now[column]))):
            row = before.iloc[rows[0]]
            place = "/".join(str(row[part]) for part in FIRST[1:])
            yield f"{path}: {column} of {place} is {row[column]}, its run gives {now[column].iloc[rows[0]]}"


def _equal(before: pd.Series[object], now: pd.Series[object]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(now):
        return np.isclose(before.to_numpy(float), now.to_numpy(float), rtol=EQUAL, atol=EQUAL, equal_nan=True)
    return ((before == now) | (before.isna() & now.isna())).to_numpy(bool)


def _table(study: Study, name: str) -> Iterator[str]:
    for path, text in texts(study, name, replace=True).items():
        if path.is_file() and path.read_bytes() != text.encode():
            yield f"{path}: its results give another table"
