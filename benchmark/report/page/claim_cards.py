"""The page's claims of the paper and their verdicts, from the tables of kind ``claims``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.metrics.verdicts import UNTESTED
from benchmark.names import Cell
from benchmark.report.style import cell_label
from benchmark.report.tables.claims_table import VERDICTS, is_kept
from benchmark.report.tabular import number
from benchmark.study.study import Study


def build(study: Study, partial: bool = False) -> dict[str, Any]:
    """Return the claims, each with a row a place where it was tested, and how many have which verdict.

    Empty if the study has no such table, or if it is not drawn yet and ``partial``; else raises `StaleOutput`.
    """
    drawn = []
    for name, table in study.tables.items():
        if table.kind == "claims":
            path = paths.table(study.name, name, ".csv")
            if path.is_file():
                drawn.append(pd.read_csv(path))
            elif not partial:
                raise StaleOutput(f"{path} is missing: run snakemake again")
    if not drawn:
        return {}
    tests = pd.concat(drawn, ignore_index=True)
    counts = tests["verdict"].value_counts()
    claims = [
        {**rows[["text", "where"]].iloc[0], "tests": [_test(row) for row in rows.itertuples()]}
        for _, rows in tests.groupby("claim", sort=False)
    ]
    return {"claims": claims, "counts": {one: int(counts[one]) for one in VERDICTS if one in counts}}


def _test(row: Any) -> dict[str, str]:
    if row.verdict == UNTESTED:
        return {"place": "", "subject": row.remark, "value": "", "interval": "", "verdict": row.verdict}
    subject, remark = (text if isinstance(text, str) else "" for text in (row.subject, row.remark))
    known = np.isfinite(row.low)
    return {
        "place": cell_label(Cell.parse(row.place)),
        "subject": f"{subject} ({remark})" if known and remark else subject,
        "value": number(row.value) + ("" if row.unit == "points" else f" {row.unit}"),
        "interval": f"{number(row.low)} to {number(row.high)}" if known else remark,
        "verdict": row.verdict + "*" * is_kept(row),
    }
