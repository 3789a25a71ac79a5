"""All runs of a study in four parquet files that open in plain pandas; docs/results.md describes every column."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import outdate, write_parquet
from benchmark.metrics import membership
from benchmark.metrics.gaps import per_run_gaps
from benchmark.names import RETRAIN, Cell
from benchmark.results import published
from benchmark.results import records as results
from benchmark.study.outputs import MAPS
from benchmark.study.runs import Derived, Run, placed
from benchmark.study.study import Study
from benchmark.workflow.targets import COLLECTED


def collect(study: Study, partial: bool = False, replace: bool = False) -> list[Path]:
    """Write ``results/<study>-{metrics,history,predictions,embeddings}.parquet`` and return the paths.

    Parameters
    ----------
    partial : leave out what is missing or out of date instead of failing.
    replace : whether results that the study calls published may come out otherwise than they are in git.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, or if its history's last row is not what its samples
        say.
    BadInput
        If other results than these were published, unless ``replace``.
    """
    frames = gather(study, partial)
    if study.published and not replace:
        published.keep(study, frames["metrics"])
    for what in COLLECTED:
        write_parquet(paths.collected(study.name, what), frames[what])
        if partial:
            outdate(paths.collected(study.name, what))  # the workflow gathers the rest as soon as it is asked to
    return [paths.collected(study.name, what) for what in COLLECTED]


def gather(study: Study, partial: bool = False) -> dict[str, pd.DataFrame]:
    """Return what `collect` writes, each frame by its name; parameters and errors are those of `collect`."""
    return {
        "metrics": _metrics(study, partial),
        "history": _gather(study.runs(), lambda run: _history(study, run), partial),
        "predictions": _gather(placed(study.runs(), study.cells), lambda pair: _predictions(study, *pair), partial),
        "embeddings": _gather(_maps(study), lambda one: _map(study, one), partial),
    }


def _metrics(study: Study, partial: bool) -> pd.DataFrame:
    table = results.metrics(study, study.runs(), study.cells, partial)
    if table.empty:
        return table
    with_reference = table.groupby(["dataset", "arch", "scenario"])["method"].transform(lambda m: (m == RETRAIN).any())
    gaps = per_run_gaps(table[with_reference]) if with_reference.any() else table[with_reference]
    return pd.concat([gaps, table[~with_reference]], ignore_index=True)


def _gather(items: Any, read: Callable[[Any], pd.DataFrame], partial: bool) -> pd.DataFrame:
    def attempt(item: Any) -> pd.DataFrame | None:
        try:
            return read(item)
        except StaleOutput:
            if partial:
                return None
            raise

    # Threads, since reading and decompressing release the interpreter's lock. Where one fails, those under way are
    # waited for: a process that ends while a thread is inside Arrow may hang at its end.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        frames = [frame for frame in pool.map(attempt, items) if frame is not None]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _named(study: Study, run: Run, scenario: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Put the run's name before a frame's own columns."""
    name = run.name
    told = {"study": study.name, "dataset": name.dataset, "arch": name.arch, "scenario": scenario}
    return frame.assign(**told, method=name.method, trial=name.trial)[[*told, "method", "trial", *frame.columns]]


def _history(study: Study, run: Run) -> pd.DataFrame:
    return _named(study, run, run.name.scenario, results.frame(study, run, paths.HISTORY))


def _maps(study: Study) -> list[Derived]:
    return [one for one in study.derived if one.what == MAPS]


def _map(study: Study, one: Derived) -> pd.DataFrame:
    # A run that diverged has no places on a map.
    found = _with_class_names(study, one.run, results.derived(study, one).dropna(ignore_index=True))
    return _named(study, one.run, one.scenario, found)


def _predictions(study: Study, run: Run, cell: Cell) -> pd.DataFrame:
    """Count, for retain, forget, test and left-out samples of each class, what they are taken for."""
    samples = results.frame(study, run, paths.SAMPLES)
    samples["membership"] = membership(samples, results.forget(study, run, cell.scenario)).astype(str)
    _agree(study, run, samples)
    keys = ["membership", "label"]
    counts = samples.groupby([*keys, "prediction"]).size().rename("count").reset_index()
    counts["percent"] = 100 * counts["count"] / counts.groupby(keys)["count"].transform("sum")
    return _named(study, run, cell.scenario, _with_class_names(study, run, counts))


def _with_class_names(study: Study, run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    classes = np.array(results.classes(study, run.name.dataset))
    return frame.assign(label=classes[frame["label"]], prediction=classes[frame["prediction"]])


def _agree(study: Study, run: Run, samples: pd.DataFrame) -> None:
    """Compare the accuracies in the history's last row with the samples: two records of one evaluation."""
    if run.name.is_original or results.record(study, run)["status"] == results.DIVERGED:
        return
    last = results.frame(study, run, paths.HISTORY).iloc[-1]
    right = 100 * (samples["label"] == samples["prediction"]).groupby(samples["membership"]).mean()
    for metric, found in (("ra", right["retain"]), ("ua", 100 - right["forget"]), ("ta", right["test"])):
        if abs(found - last[metric]) > 1e-6:
            folder = paths.run(study.name, run.name)
            raise StaleOutput(f"{folder}: {metric} is {found:.4f} by samples, {last[metric]:.4f} by history: delete it")
