"""How soon models relearn what they forgot, once they are trained on it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.gaps import floor_of
from benchmark.metrics.samplewise.relearning_curve import NEAR, area, steps_until
from benchmark.names import ORIGINAL, RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.tabular import DASH, METHOD, Column, Row, Table, mean_text, method_row, number

ACCURACY = "Accuracy on forgotten images (%)"


def build(source: Source) -> Table:
    """Return the table: one block per cell, Retrain and Original first, then the methods as listed.

    Numbers are means over trials ± their standard deviation; differences to the trial's Retrain have half of their
    95 % interval instead.
    """
    steps = source.study.relearning.steps
    data = pd.concat([_of_cell(source, cell) for cell in source.cells], ignore_index=True)
    columns = [METHOD, Column("at first", ACCURACY), Column(f"after {steps} steps", ACCURACY)]
    columns += [Column("mean over steps", ACCURACY), Column("Above Retrain"), Column("Steps")]
    blocks = source.blocks(data, partial(_rows, steps=steps), facts.floor)
    return source.table(columns, blocks, _notes(source, data), data)


def curves(source: Source, cell: Cell, method: str) -> dict[int, pd.DataFrame]:
    """Return ``step, forget_accuracy`` of each trial in which a method did not diverge, by trial number."""
    diverged = source.diverged(cell, method)
    by_trial = source.by_trial(source.results.relearning, cell, method)
    return {trial: rows.sort_values("step") for trial, rows in by_trial.items() if trial not in diverged}


def methods(source: Source) -> list[str]:
    """Return Retrain, Original, then the other methods as listed."""
    return list(dict.fromkeys([RETRAIN, ORIGINAL, *source.methods]))


def _of_cell(source: Source, cell: Cell) -> pd.DataFrame:
    """Return what the ``.csv`` holds of a cell, one row per method.

    ``before``, ``after``, ``area`` with ``_sd``, in per cent; ``difference``, the mean over trials of the area above
    Retrain's, with ``_low, _high``; ``steps``, a mean, infinite where a trial never came that far; Retrain's
    ``noise_floor``.
    """
    curves_of = {method: curves(source, cell, method) for method in methods(source)}
    originals = curves_of[ORIGINAL]
    if "original" not in source.study.resample and 0 in originals:
        originals = dict.fromkeys(range(source.trials), originals[0])  # one serves all trials
    values = {method: _by_trial(trials, originals) for method, trials in curves_of.items()}
    areas, rows = {method: frame["area"] for method, frame in values.items()}, []
    floor = floor_of(areas[RETRAIN].to_numpy()[:, None])
    for method, frame in values.items():
        differences = (areas[method] - areas[RETRAIN]).dropna()
        diverged, collapsed = (len(trials(cell, method)) for trials in (source.diverged, source.collapsed))
        row: dict[str, Any] = {**vars(cell), "method": method, "trials": len(frame) + diverged}
        row |= {"diverged": diverged, "collapsed": collapsed}
        for name in ("before", "after", "area"):
            row |= {name: frame[name].mean(), f"{name}_sd": frame[name].std()}
        low, high = mean_interval(differences)
        row |= {"difference": differences.mean(), "difference_low": low, "difference_high": high}
        rows.append(row | {"steps": frame["steps"].mean(), "noise_floor": floor})
    return pd.DataFrame(rows)


def _by_trial(trials: dict[int, pd.DataFrame], originals: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Return ``before, after, area, steps`` of each trial, indexed by trial number."""
    rows = {}
    for trial, curve in trials.items():
        step, accuracy = curve["step"].to_numpy(), curve["forget_accuracy"].to_numpy()
        original = originals.get(trial)
        target = np.nan if original is None else original["forget_accuracy"].iloc[0] - NEAR
        rows[trial] = (accuracy[0], accuracy[-1], area(step, accuracy), steps_until(step, accuracy, target))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["before", "after", "area", "steps"], dtype=float)


def _rows(data: pd.DataFrame, steps: int) -> list[Row]:
    rows = []
    for row in data.to_dict("records"):
        entries = [mean_text(row[name], row[f"{name}_sd"]) for name in ("before", "after", "area")]
        half = (row["difference_high"] - row["difference_low"]) / 2
        entries.append(DASH if row["method"] == RETRAIN else mean_text(row["difference"], half))
        entries.append(f"> {steps}" if np.isinf(row["steps"]) else number(row["steps"], 0))
        rows.append(method_row(row["method"], entries, 0 < row["diverged"] == row["trials"], row["collapsed"]))
    return rows


def _notes(source: Source, data: pd.DataFrame) -> list[str]:
    study, trials = source.study, source.trials
    setup = study.relearning
    return [
        f"{'Mean ± standard deviation' if trials > 1 else 'Numbers'} {facts.over(trials)}, while a model is trained "
        f"again on all training images, retained and forgotten: {setup.steps} steps of {setup.batch_size} images at a "
        f"learning rate of {setup.lr:g}, evaluated every {setup.every}",
        "Above Retrain: how much higher the mean over steps is than Retrain's of the same trial, in points"
        + ", ± half of its 95 % interval" * (trials > 1),
        facts.meaning_of_floor(data, source.cells, "by how much one trial of Retrain differs from the others"),
        f"Steps: until forgotten images are first known within {NEAR:g} points of what Original knows, "
        "interpolated between evaluations, on average"
        + f"; > {setup.steps} where in some trial they were not by then"
        * bool(np.isinf(data["steps"]).any()),
        facts.tuned(study, source.cells, source.methods),
        facts.control([ORIGINAL]),
        facts.left_out(data),
        facts.incomplete(data, trials),
    ]
