"""The table of every method's settings beside the ranges that the paper searched; it needs no results."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape
from benchmark.report.style import cell_label, method_label, setting_label
from benchmark.study.study import Study

PLACE = ["dataset", "arch", "scenario", "method"]
NAMED = 4  # cells in a heading; the .csv names all


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a row a method, a column a setting that all methods have, and one for all further settings.

    Cells whose methods all have the same settings share a block. What every row has in common stands in the caption.
    Behind a value, in brackets, stands the range that the paper searched; of a column's setting, in the caption.

    Parameters
    ----------
    study, name : the table.
    partial : changes nothing, since the study knows all that is shown.
    """
    del partial
    data = gather(study, name)
    rows = len(data.drop_duplicates(PLACE))
    every = {key: found for key, found in data.groupby("setting", sort=False) if len(found) == rows}
    common = {key: found["value"].iloc[0] for key, found in every.items() if found["value"].map(repr).nunique() == 1}
    columns = [key for key in every if key not in common]
    shown = data[~data["setting"].isin(common)]
    blocks = [Block(_printed(mine, columns), title) for title, mine in _grouped(study, name, shown)]
    told = ", ".join(f"{escape(setting_label(key))} {_value(value)}" for key, value in common.items())
    ranges = shown[shown["setting"].isin(columns)].dropna(subset="paper_low").drop_duplicates("setting")
    searched = [
        f"of {escape(setting_label(row.setting))} {_value(row.paper_low)} to {_value(row.paper_high)}"
        for row in ranges.itertuples()
    ]
    sentences = [
        facts.subject([Cell.parse(cell) for cell in study.output(name).cells]),
        f"Every row: {told}" if told else "",
        "; ".join(["In brackets: the range that the paper searched", *searched]),
    ]
    return Table(blocks, facts.caption(study, name, sentences), data, last_left=True)


def gather(study: Study, name: str) -> pd.DataFrame:
    """Return one row a cell, method and setting: ``dataset, arch, scenario, method, setting, value``, the paper's range
    as ``paper_low, paper_high`` (NaN where it states none), and what the setting means.
    """
    output = study.output(name)
    rows = []
    for cell in map(Cell.parse, output.cells):
        for method in output.methods:
            settings = study.run(study.run_name(cell, method, 0)).settings
            values = settings.model_dump(by_alias=True)
            for field_name, field in type(settings).model_fields.items():
                key = field.alias or field_name
                extra: Any = field.json_schema_extra or {}
                low, high = extra.get("paper_range") or (None, None)
                place = (cell.dataset, cell.arch, cell.scenario, method)
                rows.append((*place, key, values[key], low, high, field.description or ""))
    table = pd.DataFrame(rows, columns=[*PLACE, "setting", "value", "paper_low", "paper_high", "description"])
    return table.astype({"paper_low": float, "paper_high": float, "value": object})


def _grouped(study: Study, name: str, data: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (heading, rows of its first cell) for each group of cells with the same settings."""
    groups: dict[str, list[tuple[Cell, pd.DataFrame]]] = {}
    for place, rows in data.groupby(PLACE[:3], sort=False):
        same = rows[["method", "setting", "value"]].to_csv(index=False)
        groups.setdefault(same, []).append((Cell(*place), rows))
    several = len(study.output(name).cells) > 1
    out = []
    for members in groups.values():
        # A heading is as wide as it is, and the table with it.
        cells = "; ".join(cell_label(cell) for cell, _ in members[:NAMED])
        cells += f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
        every = len(groups) == 1
        out.append(("" if not several else f"All cells: {escape(cells)}" if every else escape(cells), members[0][1]))
    return out


def _printed(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    cells = []
    for method, mine in rows.groupby("method", sort=False):
        values = dict(zip(mine["setting"], mine["value"], strict=True))
        further = [_told(row) for row in mine.itertuples() if row.setting not in columns]
        label = escape(method_label(str(method)))
        cells.append([label, *(_value(values[key]) for key in columns), ", ".join(further)])
    return pd.DataFrame(cells, columns=["Method", *(escape(setting_label(key)) for key in columns), "Further settings"])


def _told(row: Any) -> str:
    """Return a setting with its value and, if the paper states one, the range that it searched."""
    text = f"{escape(setting_label(row.setting))} {_value(row.value)}"
    return text if pd.isna(row.paper_low) else f"{text} [{_value(row.paper_low)}, {_value(row.paper_high)}]"


def _value(value: Any) -> str:
    """Return a setting's value in LaTeX: numbers short, with a power of ten where they are very small."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return escape(str(value))
    text = f"{value:g}"
    if "e" not in text:
        return text
    digits, power = text.split("e")
    return rf"${digits}\!\cdot\!10^{{{int(power)}}}$" if digits != "1" else rf"$10^{{{int(power)}}}$"
