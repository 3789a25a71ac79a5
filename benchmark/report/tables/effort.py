"""What a study took: hours and memory of all its runs, by scenario, and the machines that they ran on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmark.metrics.gaps import CELL
from benchmark.names import ORIGINAL, RETRAIN
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape
from benchmark.report.style import architecture_label, dataset_label, method_label, scenario_label
from benchmark.results import frames
from benchmark.study.study import Study

WORK = {ORIGINAL: method_label(ORIGINAL), RETRAIN: method_label(RETRAIN), "unlearning": "Unlearning"}


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a dataset and architecture, a row a scenario and kind of work, one for all at the end.

    Parameters
    ----------
    study, name : the table.
    partial : draw it from gathered results of another configuration too, instead of failing.

    Raises
    ------
    StaleOutput
        If results have not been gathered, are damaged, or are not all of the study's configuration, unless ``partial``.
    """
    metrics = frames.gathered_frame(study, "metrics")
    if not partial:
        frames.require(study, metrics)
    runs = _runs(metrics)
    data = pd.DataFrame(_rows(runs))
    blocks = [
        Block(_printed(rows), escape(f"{dataset_label(str(dataset))}, {architecture_label(str(arch))}"))
        for (dataset, arch), rows in data.groupby(["dataset", "arch"], sort=False)
    ]
    if len(blocks) > 1:
        blocks.append(Block(_printed(pd.DataFrame([_row(runs)])), "All"))
    threads = _told(runs, "threads")
    sentences = [
        f"{len(runs)} runs: {_hours(runs):.1f} hours of jobs by the clock, start-up and evaluation included, each on "
        f"{threads} thread{'s' * (threads != '1')}",
        f"On {_told(runs, 'device')} with {_told(runs, 'cores')} cores, in {_told(runs, 'precision')}, by torch "
        f"{_told(runs, 'torch')}, at commit {_told(runs, 'commit')}",
        "Memory: the most that a run held",
        "The search for hyperparameters is not among them" if study.includes_tuned else "",
    ]
    return Table(blocks, facts.caption(study, name, sentences), data, left=2)


def _runs(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run: Original, which every cell shows, was trained once."""
    # Of a run that was interrupted before this was added up, the clock saw the last call alone, training saw all of it.
    clock = metrics[["wall_seconds", "seconds"]].max(axis=1)
    metrics = metrics.assign(wall_seconds=clock)
    work = metrics["method"].where(metrics["method"].isin([ORIGINAL, RETRAIN]), "unlearning")
    scenario = metrics["scenario"].where(metrics["method"] != ORIGINAL, "")
    return metrics.assign(work=work, scenario=scenario).drop_duplicates([*CELL, "method", "trial"])


def _rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (dataset, arch), here in runs.groupby(["dataset", "arch"], sort=False):
        place = {"dataset": dataset, "arch": arch}
        for scenario in sorted(here["scenario"].unique(), key=lambda text: text != ""):
            for work in WORK:
                mine = here[(here["scenario"] == scenario) & (here["work"] == work)]
                if len(mine):
                    rows.append(place | {"scenario": scenario, "work": work} | _row(mine))
        rows.append(place | {"scenario": "", "work": "all"} | _row(here))
    return rows


def _row(runs: pd.DataFrame) -> dict[str, Any]:
    return {
        "runs": len(runs),
        "hours": _hours(runs),
        "minutes_a_run": runs["wall_seconds"].median() / 60,
        "peak_memory_mb": runs["peak_memory_mb"].max(),
    }


def _hours(runs: pd.DataFrame) -> float:
    return float(runs["wall_seconds"].sum() / 3600)


def _told(runs: pd.DataFrame, column: str) -> str:
    return escape(" and ".join(sorted(runs[column].dropna().astype(str).unique())))


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    cells = []
    for row in rows.to_dict("records"):
        where = escape(scenario_label(row["scenario"])) if row.get("scenario") else ""
        numbers = [f"{row['hours']:.2f}", f"{row['minutes_a_run']:.1f}", f"{row['peak_memory_mb']:.0f}"]
        cells.append([WORK.get(row.get("work", "all"), "All"), where, f"{row['runs']}", *numbers])
    columns = ["Work", "Scenario", "Runs", "Hours", "Minutes a run (median)", "Memory (MiB)"]
    return pd.DataFrame(cells, columns=columns)
