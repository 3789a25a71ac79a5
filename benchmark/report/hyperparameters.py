"""The table of every method's settings beside the ranges that the paper searched; it needs no results."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.names import Cell
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape, stacked
from benchmark.report.style import cell_label, method_label, setting_label
from benchmark.study import Study

PLACE = ["dataset", "arch", "scenario", "method"]


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a row a method, a column a setting, blank where a method has no such setting.

    Cells whose methods all have the same settings share a block. What every row has in common stands in the caption;
    the last rows give the range that the paper searched. A name that stands for different things in different methods,
    as their ranges show, gets a column for each.

    Parameters
    ----------
    study, name : the table.
    partial : changes nothing, since the study knows all that is shown.
    """
    del partial
    data = gather(study, name)
    data["column"] = _columns(data)
    common = _common(data)
    shown = data[~data["column"].isin(common)]
    columns = list(dict.fromkeys(shown["column"]))
    names = _names(columns, shown)
    blocks = [Block(_printed(rows, columns, names), title) for title, rows in _grouped(study, name, shown)]
    cells = [Cell.parse(cell) for cell in study.output(name).cells]
    told = ", ".join(f"{escape(setting_label(_setting(key)))} {_value(value)}" for key, value in common.items())
    sentences = [
        facts.subject(cells),
        f"Every row: {told}" if told else "",
        "Blank: the method has no such setting",
    ]
    caption = facts.caption(study, name, sentences)
    return Table(blocks, caption, data.drop(columns="column"), last=_ranges(shown, columns, names))


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


def _columns(data: pd.DataFrame) -> pd.Series[Any]:
    """Return each row's column: the setting, told apart by the paper's range where one name has several."""
    ranges = data.dropna(subset="paper_low").groupby("setting")[["paper_low", "paper_high"]]
    several = {key for key, found in ranges if len(found.drop_duplicates()) > 1}
    return pd.Series(
        [
            f"{row.setting}|{row.paper_low:g}|{row.paper_high:g}" if row.setting in several else row.setting
            for row in data.itertuples()
        ],
        index=data.index,
    )


def _common(data: pd.DataFrame) -> dict[str, Any]:
    """Return the settings that every row has with one value."""
    rows = len(data.drop_duplicates(PLACE))
    return {
        key: found["value"].iloc[0]
        for key, found in data.groupby("column", sort=False)
        if len(found) == rows and found["value"].map(repr).nunique() == 1
    }


def _grouped(study: Study, name: str, data: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (heading, rows of its first cell) for each group of cells with the same settings."""
    groups: dict[str, list[tuple[Cell, pd.DataFrame]]] = {}
    for place, rows in data.groupby(PLACE[:3], sort=False):
        same = rows[["method", "column", "value"]].to_csv(index=False)
        groups.setdefault(same, []).append((Cell(*place), rows))
    several = len(study.output(name).cells) > 1
    out = []
    for members in groups.values():
        cells = "; ".join(cell_label(cell) for cell, _ in members)
        every = len(groups) == 1
        out.append(("" if not several else f"All cells: {escape(cells)}" if every else escape(cells), members[0][1]))
    return out


def _printed(rows: pd.DataFrame, columns: list[str], names: list[str]) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    values = {(row.method, row.column): _value(row.value) for row in rows.itertuples()}
    methods = dict.fromkeys(rows["method"])
    cells = [[escape(method_label(m)), *(values.get((m, column), "") for column in columns)] for m in methods]
    return pd.DataFrame(cells, columns=names)


def _names(columns: list[str], data: pd.DataFrame) -> list[str]:
    """Return the columns' headings; where one name stands for several things, with the first method that means it."""
    names = ["Method"]
    for column in columns:
        label = setting_label(_setting(column))
        if column != _setting(column):
            label += f" ({method_label(data.loc[data['column'] == column, 'method'].iloc[0])})"
        names.append(stacked(escape(label)))
    return names


def _setting(column: str) -> str:
    return column.split("|")[0]


def _ranges(data: pd.DataFrame, columns: list[str], names: list[str]) -> pd.DataFrame | None:
    """Return two rows, the ends of the ranges that the paper searched, or None where it states none."""
    known = data.dropna(subset="paper_low").drop_duplicates("column").set_index("column")
    if known.empty:
        return None
    rows = [
        [
            rf"\emph{{paper's range, {end}}}",
            *(_value(known.loc[key, end_]) if key in known.index else "" for key in columns),
        ]
        for end, end_ in (("from", "paper_low"), ("to", "paper_high"))
    ]
    return pd.DataFrame(rows, columns=names)


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
