"""What tuning is worth: average gaps with a study's own values and with tuned ones, on trials that tuning never saw."""

from __future__ import annotations

from functools import partial as bind

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, estimate
from benchmark.metrics.evidence import Floats, Trials, in_cell
from benchmark.names import RETRAIN, Cell, MethodName
from benchmark.report import facts
from benchmark.report.style import method_label, setting_label
from benchmark.report.tables.source import Source
from benchmark.report.tables.unlearning import floors_of
from benchmark.report.tabular import THIN, Column, Row, Table, interval, number
from benchmark.study.outputs import own_values


def build(source: Source) -> Table:
    """Return the table: a block a cell, a row a method."""
    metrics = source.results.metrics
    data = pd.DataFrame([_measured(source, cell, method) for cell in source.cells for method in source.methods])
    blocks = [source.block(cell, _rows(in_cell(data, cell))) for cell in source.cells]
    columns = [Column("Method", heads=True), Column("Own"), Column("Tuned"), Column("Gain ↑")]
    columns.append(Column("What tuning changed", wrapped=True))
    floors = floors_of(metrics) if len(metrics) else {}
    known = ", ".join(number(floors[cell]) for cell in source.cells if np.isfinite(floors.get(cell, np.nan)))
    notes = [
        f"Average gaps {facts.over(source.trials)} that tuning never saw; in brackets the 95{THIN}% interval of what "
        "tuning gains, from drawing trials anew",
        "Own: the method's values in the study before tuning; a method that tuning left as it was gains nothing",
        f"Noise floor {known}" if known else "",
        facts.left_out(data),
    ]
    return source.table(columns, blocks, notes, data)


def _measured(source: Source, cell: Cell, method: str) -> dict[str, object]:
    study, metrics = source.study, source.results.metrics
    tuned, own = (study.run_name(cell, name, 0).method for name in (method, own_values(study, cell, method)))
    row = dict.fromkeys(("own_gap", "tuned_gap", "gain", "low", "high"), np.nan) | {"trials": 0, "diverged": 0}
    trials = Trials(metrics, cell, dict.fromkeys((tuned, own))) if len(metrics) else None
    if trials and len(trials) and {tuned, own, RETRAIN} <= set(trials.values):
        gain = estimate(bind(_gain, trials, own, tuned), len(trials))
        every = np.arange(len(trials))[None]
        row = {"own_gap": float(trials.gap(own, every)[0]), "tuned_gap": float(trials.gap(tuned, every)[0])}
        row |= {"gain": gain.value, "low": gain.low, "high": gain.high, "trials": len(trials)}
    row["diverged"] = trials.lost if trials is not None else 0
    values = study.run(study.run_name(cell, tuned, 0)).settings.model_dump(by_alias=True)
    before = MethodName.parse(own).settings
    changed = ", ".join(f"{setting_label(key)} {value} to {values[key]}" for key, value in before)
    return {**vars(cell), "method": method, **row, "changed": changed}


def _gain(trials: Trials, own: str, tuned: str, drawn: Indices) -> Floats:
    return trials.gap(own, drawn) - trials.gap(tuned, drawn)


def _rows(data: pd.DataFrame) -> list[Row]:
    """Return one block's rows."""
    rows: list[Row] = []
    for row in data.itertuples():
        ends = f" {interval(row.low, row.high)}" if np.isfinite(row.low) and row.changed else ""
        numbers = [number(row.own_gap), number(row.tuned_gap), number(row.gain) + ends]
        rows.append([method_label(str(row.method)), *numbers, row.changed or "as it was"])
    return rows
