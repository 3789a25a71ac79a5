"""What a study took: hours and memory of all its runs, by scenario, and the machines that they ran on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.metrics.gaps import CELL
from benchmark.names import ORIGINAL, RETRAIN
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import architecture_label, dataset_label, method_label, scenario_label
from benchmark.report.tabular import Block, Column, Row, Table

WORK = (ORIGINAL, RETRAIN, "unlearning")
STAMPS = ("device", "cores", "precision", "torch", "commit", "threads")


def build(source: Source) -> Table:
    """Return the table: a block a dataset and architecture, a row a scenario and kind of work, and one for all."""
    runs = _runs(source.results.metrics)
    data = pd.DataFrame(_measured(runs))
    blocks = [
        Block(_rows(rows), f"{dataset_label(str(dataset))}, {architecture_label(str(arch))}")
        for (dataset, arch), rows in data.groupby(["dataset", "arch"], sort=False)
    ]
    if len(blocks) > 1:
        blocks.append(Block(_rows(pd.DataFrame([{"scenario": "", "work": "all"} | _sums(runs)])), "All"))
    columns = [Column("Work", heads=True), Column("Scenario", heads=True)]
    columns += map(Column, ("Runs", "Hours", "Minutes a run (median)", "Memory (MiB)"))
    of = {column: facts.values(runs, column) for column in STAMPS}
    notes = [
        f"{len(runs)} runs took {_sums(runs)['hours']:.1f} hours of wall-clock time, start-up and evaluation included, "
        f"on {of['threads']} thread{'s' * (of['threads'] != '1')} each",
        "{device}, {cores} cores, {precision}, torch {torch}, commit {commit}".format(**of),
        "Memory: the peak of a run",
        "Tuning is not included" if source.study.includes_tuned else "",
    ]
    return source.table(columns, blocks, notes, data)


def _runs(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run: Original, which every cell shows, was trained once."""
    # Of a run that was interrupted before this was added up, the clock saw the last call alone, training saw all of it.
    clock = metrics[["wall_seconds", "seconds"]].max(axis=1)
    work = metrics["method"].where(metrics["method"].isin([ORIGINAL, RETRAIN]), "unlearning")
    scenario = metrics["scenario"].where(metrics["method"] != ORIGINAL, "")
    metrics = metrics.assign(work=work, scenario=scenario, wall_seconds=clock)
    return metrics.drop_duplicates([*CELL, "method", "trial"])


def _measured(runs: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (dataset, arch), here in runs.groupby(["dataset", "arch"], sort=False):
        place = {"dataset": dataset, "arch": arch}
        for scenario in sorted(here["scenario"].unique(), key=lambda text: text != ""):
            for work in WORK:
                mine = here[(here["scenario"] == scenario) & (here["work"] == work)]
                if len(mine):
                    rows.append(place | {"scenario": scenario, "work": work} | _sums(mine))
        rows.append(place | {"scenario": "", "work": "all"} | _sums(here))
    return rows


def _sums(runs: pd.DataFrame) -> dict[str, Any]:
    return {
        "runs": len(runs),
        "hours": float(runs["wall_seconds"].sum() / 3600),
        "minutes_a_run": runs["wall_seconds"].median() / 60,
        "peak_memory_mb": runs["peak_memory_mb"].max(),
    }


def _rows(data: pd.DataFrame) -> list[Row]:
    rows: list[Row] = []
    for row in data.to_dict("records"):
        work = method_label(row["work"]) if row["work"] in (ORIGINAL, RETRAIN) else row["work"].capitalize()
        where = scenario_label(row["scenario"]) if row["scenario"] else ""
        numbers = [f"{row['hours']:.2f}", f"{row['minutes_a_run']:.1f}", f"{row['peak_memory_mb']:.0f}"]
        rows.append([work, where, f"{row['runs']}", *numbers])
    return rows
