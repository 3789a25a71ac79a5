"""What the models of a cell say of every sample, trial by trial, read from the runs: what audits are computed from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import StaleOutput
from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS
from benchmark.metrics.samplewise.battery import COLUMNS, Outputs, by_trial, summary
from benchmark.metrics.samplewise.margins import Floats, margin_of_loss
from benchmark.metrics.samplewise.sufficiency import Forgetting
from benchmark.names import RETRAIN, Cell
from benchmark.paths import SAMPLES
from benchmark.results import records
from benchmark.results.frames import Results
from benchmark.study.runs import Run, placed
from benchmark.study.study import Study


def audit_table(results: Results, methods: Iterable[str] | None = None) -> pd.DataFrame:
    """Return a row a cell, method and audit, with its null and intervals: `summary` of `audits_by_trial`."""
    return summary(audits_by_trial(results, methods), CELL)


def audits_by_trial(results: Results, methods: Iterable[str] | None = None) -> pd.DataFrame:
    """Return what `by_trial` does of every cell that has Retrain: ``dataset, arch, scenario`` and its columns.

    Given ``methods``, only these are audited. A run that diverged is left out. What is not on disk raises
    `StaleOutput`, since the gathered files have no rows of samples.
    """
    wanted = None if methods is None else {RETRAIN, *methods}
    frames = []
    for cell in results.cells:
        here = in_cell(results.metrics, cell)
        here = here[(here["status"] != DIVERGED) & (wanted is None or here["method"].isin(wanted or ()))]
        if RETRAIN in set(here["method"]):
            frame = by_trial(*_of_cell(results.study, results.runs, cell, here))
            frames.append(frame.assign(**vars(cell))[[*CELL, *frame.columns]])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*CELL, *COLUMNS])


def _of_cell(
    study: Study, runs: Iterable[Run], cell: Cell, metrics: pd.DataFrame
) -> tuple[dict[str, Outputs], Forgetting]:
    """Return what each method's models say, and what the trials of Retrain forgot."""
    numbers = metrics.set_index(["method", "trial"])[METRICS]
    here = [run for run, _ in placed(runs, [cell]) if (run.name.method, run.name.trial) in numbers.index]
    forgets = {run.name.trial: records.forget(study, run, cell.scenario) for run in here if run.name.method == RETRAIN}
    outputs = {}
    for method in dict.fromkeys(run.name.method for run in here):
        mine = [run for run in here if run.name.method == method and run.name.trial in forgets]
        rows = [_of_run(study, run, forgets[run.name.trial]) for run in mine]
        trials = np.array([run.name.trial for run in mine], dtype=np.int64)
        values = numbers.loc[[(method, trial) for trial in trials]].to_numpy(dtype=float)
        if rows:
            margins, predictions, tests, unseen = (np.stack(part) for part in zip(*rows, strict=True))
            outputs[method] = Outputs(trials, margins, predictions, tests, unseen, values)
    forgotten = np.zeros((len(forgets), outputs[RETRAIN].margin.shape[1]), dtype=bool)
    for row, frame in zip(forgotten, forgets.values(), strict=True):
        row[_indices(frame, "train")] = True
    return outputs, Forgetting(np.array(list(forgets)), forgotten, np.zeros_like(forgotten))


def _of_run(study: Study, run: Run, forget: pd.DataFrame) -> tuple[Any, ...]:
    """Return margins and predictions of the training samples, and the margins of both kinds of test samples."""
    samples = records.frame(study, run, SAMPLES).sort_values("index")
    train, test = (samples[samples["split"] == split] for split in ("train", "test"))
    if not np.array_equal(train["index"], np.arange(len(train))):
        raise StaleOutput(f"{run.name}: its samples lack some of the training set: run snakemake again")
    left_out = test["index"].isin(_indices(forget, "test")).to_numpy()
    margins = margin(test)
    unseen = margins[left_out] if left_out.any() else margins
    return margin(train), train["prediction"].to_numpy(), margins[~left_out], unseen


def margin(samples: pd.DataFrame) -> Floats:
    """Return the margin of each row, (rows,): from the loss, and so approximate, where an older file has no margin."""
    if "margin" in samples:
        return samples["margin"].to_numpy(dtype=float)
    return margin_of_loss(samples["loss"].to_numpy())


def _indices(forget: pd.DataFrame, split: str) -> Any:
    return forget.loc[forget["split"] == split, "index"].to_numpy()
