"""The page's matrices: counts of what each method predicts for each class."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.metrics.evidence import in_cell, of_runs_in
from benchmark.names import DIVERGED, Cell
from benchmark.report.page.maps import packed
from benchmark.report.page.table import with_reference
from benchmark.report.style import cell_label, in_order, method_label
from benchmark.results.frames import Results

MEMBERSHIPS = ("forget", "retain", "test")
MOST_CLASSES = 20  # in a matrix that can still be read


def build(results: Results, cells: list[Cell]) -> list[dict[str, Any]]:
    """Return each cell of few enough classes: every method's (true, predicted) counts, by membership.

    They are over the trials that did not diverge.
    """
    compared, finite = [], _finite(results)
    for cell in cells:
        classes = results.classes(cell.dataset) if len(in_cell(results.predictions, cell)) else []
        if 0 < len(classes) <= MOST_CLASSES:
            rows = with_reference(finite, cell)
            methods = [
                {"name": name, "label": method_label(name), "counts": _counts(rows[rows["method"] == name], classes)}
                for name in in_order(rows["method"].unique())
            ]
            compared.append({"name": str(cell), "label": cell_label(cell), "classes": classes, "methods": methods})
    return compared


def _finite(results: Results) -> pd.DataFrame:
    """Return the predictions of runs that did not diverge: those of the others mean nothing."""
    diverged = results.metrics[results.metrics["status"] == DIVERGED]
    return results.predictions[~of_runs_in(results.predictions, diverged)]


def _counts(rows: pd.DataFrame, classes: list[str]) -> dict[str, dict[str, str]]:
    pairs = pd.MultiIndex.from_product([MEMBERSHIPS, classes, classes])
    counts = rows.groupby(["membership", "label", "prediction"])["count"].sum().reindex(pairs, fill_value=0)
    return {membership: packed(counts[membership].to_numpy()) for membership in MEMBERSHIPS}
