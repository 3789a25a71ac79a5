"""What tuning is worth: average gaps with a study's own values and with tuned ones, on trials that tuning never saw."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.names import Cell, MethodName
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import setting_label
from benchmark.report.summary import floors_of
from benchmark.report.tables.paired import compared
from benchmark.report.tabular import METHOD, THIN, Column, Row, Table, interval, method_row, number
from benchmark.study.outputs import own_values


def build(source: Source) -> Table:
    """Return the table: a block a cell, a row a method."""
    data = pd.DataFrame([_measured(source, cell, method) for cell in source.cells for method in source.methods])
    columns = [METHOD, Column("Own"), Column("Tuned"), Column("Gain ↑"), Column("What tuning changed", wrapped=True)]
    floors = floors_of(source.results.metrics)
    known = ", ".join(number(floors[cell]) for cell in source.cells if np.isfinite(floors.get(cell, np.nan)))
    notes = [
        f"Average gaps {facts.over(source.trials)} that tuning never saw; in brackets the 95{THIN}% interval of what "
        "tuning gains, from drawing trials anew",
        "Own: the method's values in the study before tuning; a method that tuning left as it was gains nothing",
        f"Noise floor {known}" if known else "",
        facts.left_out(data),
    ]
    return source.table(columns, source.blocks(data, _rows), notes, data)


def _measured(source: Source, cell: Cell, method: str) -> dict[str, object]:
    tuned, own = (source.run_method(cell, name) for name in (method, own_values(source.study, cell, method)))
    both, lost = compared(source.results.metrics, cell, tuned, own)
    row = dict.fromkeys(("own_gap", "tuned_gap", "gain", "low", "high"), np.nan) | {"trials": 0}
    if both is not None:
        trials, gain = both
        every = np.arange(len(trials))[None]
        row = {"own_gap": float(trials.gap(own, every)[0]), "tuned_gap": float(trials.gap(tuned, every)[0])}
        row |= {"gain": gain.value, "low": gain.low, "high": gain.high, "trials": len(trials)}
    values, before = source.settings(cell, method), MethodName.parse(own).settings
    changed = ", ".join(f"{setting_label(key)} {value} to {values[key]}" for key, value in before)
    return {**vars(cell), "method": method, **row, "diverged": lost, "changed": changed}


def _rows(data: pd.DataFrame) -> list[Row]:
    rows = []
    for row in data.itertuples():
        ends = f" {interval(row.low, row.high)}" if np.isfinite(row.low) and row.changed else ""
        numbers = [number(row.own_gap), number(row.tuned_gap), number(row.gain) + ends]
        rows.append(method_row(str(row.method), [*numbers, row.changed or "as it was"]))
    return rows
