"""The paper's claims on the page, with verdicts, from the tables of kind ``claims``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.names import Cell
from benchmark.report.style import short_label
from benchmark.report.tables.claims_table import cells_of, counted, is_kept
from benchmark.report.tabular import number
from benchmark.study.study import Study


def build(study: Study, partial: bool = False) -> dict[str, Any]:
    """Return the claims, each with one row per test, and the number of tests by verdict.

    Empty if the study has no such table. A table that is not drawn yet raises `StaleOutput`, unless ``partial``.
    """
    files = [paths.table(study.name, name, ".csv") for name, table in study.tables.items() if table.kind == "claims"]
    missing = [file for file in files if not file.is_file()]
    if missing and not partial:
        raise StaleOutput(f"{missing[0]} is missing: run snakemake again")
    if files == missing:
        return {}
    tests = pd.concat([pd.read_csv(file) for file in files if file not in missing], ignore_index=True)
    tests["kept"] = [is_kept(row) for row in tests.itertuples()]
    tests["value"] = tests["value"].map(number) + tests["unit"].map(lambda unit: "" if unit == "points" else f" {unit}")
    tests["paper"] = tests["paper"].map(number)
    cells = cells_of(tests)
    tests["place"] = tests["place"].map(lambda name: short_label(Cell.parse(name), cells), na_action="ignore")
    claims = [
        {**rows[["text", "where"]].iloc[0], "tests": rows.fillna({"subject": "", "remark": ""}).to_dict("records")}
        for _, rows in tests.groupby("claim", sort=False)
    ]
    return {"claims": claims, "counts": counted(tests)}
