"""What a study cost: hours and memory of all its runs, by scenario, and the machines that they ran on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.errors import number_of, some_of
from benchmark.names import ORIGINAL, RETRAIN, RUN_KEYS, MethodName
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import architecture_label, dataset_label, method_label, scenario_label
from benchmark.report.tabular import Block, Column, Row, Table

MACHINE = ["device", "cores", "precision"]


def build(source: Source) -> Table:
    """Return the table: one block per dataset and architecture, one row per scenario and kind of work, one for all."""
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
    threads = facts.values(runs, "threads")
    notes = [
        f"{len(runs)} runs took {_sums(runs)['hours']:.1f} hours of wall-clock time, start-up and evaluation included, "
        f"on {threads} thread{'s' * (threads != '1')} each",
        _machines(runs),
        f"torch {facts.values(runs, 'torch')}, commit {some_of(facts.distinct(runs, 'commit'), 3)}",
        "Memory: the peak of a run",
        "Tuning is not included" if source.study.includes_tuned else "",
    ]
    return source.table(columns, blocks, notes, data)


def _machines(runs: pd.DataFrame) -> str:
    """Name the machine; if there are several, with the hours and runs of each."""
    groups = list(runs.fillna(dict.fromkeys(MACHINE, "unknown")).groupby(MACHINE))
    named = {f"{device}, {cores} cores, {precision}": rows for (device, cores, precision), rows in groups}
    if len(named) == 1:
        return next(iter(named))
    parts = (
        f"{_sums(rows)['hours']:.1f} hours of {number_of(len(rows), 'run')} on {machine}"
        for machine, rows in named.items()
    )
    return f"By machine: {'; '.join(parts)}"


def _runs(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: Original, which every cell shows, was trained once."""
    # In runs interrupted before calls were added up, the clock covers the last call alone, training all of them.
    clock = metrics[["wall_seconds", "seconds"]].max(axis=1)
    bases = metrics["method"].map(lambda method: MethodName.parse(method).base)
    work = bases.where(bases.isin([ORIGINAL, RETRAIN]), "unlearning")
    scenario = metrics["scenario"].where(metrics["method"] != ORIGINAL, "")
    metrics = metrics.assign(work=work, scenario=scenario, wall_seconds=clock)
    return metrics.drop_duplicates(RUN_KEYS)


def _measured(runs: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (dataset, arch), group_runs in runs.groupby(["dataset", "arch"], sort=False):
        group = {"dataset": dataset, "arch": arch}
        for scenario in sorted(group_runs["scenario"].unique(), key=bool):  # first what belongs to none
            # In alphabetical order: Original, Retrain, unlearning.
            for work, work_runs in group_runs[group_runs["scenario"] == scenario].groupby("work"):
                rows.append(group | {"scenario": scenario, "work": work} | _sums(work_runs))
        rows.append(group | {"scenario": "", "work": "all"} | _sums(group_runs))
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
        scenario = scenario_label(row["scenario"]) if row["scenario"] else ""
        numbers = [f"{row['hours']:.2f}", f"{row['minutes_a_run']:.1f}", f"{row['peak_memory_mb']:.0f}"]
        rows.append([work, scenario, f"{row['runs']}", *numbers])
    return rows
