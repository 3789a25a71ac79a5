"""A table beside the paper's printed numbers: ours, the paper's, the difference, and whether it matters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from benchmark.metrics.arithmetic import corrected_summary, gap_slips
from benchmark.metrics.bootstrap import welch_interval
from benchmark.metrics.gaps import average_difference
from benchmark.metrics.reported import TRIALS, reported_distances, reported_predictions
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, RETRAIN, Cell, competes
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import method_label, short_label
from benchmark.report.summary import COUNTS, method_numbers
from benchmark.report.tables import distances_table, predictions_table
from benchmark.report.tables.unlearning_table import AVERAGE
from benchmark.report.tabular import DASH, METHOD, Block, Column, Entry, Row, Table, mean_text, method_row, number

ROUNDING = 0.005  # how far a number printed with two decimals may be from its exact value
NONE = "the paper prints none of these methods"
WITHIN, BEYOND, UNDECIDED = "within", "beyond", "undecided"
MARKS = {WITHIN: "✓", BEYOND: "*"}
KEYS = [*CELL_KEYS, "method", "column"]
ORDER = [*COUNTS, "ours", "ours_sd", "reported", "reported_sd", "difference", "low", "high", "verdict"]
BY_CLASS = {
    "predictions": (predictions_table.numbers, reported_predictions, "predicted_class", "percent"),
    "distances": (distances_table.numbers, reported_distances, "centroid_class", "distance"),
}
AVERAGES = {"avg_gap": AVERAGE, "avg_diff": "Avg. diff. ↓", "pflops": "PFLOPs"}
RANKED = ("avg_gap", "avg_diff")  # the averages that methods are ranked by


def build(source: Source) -> Table:
    """Return the table: one block per cell that the paper has too, three rows per method there, and a summary.

    The rows are our numbers, the paper's, and their difference, marked where its 95 % interval lies within the study's
    margin or beyond it. Where the paper prints no standard deviation, nothing is judged.
    The summary has the share of differences within the margin by column, and the rank correlation of the averages.
    """
    data = compared(*_numbers(source), source.study.margin)
    printed = source.study.kind_of(source.name).reported_cells
    source = replace(source, cells=[cell for cell in source.cells if str(cell) in printed])
    columns = list(dict.fromkeys(data["column"]))
    blocks = [block for block in source.blocks(data, partial(_rows, columns=columns)) if block.rows]
    ranks = ranking(data)
    blocks.append(Block([_summary(data, columns, ranks)] if blocks else [[Entry(NONE, spans=True)]]))
    names = [AVERAGES.get(key, key.upper() if key in METRICS else key) for key in columns]
    heads = [METHOD, Column("", heads=True), *map(Column, names)]
    return source.table(heads, blocks, _notes(source, data, ranks), data)


def compared(ours: pd.DataFrame, reported: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return our number and the paper's for every method and column that it has, in our order, and their difference.

    ``difference`` is ours minus reported; ``low, high`` Welch's 95 % interval of it, wider by `ROUNDING` of the paper's
    mean; ``verdict``, whether that lies `WITHIN` ± ``margin``, `BEYOND` it, or neither; none without an interval.

    Parameters
    ----------
    ours : ``dataset, arch, scenario, method, column, trials, diverged, collapsed, ours, ours_sd``.
    reported : ``dataset, arch, scenario, method, column, reported, reported_sd``.
    margin : in points.
    """
    data = ours.merge(reported, on=KEYS, how="inner", sort=False)
    difference = (data["ours"] - data["reported"]).to_numpy(dtype=float)
    sds = data["ours_sd"].to_numpy(dtype=float), data["reported_sd"].to_numpy(dtype=float)
    low, high = welch_interval(difference, sds, (data["trials"].to_numpy(dtype=float), np.full(len(data), TRIALS)))
    low, high = low - ROUNDING, high + ROUNDING
    verdict = np.full(len(data), None, dtype=object)
    verdict[np.isfinite(low)] = UNDECIDED
    verdict[(low >= -margin) & (high <= margin)] = WITHIN
    verdict[(low > margin) | (high < -margin)] = BEYOND
    return data.assign(difference=difference, low=low, high=high, verdict=verdict)[[*KEYS, *ORDER]]


