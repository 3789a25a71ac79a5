"""The table of every method's settings beside the ranges that the paper searched; it needs no results."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from benchmark.metrics.gaps import CELL
from benchmark.names import Cell
from benchmark.report.source import Source
from benchmark.report.style import cell_label, setting_label
from benchmark.report.tabular import METHOD, RAISED, Block, Column, Row, Table, formula, method_row

RAISING = str.maketrans("0123456789-", RAISED)
NAMED = 4  # cells in a heading, which makes the table as wide as it is; the .csv names all


def build(source: Source) -> Table:
    """Return the table: a row a method, a column a setting that all methods have, and one for all further settings.

    Cells whose methods all have the same settings share a block. What every row has in common stands in the caption.
    Behind a value, in brackets, stands the range that the paper searched; of a column's setting, in the caption.
    """
    data = gather(source)
    rows = len(data.drop_duplicates([*CELL, "method"]))
    every = {key: mine["value"] for key, mine in data.groupby("setting", sort=False) if len(mine) == rows}
    common = {key: values.iloc[0] for key, values in every.items() if values.map(repr).nunique() == 1}
    own = [str(key) for key in every if key not in common]
    shown = data[~data["setting"].isin(common)]
    blocks = [Block(_rows(mine, own), heading) for heading, mine in _grouped(shown)]
    columns = [METHOD, *(Column(setting_label(key)) for key in own), Column("Further settings", wrapped=True)]
    shared = ", ".join(f"{setting_label(str(key))} {_value(value)}" for key, value in common.items())
    searched = ["In brackets: the range searched in the paper"]
    for row in shown[shown["setting"].isin(own)].dropna(subset="paper_low").drop_duplicates("setting").itertuples():
        searched.append(f"of {setting_label(row.setting)} {_value(row.paper_low)} to {_value(row.paper_high)}")
    notes = [f"In every row: {shared}" if shared else "", "; ".join(searched)]
    return source.table(columns, blocks, notes, data)


def gather(source: Source) -> pd.DataFrame:
    """Return one row a cell, method and setting: ``dataset, arch, scenario, method, setting, value``, the paper's range
    as ``paper_low, paper_high`` (NaN where it states none), and what the setting means.
    """
    rows = []
    for cell, method in product(source.cells, source.methods):
        settings = source.study.run(source.study.run_name(cell, method, 0)).settings
        values = settings.model_dump(by_alias=True)
        for field_name, field in type(settings).model_fields.items():
            if (key := field.alias or field_name) not in values:  # of predictions made elsewhere nothing is known
                continue
            extra: Any = field.json_schema_extra or {}
            low, high = extra.get("paper_range") or (None, None)
            rows.append((*vars(cell).values(), method, key, values[key], low, high, field.description or ""))
    table = pd.DataFrame(rows, columns=[*CELL, "method", "setting", "value", "paper_low", "paper_high", "description"])
    return table.astype({"paper_low": float, "paper_high": float, "value": object})


def _grouped(data: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (heading, rows of its first cell) for each group of cells with the same settings."""
    groups: dict[str, list[tuple[Cell, pd.DataFrame]]] = {}
    for place, rows in data.groupby(CELL, sort=False):
        same = rows[["method", "setting", "value"]].to_csv(index=False)
        groups.setdefault(same, []).append((Cell(*place), rows))
    out = []
    for members in groups.values():
        heading = "; ".join(cell_label(cell) for cell, _ in members[:NAMED])
        heading += f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
        if len(groups) == 1:
            heading = f"All cells: {heading}" if len(members) > 1 else ""
        out.append((heading, members[0][1]))
    return out


def _rows(data: pd.DataFrame, columns: list[str]) -> list[Row]:
    rows = []
    for method, mine in data.groupby("method", sort=False):
        values = dict(zip(mine["setting"], mine["value"], strict=True))
        further = ", ".join(_with_range(row) for row in mine.itertuples() if row.setting not in columns)
        rows.append(method_row(str(method), [*(_value(values[key]) for key in columns), further]))
    return rows


def _with_range(row: Any) -> str:
    """Return a setting with its value and, if the paper states one, the range that it searched."""
    text = f"{setting_label(row.setting)} {_value(row.value)}"
    return text if pd.isna(row.paper_low) else f"{text} [{_value(row.paper_low)}, {_value(row.paper_high)}]"


def _value(value: Any) -> str:
    """Return a setting's value: numbers short, with a power of ten where they are very small."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if not isinstance(value, float) or "e" not in text:
        return text
    digits, power = text.split("e")
    raised = f"10{str(int(power)).translate(RAISING)}"
    return formula(raised if digits == "1" else f"{digits}·{raised}")
