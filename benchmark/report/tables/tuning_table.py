"""What tuning is worth: average gaps with a study's own values and with tuned ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark.names import Cell, MethodName
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import setting_label
from benchmark.report.summary import COUNTS, floors_of, gaps_of_two
from benchmark.report.tabular import METHOD, Column, Row, Table, interval, method_row, number
from benchmark.study.kinds import untuned_name


def build(source: Source) -> Table:
    """Return the table: one block per cell, one row per method."""
    data = pd.DataFrame([_measured(source, cell, method) for cell in source.cells for method in source.methods])
    columns = [METHOD, Column("Own"), Column("Tuned"), Column("Gain ↑"), Column("What tuning changed", wrapped=True)]
    floors = floors_of(source.results.metrics)
    floor_texts = ", ".join(number(floors[cell]) for cell in source.cells if np.isfinite(floors.get(cell, np.nan)))
    notes = [
        f"Average gaps {facts.over(source.trials)}; in brackets the {facts.INTERVAL} of "
        "the gain, from resampling the trials",
        "Own: with the study's own hyperparameters; where tuning kept them, there is no gain",
        f"Noise floor {floor_texts}" if floor_texts else "",
        facts.tuned(source.study, source.cells, source.methods),
        facts.left_out(data),
        facts.incomplete(data, source.trials),
    ]
    blocks = source.blocks(data, lambda rows: [_row(row) for row in rows.itertuples()])
    return source.table(columns, blocks, notes, data)


def _measured(source: Source, cell: Cell, method: str) -> dict[str, object]:
    untuned = untuned_name(source.study, cell, method)
    measured = gaps_of_two(source, cell, method, untuned)
    values, listed = source.study.settings_of(cell, method), MethodName.parse(method).settings
    changes = [pair for pair in MethodName.parse(untuned).settings if pair not in listed]
    changed = ", ".join(f"{setting_label(key)} {value} to {values[key]}" for key, value in changes)
    gaps = {"own_gap": measured["second"], "tuned_gap": measured["first"], "gain": measured["value"]}
    rest = {key: measured[key] for key in ("low", "high", *COUNTS)}
    return {**vars(cell), "method": method, **gaps, **rest, "changed": changed}


def _row(row: Any) -> Row:
    ends = f" {interval(row.low, row.high)}" if np.isfinite(row.low) and row.changed else ""
    numbers = [number(row.own_gap), number(row.tuned_gap), number(row.gain) + ends]
    return method_row(row.method, [*numbers, row.changed or "as it was"], collapsed=row.collapsed)
