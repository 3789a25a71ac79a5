"""Every method's settings beside the ranges that the paper searched; needs no results."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from benchmark.errors import some_of
from benchmark.names import CELL_KEYS, Cell
from benchmark.report.source import Source
from benchmark.report.style import cell_label, setting_label
from benchmark.report.tabular import METHOD, RAISED, Block, Column, Row, Table, formula, method_row
from benchmark.study.resolve import plain_values

RAISING = str.maketrans("0123456789-", RAISED)
RANGE = ["paper_low", "paper_high"]
MOST_NAMED = 4  # cells in a heading, which widens the table; the .csv names all


def build(source: Source) -> Table:
    """Return the table: one row per method, one column per setting of all methods, and one for further settings.

    Cells whose methods all have the same settings share a block. The caption has the values that all rows share, and
    the searched ranges of the columns' settings; those of further settings follow their values, in brackets. A setting
    whose range depends on the method counts as a further one.
    """
    data = setting_rows(source)
    pairs = len(data.drop_duplicates([*CELL_KEYS, "method"]))
    rows_of = {str(key): rows for key, rows in data.groupby("setting", sort=False) if len(rows) == pairs}
    common = {key: rows["value"].iloc[0] for key, rows in rows_of.items() if rows["value"].map(repr).nunique() == 1}
    # Settings of two methods may share a name alone: the range of one is not that of the other.
    one_range = [key for key, rows in rows_of.items() if len(rows[RANGE].dropna().drop_duplicates()) < 2]
    varying = [key for key in one_range if key not in common]
    blocks = [Block(_rows(rows, varying, common), heading) for heading, rows in _grouped(data)]
    columns = [METHOD, *(Column(setting_label(key)) for key in varying), Column("Further settings", wrapped=True)]
    constant = ", ".join(f"{setting_label(key)} {_value(value)}" for key, value in common.items())
    searched = ["In brackets: the range searched in the paper"]
    for row in data[data["setting"].isin(varying)].dropna(subset=RANGE).drop_duplicates("setting").itertuples():
        searched.append(f"of {setting_label(row.setting)} {_value(row.paper_low)} to {_value(row.paper_high)}")
    notes = [f"In every row: {constant}" if constant else "", "; ".join(searched)]
    return source.table(columns, blocks, notes, data)


def setting_rows(source: Source) -> pd.DataFrame:
    """Return one row per cell, method and setting: ``dataset, arch, scenario, method, setting, value``, the paper's
    range as ``paper_low, paper_high`` (NaN where it states none), and the setting's description.
    """
    rows = []
    for cell, method in product(source.cells, source.methods):
        settings = source.study.run(source.study.run_name(cell, method, 0)).settings
        values = plain_values(settings)
        for field_name, field in type(settings).model_fields.items():
            if (key := field.alias or field_name) not in values:  # nothing is known of predictions made elsewhere
                continue
            extra: Any = field.json_schema_extra or {}
            low, high = extra.get("paper_range") or (None, None)
            rows.append((*vars(cell).values(), method, key, values[key], low, high, field.description or ""))
    table = pd.DataFrame(rows, columns=[*CELL_KEYS, "method", "setting", "value", *RANGE, "description"])
    return table.astype({**dict.fromkeys(RANGE, float), "value": object})


def _grouped(data: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the heading and the first cell's rows of each group of cells with the same settings."""
    groups: dict[str, list[tuple[Cell, pd.DataFrame]]] = {}
    for parts, rows in data.groupby(CELL_KEYS, sort=False):
        settings = rows[["method", "setting", "value"]].to_csv(index=False)
        groups.setdefault(settings, []).append((Cell(*parts), rows))
    headed = []
    for members in groups.values():
        heading = some_of([cell_label(cell) for cell, _ in members], MOST_NAMED, "; ")
        if len(groups) == 1:
            heading = f"All cells: {heading}" if len(members) > 1 else ""
        headed.append((heading, members[0][1]))
    return headed


def _rows(data: pd.DataFrame, columns: list[str], common: dict[str, Any]) -> list[Row]:
    rows, shown_elsewhere = [], {*columns, *common}
    for method, method_rows in data.groupby("method", sort=False):
        values = dict(zip(method_rows["setting"], method_rows["value"], strict=True))
        further = ", ".join(_with_range(row) for row in method_rows.itertuples() if row.setting not in shown_elsewhere)
        rows.append(method_row(str(method), [*(_value(values[key]) for key in columns), further]))
    return rows


def _with_range(row: Any) -> str:
    """Return a setting with its value and, if the paper states one, its searched range."""
    text = f"{setting_label(row.setting)} {_value(row.value)}"
    return text if pd.isna(row.paper_low) else f"{text} [{_value(row.paper_low)}, {_value(row.paper_high)}]"


def _value(value: Any) -> str:
    """Return a setting's value as text: numbers are short, with a power of ten if very small."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    digits, _, power = f"{value:g}".partition("e")
    if not power:
        return digits
    raised = f"10{str(int(power)).translate(RAISING)}"
    return formula(raised if digits == "1" else f"{digits}·{raised}")
