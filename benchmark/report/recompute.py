"""Recomputed results: metrics from samples and splits, gathered files from runs, tables and claims from both.

Digests show that a file is as it was written. This shows that it follows from the samples, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.metrics.samples import METRICS
from benchmark.names import DIVERGED, RUN_KEYS, Cell, RunName
from benchmark.report.draw import texts
from benchmark.results import frames, records
from benchmark.results.measured import from_samples
from benchmark.study.runs import Run, with_cells
from benchmark.study.study import Study
from benchmark.workflow.targets import missing

EQUAL = 1e-9  # relative, and absolute near 0: the same number, added in another order
OF_ONE_EVALUATION = 1e-6  # points: two records of it differ by less


def changed_results(study: Study) -> list[str]:
    """Return a line for each metric of a run, gathered file and table file that comes out different."""
    results = frames.of_study(study)
    steps: list[Callable[[], Iterable[str]]] = [
        partial(contradicted_histories, study),
        *(partial(_gathered, results, frame) for frame in paths.FRAMES if results.runs),
        *(partial(_table, study, name) for name in study.tables | study.versus_tables),
    ]
    incomplete, lines = bool(missing(study)), []
    for step in steps:
        try:
            lines += list(step())
        except StaleOutput as error:  # missing data cannot be recomputed, and is counted as missing
            lines += [] if incomplete else [str(error)]
        except BadInput as error:
            lines.append(str(error))
    return lines


def contradicted_histories(study: Study) -> list[str]:
    """Measure the runs that are there by their samples; describe those whose history ends in other metrics."""
    runs = [run for run in study.runs() if records.is_there(run)]
    pairs = [(run, cell) for run, cell in with_cells(runs, study.cells) if not run.name.is_original]
    return list(filter(None, records.read_all(lambda pair: _contradiction(study, *pair), pairs)))


def _contradiction(study: Study, run: Run, cell: Cell) -> str:
    if records.record(study, run)["status"] == DIVERGED:
        return ""
    by_samples, last = from_samples(study, run, cell), records.frame(study, run, paths.HISTORY).iloc[-1]
    unequal = [metric for metric in METRICS if not abs(by_samples[metric] - last[metric]) <= OF_ONE_EVALUATION]
    texts = [f"{metric} is {by_samples[metric]:.4f} by samples, {last[metric]:.4f} by history" for metric in unequal]
    return f"run {run.name}: {', '.join(texts)}" if texts else ""


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
            run = RunName.of_row(*row[RUN_KEYS])
            yield f"{path}: {column} of {run} is {row[column]}, its run gives {derived[column].iloc[rows[0]]}"


def _equal(stored: pd.Series[object], derived: pd.Series[object]) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(stored) and pd.api.types.is_numeric_dtype(derived):
        return np.isclose(stored.to_numpy(float), derived.to_numpy(float), rtol=EQUAL, atol=EQUAL, equal_nan=True)
    return ((stored == derived) | (stored.isna() & derived.isna())).to_numpy(bool)


def _table(study: Study, name: str) -> Iterator[str]:
    for path, text in texts(study, name, replace=True).items():
        if path.is_file() and path.read_bytes() != text.encode():
            yield f"{path}: its results give another table"
