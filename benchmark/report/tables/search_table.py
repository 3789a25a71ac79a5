"""What the search for hyperparameters found, from the file that `tune` wrote; needs no results."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmark.names import CELL_KEYS
from benchmark.report.source import Source
from benchmark.report.style import setting_label
from benchmark.report.summary import UNITS, cost_unit
from benchmark.report.tabular import METHOD, Column, Row, Table, method_row, number

BY_TEST = "By test images"
GAPS = ("avg_gap_of_own_values", "avg_gap", "test_gap", "oracle_test_gap")
NUMBERS = ("candidates", "pflops", *GAPS)
ENDS = {"low": "low end", "high": "high end", "lowest": "lowest tried", "highest": "highest tried"}
SHOWN = "shown"  # the column with the values as the table shows them


def build(source: Source) -> Table:
    """Return the table: one block per cell, one row per method searched there, with the chosen values.

    Its ``.csv`` has ``candidates`` and ``pflops`` of a method's whole search; the average gaps on tuning trials
    ``avg_gap_of_own_values`` and ``avg_gap`` (of the values chosen), by the images that they were chosen by;
    ``test_gap`` of the values chosen and ``oracle_test_gap``, the smallest of any candidate, by test images; ``values``
    and ``edges``, those that lie at an end of the range searched or of the learning rates tried. An earlier version of
    `tune` did not write them all.
    """
    about = source.study.tuned_file.get("about", {})
    data = _numbers(source)
    unit, decimals = cost_unit(data[["pflops"]].to_numpy(dtype=float))
    chosen_by = "Gap on held-out images" if about.get("hold_out") else "Gap on test images"
    columns = [METHOD, Column("Cand."), Column(unit), Column("own", chosen_by), Column("chosen", chosen_by)]
    columns += [Column("chosen", BY_TEST), Column("oracle", BY_TEST), Column("Chosen values", wrapped=True)]
    blocks = source.blocks(data, lambda rows: [_row(row, unit, decimals) for row in rows.to_dict("records")])
    return source.table(columns, blocks, _notes(about, data), data.drop(columns=SHOWN))


def _numbers(source: Source) -> pd.DataFrame:
    tuned, rows = source.study.tuned_file, []
    for cell, method in product(source.cells, source.methods):
        if not (entry := tuned["found"].get(str(cell), {}).get(method)):
            continue
        numbers: dict[str, Any] = {name: np.nan if entry.get(name) is None else float(entry[name]) for name in NUMBERS}
        values = tuned["hyperparameters"].get(str(cell), {}).get(method, {})  # some may have been removed by hand
        edges = entry.get("edges", ())
        ends = {name: f" ({ENDS[end]})" for name, end in map(str.split, edges)}
        shown = [f"{setting_label(key)} {value}{ends.get(key, '')}" for key, value in values.items()]
        texts = {"values": ", ".join(f"{key}={value}" for key, value in values.items()), "edges": ", ".join(edges)}
        rows.append({**vars(cell), "method": method, **numbers, **texts, SHOWN: ", ".join(shown)})
    return pd.DataFrame(rows, columns=[*CELL_KEYS, "method", *NUMBERS, "values", "edges", SHOWN])


def _row(row: dict[str, Any], unit: str, decimals: int) -> Row:
    effort = number(row["candidates"], 0), number(row["pflops"] * UNITS[unit], decimals)
    return method_row(row["method"], [*effort, *(number(row[name]) for name in GAPS), row[SHOWN]])


def _notes(about: dict[str, Any], data: pd.DataFrame) -> list[str]:
    by_test = ". By test images: of the chosen values, and of the candidate that is best by them, an oracle"
    remaining, given_up = about.get("left"), about.get("given_up_half_way")
    ends = {edge.split()[1] for edges in data["edges"] for edge in edges.split(", ") if edge}
    return [
        "Average gaps to Retrain, each of one run on a tuning trial that no table shows, with the study's own values "
        "and with the chosen ones" + by_test * bool(data["test_gap"].notna().any()),
        "Cand.: candidates, and the computation that they took"
        + f"; {given_up} of all {about.get('candidates')} were abandoned half-way, and have no gap" * bool(given_up),
        "Low, high end: the value lies in the outer twentieth of the range searched" if ends & {"low", "high"} else "",
        "Lowest or highest tried: no candidate had a lower or a higher learning rate"
        if ends & {"lowest", "highest"}
        else "",
        f"The search is not complete: {remaining} of its candidates are left" if remaining else "",
    ]
