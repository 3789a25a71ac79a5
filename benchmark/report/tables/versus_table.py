"""A table beside the paper's printed numbers: ours, the paper's, the difference, and whether both spreads cover it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial as bind

import numpy as np
import pandas as pd

from benchmark.metrics.gaps import CELL, METRICS
from benchmark.metrics.reported import TRIALS, reported_distances, reported_predictions, reported_summary
from benchmark.names import RETRAIN
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.summary import gather
from benchmark.report.tables import distances_table, predictions_table
from benchmark.report.tables.unlearning_table import AVERAGE
from benchmark.report.tabular import DASH, METHOD, THIN, Block, Column, Entry, Row, Table, method_row, number
from benchmark.study.outputs import KINDS

ROUNDING = 0.005  # what a number printed with two decimals may be away from what it stands for
NONE = "the paper prints none of these methods"
KEYS = [*CELL, "method", "column"]
ORDER = ["trials", "diverged", "ours", "ours_sd", "reported", "reported_sd", "difference", "tolerance", "within"]
BY_CLASS = {
    "predictions": (predictions_table.numbers, reported_predictions, "predicted_class", "percent"),
    "distances": (distances_table.numbers, reported_distances, "centroid_class", "distance"),
}
AVERAGES = {"avg_gap": AVERAGE, "pflops": "PFLOPs"}


def build(source: Source) -> Table:
    """Return the table: a block a cell that the paper has too, three rows for each method that it has there.

    They are our numbers, the paper's, and their difference, with an asterisk where that is more than the sum of both
    standard deviations and of the rounding of both numbers. Where the paper prints no standard deviation nothing is
    judged. Columns are those of the table that stands beside the paper's, but for averages over classes.
    """
    data = compared(*_both(source))
    printed = KINDS["tables"][source.output.kind].reported_cells
    source = replace(source, cells=[cell for cell in source.cells if str(cell) in printed])
    columns = list(dict.fromkeys(data["column"]))
    blocks = [block for block in source.blocks(data, bind(_rows, columns=columns)) if block.rows]
    blocks = blocks or [Block([[Entry(NONE, spans=True)]])]
    names = [AVERAGES.get(key, key.upper() if key in METRICS else key) for key in columns]
    heads = [METHOD, Column("", heads=True), *map(Column, names)]
    return source.table(heads, blocks, _notes(source, data), data)


def compared(ours: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Return both numbers of every method and column that the paper has, in our order, and how far they are apart.

    ``difference`` is ours minus reported; ``tolerance`` the sum of both standard deviations and twice `ROUNDING`, NaN
    where there is none; ``within``, whether the difference is at most that, or missing.

    Parameters
    ----------
    ours : ``dataset, arch, scenario, method, column, trials, diverged, ours, ours_sd``.
    reported : ``dataset, arch, scenario, method, column, reported, reported_sd``.
    """
    data = ours.merge(reported, on=KEYS, how="inner", sort=False)
    data["difference"] = data["ours"] - data["reported"]
    data["tolerance"] = data["ours_sd"] + data["reported_sd"] + 2 * ROUNDING
    # Two decimals are not exact in binary: a difference of just the tolerance must not fall outside for that.
    within = data["difference"].abs() <= data["tolerance"] + 1e-9
    data["within"] = within.astype(object).where(data[["difference", "tolerance"]].notna().all(axis=1), None)
    return data[[*KEYS, *ORDER]]


# --- both sides, a row a method and column ----------------------------------------------------------------------------


def _both(source: Source) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return our numbers and the paper's, as `compared` takes them."""
    if source.output.kind == "unlearning":
        ours = _melted(gather(source, [RETRAIN, *source.methods]), [*CELL, "method", "trials", "diverged"], "ours")
        return ours, _melted(reported_summary(), [*CELL, "method"], "reported")
    numbers, reported, column, value = BY_CLASS[source.output.kind]
    # Where classes are digits, pandas reads numbers.
    theirs = reported().rename(columns={column: "column", value: "reported"}).astype({"true_class": str, "column": str})
    theirs = theirs[theirs["true_class"] == source.output.classes[0]]
    # The paper prints no deviation of these.
    return (
        numbers(source).rename(columns={column: "column", value: "ours", f"{value}_sd": "ours_sd"}),
        theirs[[*KEYS, "reported"]].assign(reported_sd=np.nan),
    )


def _melted(data: pd.DataFrame, keys: list[str], side: str) -> pd.DataFrame:
    """Return a row a method and column of a frame like `benchmark.metrics.gaps.summarise`'s."""
    columns = {metric: (f"{metric}_mean", f"{metric}_sd") for metric in METRICS} | {key: (key, "") for key in AVERAGES}
    parts = [
        data[keys].assign(**{"column": column, side: data[value], f"{side}_sd": data[sd] if sd else np.nan})
        for column, (value, sd) in columns.items()
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


# --- cells and caption ------------------------------------------------------------------------------------------------


def _rows(data: pd.DataFrame, columns: list[str]) -> list[Row]:
    rows: list[Row] = []
    for method, numbers in data.groupby("method", sort=False):
        mine = numbers.set_index("column").reindex(columns)
        diverged = (mine["diverged"] > 0).any()
        ours = [_value(*pair) for pair in zip(mine["ours"], mine["ours_sd"], strict=True)]
        label, *cells = method_row(str(method), ours, diverged)
        rows.append([label, "ours", *cells])
        rows.append(["", "paper", *(_value(*pair) for pair in zip(mine["reported"], mine["reported_sd"], strict=True))])
        rows.append(["", "difference", *map(_difference, mine["difference"], mine["within"])])
    return rows


def _value(value: float, sd: float) -> str:
    return number(value) + (f"±{number(sd)}" if np.isfinite([value, sd]).all() else "")


def _difference(value: float, within: bool | None) -> Entry:
    """Return a difference with its sign, and an asterisk where both spreads do not cover it."""
    text = number(value)
    sign = "" if text == DASH or float(f"{value:.2f}") <= 0 else "+"
    return Entry(sign + text, after="*" if within is False else "")


def _notes(source: Source, data: pd.DataFrame) -> list[str]:
    trials = source.trials
    judged = data[data["within"].notna()]
    mean = "mean ± standard deviation " if trials > 1 else ""
    oracle = source.study.report_epoch == "best" and source.output.kind == "unlearning"
    return [
        f"Ours, {mean}{facts.over(trials)} at the {'oracle' if oracle else 'last'} epoch; the paper's, over {TRIALS} "
        "trials; and ours minus the paper's",
        f"*{THIN}more than both standard deviations and {2 * ROUNDING:.2f} for rounding together: "
        f"{len(judged) - int(judged['within'].sum())} of {len(judged)} differences"
        if len(judged)
        else "",
        facts.incomplete(data, trials),
    ]