def ranking(data: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of methods that unlearn in each cell of `compared` numbers, ``method`` and ``method_other``.

    ``order`` is 1 where our averages and the paper's rank a pair alike, -1 where they do not, and 0 at a tie; its mean
    is Kendall's rank correlation (tau-a).
    """
    candidates = np.array([competes(method) for method in data["method"]], dtype=bool)
    ranked = data[candidates & data["column"].isin(RANKED) & data["difference"].notna()].reset_index(names="place")
    pairs = ranked.merge(ranked, on=CELL_KEYS, suffixes=("", "_other"))
    pairs = pairs[pairs["place"] < pairs["place_other"]]
    ours, reported = (pairs[value] - pairs[f"{value}_other"] for value in ("ours", "reported"))
    return pairs.assign(order=np.sign(ours * reported))


# --- both numbers, one row per method and column ----------------------------------------------------------------------


def _numbers(source: Source) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return our numbers and the paper's, as `compared` takes them."""
    if source.output.kind == "unlearning":
        ours = _melted(method_numbers(source, [RETRAIN, *source.methods]), [*CELL_KEYS, "method", *COUNTS], "ours")
        return ours, _melted(corrected_summary(), [*CELL_KEYS, "method"], "reported")
    numbers, reported, column, value = BY_CLASS[source.output.kind]
    ours = numbers(source).rename(columns={column: "column", value: "ours", f"{value}_sd": "ours_sd"})
    # Where classes are digits, pandas reads numbers.
    theirs = reported().rename(columns={column: "column", value: "reported"}).astype({"true_class": str, "column": str})
    theirs = theirs[(theirs["true_class"] == source.output.classes[0]) & theirs["column"].isin(ours["column"])]
    ours = ours[ours["column"].isin(theirs["column"])]  # averages are over shared classes
    theirs = theirs.assign(reported_sd=np.nan)  # the paper prints none of these
    return _with_average(ours, "ours", [*KEYS, *COUNTS]), _with_average(theirs, "reported", KEYS)


def _with_average(data: pd.DataFrame, value: str, keys: list[str]) -> pd.DataFrame:
    """Return numbers by class and, as a further column, the average difference to Retrain by method."""
    data = data[[*keys, value, f"{value}_sd"]]
    parts = [data]
    for _, cell_rows in data.groupby(CELL_KEYS, sort=False):
        shares = {method: rows.set_index("column")[value] for method, rows in cell_rows.groupby("method", sort=False)}
        for method, rows in cell_rows.groupby("method", sort=False) if RETRAIN in shares else ():
            difference = average_difference(*(shares[name].sort_index().to_numpy() for name in (method, RETRAIN)))
            average = {"column": "avg_diff", value: difference, f"{value}_sd": np.nan}
            parts.append(rows.iloc[:1].assign(**average))
    return pd.concat(parts, ignore_index=True)


def _melted(data: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    """Return one row per method and column of a frame like `benchmark.metrics.gaps.summarise`'s."""
    columns = {metric: (f"{metric}_mean", f"{metric}_sd") for metric in METRICS}
    columns |= {key: (key, "") for key in AVERAGES if key in data}
    parts = [
        data[keys].assign(**{"column": column, name: data[value], f"{name}_sd": data[sd] if sd else np.nan})
        for column, (value, sd) in columns.items()
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


# --- entries and caption ----------------------------------------------------------------------------------------------


def _rows(data: pd.DataFrame, columns: list[str]) -> list[Row]:
    rows: list[Row] = []
    for method, method_rows in data.groupby("method", sort=False):
        numbers = method_rows.set_index("column").reindex(columns)
        ours = [mean_text(*pair) for pair in numbers[["ours", "ours_sd"]].to_numpy()]
        diverged, collapsed = ((numbers[count] > 0).any() for count in ("diverged", "collapsed"))
        label, *entries = method_row(str(method), ours, diverged, collapsed)
        rows.append([label, "ours", *entries])
        rows.append(["", "paper", *(mean_text(*pair) for pair in numbers[["reported", "reported_sd"]].to_numpy())])
        differences = zip(numbers["difference"], numbers["verdict"], strict=True)
        marked = [Entry(number(value, signed=True), after=MARKS.get(verdict, "")) for value, verdict in differences]
        rows.append(["", "difference", *marked])
    return rows


def _summary(data: pd.DataFrame, columns: list[str], ranks: pd.DataFrame) -> Row:
    """Return how many of a column's differences are within the margin, and how similarly methods rank."""
    entries = []
    for column in columns:
        verdicts = data.loc[data["column"] == column, "verdict"].dropna()
        share = f"{(verdicts == WITHIN).sum()}/{len(verdicts)}" if len(verdicts) else DASH
        entries.append(f"τ {number(ranks['order'].mean())}" if column in RANKED else share)
    return ["All", "within", *entries]


def _notes(source: Source, data: pd.DataFrame, ranks: pd.DataFrame) -> list[str]:
    trials, margin = source.trials, source.study.margin
    counts = data["verdict"].value_counts()
    oracle = source.study.report_epoch == "best" and source.output.kind == "unlearning"
    flips = [
        f"{short_label(Cell(*cell), source.cells)}: " * (len(source.cells) > 1)
        + ", ".join(f"{method_label(pair.method)} and {method_label(pair.method_other)}" for pair in pairs.itertuples())
        for cell, pairs in ranks[ranks["order"] < 0].groupby(CELL_KEYS, sort=False)
    ]
    return [
        f"Ours, {'mean ± standard deviation ' * (trials > 1)}{facts.over(trials)} at the "
        f"{'oracle' if oracle else 'last'} epoch; the paper's, over {TRIALS} trials; and the difference",
        f"Welch's {facts.INTERVAL} of the difference is within ±{margin:g} (✓: {counts.get(WITHIN, 0)} of "
        f"{counts.sum()}), outside (*: {counts.get(BEYOND, 0)}), or neither ({counts.get(UNDECIDED, 0)})"
        if counts.sum()
        else "",
        f"τ: Kendall's rank correlation of the averages, over {len(ranks)} pairs of methods" if len(ranks) else "",
        f"Order flips: {'; '.join(flips)}" if flips else "",
        _slips(source, data),
        facts.incomplete(data, trials),
    ]


def _slips(source: Source, data: pd.DataFrame) -> str:
    """Name the averages that the paper's means give where it prints others."""
    shown = set(data[[*CELL_KEYS, "method"]].itertuples(index=False, name=None))
    texts = [
        f"{method_label(slip['method'])} {number(slip['recomputed'])} (it prints {number(slip['printed'])})"
        for slip in (gap_slips() if source.output.kind == "unlearning" else [])
        if slip["what"] == "avg_gap" and (*(slip[key] for key in CELL_KEYS), slip["method"]) in shown
    ]
    return f"The paper's average gap as its means give it, where it prints another: {', '.join(texts)}" if texts else ""
