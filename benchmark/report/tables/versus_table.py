"""A table beside the paper's printed numbers: ours, the paper's, the difference, and whether that matters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial as bind
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.metrics.arithmetic import corrected_summary, gap_slips
from benchmark.metrics.bootstrap import welch_interval
from benchmark.metrics.gaps import CELL, METRICS, average_difference
from benchmark.metrics.reported import TRIALS, reported_distances, reported_predictions
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.source import Source
from benchmark.report.style import method_label, short_label
from benchmark.report.summary import COUNTS, gather
from benchmark.report.tables import distances_table, predictions_table
from benchmark.report.tables.unlearning_table import AVERAGE
from benchmark.report.tabular import DASH, METHOD, Block, Column, Entry, Row, Table, mean_text, method_row, number
from benchmark.study.outputs import KINDS

ROUNDING = 0.005  # what a number printed with two decimals may be away from what it stands for
NONE = "the paper prints none of these methods"
WITHIN, BEYOND, UNDECIDED = "within", "beyond", "undecided"
MARKS = {WITHIN: "✓", BEYOND: "*"}
KEYS = [*CELL, "method", "column"]
ORDER = [*COUNTS, "ours", "ours_sd", "reported", "reported_sd", "difference", "low", "high", "verdict"]
BY_CLASS = {
    "predictions": (predictions_table.numbers, reported_predictions, "predicted_class", "percent"),
    "distances": (distances_table.numbers, reported_distances, "centroid_class", "distance"),
}
AVERAGES = {"avg_gap": AVERAGE, "avg_diff": "Avg. diff. ↓", "pflops": "PFLOPs"}
RANKED = ("avg_gap", "avg_diff")  # by these methods are ranked


def build(source: Source) -> Table:
    """Return the table: a block a cell that the paper has too, three rows a method that it has there, and a summary.

    The rows are our numbers, the paper's, and their difference, with a mark where its 95 % interval lies within the
    study's margin, and another where it lies beyond. Where the paper prints no standard deviation nothing is judged.
    The summary has the share of each column's differences that are within, and the rank correlation of the averages.
    """
    data = compared(*_both(source), source.study.margin)
    printed = KINDS["tables"][source.output.kind].reported_cells
    source = replace(source, cells=[cell for cell in source.cells if str(cell) in printed])
    columns = list(dict.fromkeys(data["column"]))
    blocks = [block for block in source.blocks(data, bind(_rows, columns=columns)) if block.rows]
    ranks = ranking(data)
    blocks.append(Block([_summary(data, columns, ranks)] if blocks else [[Entry(NONE, spans=True)]]))
    names = [AVERAGES.get(key, key.upper() if key in METRICS else key) for key in columns]
    heads = [METHOD, Column("", heads=True), *map(Column, names)]
    return source.table(heads, blocks, _notes(source, data, ranks), data)


def compared(ours: pd.DataFrame, reported: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return both numbers of every method and column that the paper has, in our order, and how far they are apart.

    ``difference`` is ours minus reported; ``low, high`` Welch's 95 % interval of it, wider by `ROUNDING` of the paper's
    mean; ``verdict``, whether that lies `WITHIN` ± ``margin``, `BEYOND` it, or neither. Without an interval there is
    none.

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


class Ranking(NamedTuple):
    """How ours and the paper's averages order the same methods, pair by pair within cells.

    Attributes
    ----------
    tau : Kendall's rank correlation (tau-a): pairs in the same order less flipped ones, as a share of all ``pairs``;
        NaN without any.
    flipped : the flipped pairs by cell.
    """

    tau: float
    pairs: int
    flipped: dict[Cell, list[tuple[str, str]]]


def ranking(data: pd.DataFrame) -> Ranking:
    """Return how `compared` numbers rank the methods that unlearn by their averages."""
    competes = np.array([facts.competes(method) for method in data["method"]], dtype=bool)
    ranked = data[competes & data["column"].isin(RANKED) & data["difference"].notna()]
    score, pairs = 0.0, 0
    flipped: dict[Cell, list[tuple[str, str]]] = {}
    for place, rows in ranked.groupby(CELL, sort=False):
        for one, other in combinations(rows.itertuples(), 2):
            order = np.sign((one.ours - other.ours) * (one.reported - other.reported))
            score, pairs = score + order, pairs + 1
            if order < 0:
                flipped.setdefault(Cell(*place), []).append((one.method, other.method))
    return Ranking(score / pairs if pairs else np.nan, pairs, flipped)


# --- both sides, a row a method and column ----------------------------------------------------------------------------


def _both(source: Source) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return our numbers and the paper's, as `compared` takes them."""
    if source.output.kind == "unlearning":
        ours = _melted(gather(source, [RETRAIN, *source.methods]), [*CELL, "method", *COUNTS], "ours")
        return ours, _melted(corrected_summary(), [*CELL, "method"], "reported")
    numbers, reported, column, value = BY_CLASS[source.output.kind]
    ours = numbers(source).rename(columns={column: "column", value: "ours", f"{value}_sd": "ours_sd"})
    # Where classes are digits, pandas reads numbers.
    theirs = reported().rename(columns={column: "column", value: "reported"}).astype({"true_class": str, "column": str})
    theirs = theirs[(theirs["true_class"] == source.output.classes[0]) & theirs["column"].isin(ours["column"])]
    ours = ours[ours["column"].isin(theirs["column"])]  # averages are over the classes that both have
    # The paper prints no deviation of these.
    return (
        _with_average(ours, "ours", [*KEYS, *COUNTS, "ours_sd"]),
        _with_average(theirs, "reported", KEYS).assign(reported_sd=np.nan),
    )


def _with_average(data: pd.DataFrame, side: str, keys: list[str]) -> pd.DataFrame:
    """Return numbers by class and, as a further column, each method's average difference to Retrain."""
    parts = [data[[*keys, side]]]
    for _, cell in data.groupby(CELL, sort=False):
        shares = {method: mine.set_index("column")[side] for method, mine in cell.groupby("method", sort=False)}
        for method, mine in cell.groupby("method", sort=False):
            if RETRAIN in shares:
                away = average_difference(*(shares[one].sort_index().to_numpy() for one in (method, RETRAIN)))
                average = mine[[*keys, side]].iloc[:1].assign(**{"column": "avg_diff", side: away})
                parts.append(average.assign(ours_sd=np.nan) if "ours_sd" in keys else average)
    return pd.concat(parts, ignore_index=True)


def _melted(data: pd.DataFrame, keys: list[str], side: str) -> pd.DataFrame:
    """Return a row a method and column of a frame like `benchmark.metrics.gaps.summarise`'s."""
    columns = {metric: (f"{metric}_mean", f"{metric}_sd") for metric in METRICS}
    columns |= {key: (key, "") for key in AVERAGES if key in data}
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
        ours = [mean_text(*pair) for pair in mine[["ours", "ours_sd"]].to_numpy()]
        label, *cells = method_row(str(method), ours, (mine["diverged"] > 0).any(), (mine["collapsed"] > 0).any())
        rows.append([label, "ours", *cells])
        rows.append(["", "paper", *(mean_text(*pair) for pair in mine[["reported", "reported_sd"]].to_numpy())])
        differences = zip(mine["difference"], mine["verdict"], strict=True)
        marked = [Entry(number(value, signed=True), after=MARKS.get(verdict, "")) for value, verdict in differences]
        rows.append(["", "difference", *marked])
    return rows


def _summary(data: pd.DataFrame, columns: list[str], ranks: Ranking) -> Row:
    """Return how many of a column's differences are within the margin, and how alike methods are ranked."""
    cells = []
    for column in columns:
        verdicts = data.loc[data["column"] == column, "verdict"].dropna()
        share = f"{(verdicts == WITHIN).sum()}/{len(verdicts)}" if len(verdicts) else DASH
        cells.append(f"τ {number(ranks.tau)}" if column in RANKED else share)
    return ["All", "within", *cells]


def _notes(source: Source, data: pd.DataFrame, ranks: Ranking) -> list[str]:
    trials, margin = source.trials, source.study.margin
    counts = data["verdict"].value_counts()
    oracle = source.study.report_epoch == "best" and source.output.kind == "unlearning"
    flips = [
        f"{short_label(cell, source.cells)}: " * (len(source.cells) > 1)
        + ", ".join(f"{method_label(one)} and {method_label(other)}" for one, other in pairs)
        for cell, pairs in ranks.flipped.items()
    ]
    return [
        f"Ours, {'mean ± standard deviation ' * (trials > 1)}{facts.over(trials)} at the "
        f"{'oracle' if oracle else 'last'} epoch; the paper's, over {TRIALS} trials; and the difference",
        f"Welch's {facts.INTERVAL} of the difference is within ±{margin:g} (✓: {counts.get(WITHIN, 0)} of "
        f"{counts.sum()}), outside (*: {counts.get(BEYOND, 0)}), or neither ({counts.get(UNDECIDED, 0)})"
        if counts.sum()
        else "",
        f"τ: Kendall's rank correlation of the averages, over {ranks.pairs} pairs of methods" if ranks.pairs else "",
        f"Order flips: {'; '.join(flips)}" if flips else "",
        _slips(source, data),
        facts.incomplete(data, trials),
    ]


def _slips(source: Source, data: pd.DataFrame) -> str:
    """Say which of the paper's averages are those of its means, since it prints others."""
    shown = set(data[[*CELL, "method"]].itertuples(index=False, name=None))
    texts = [
        f"{method_label(one['method'])} {number(one['recomputed'])} (it prints {number(one['printed'])})"
        for one in (gap_slips() if source.output.kind == "unlearning" else [])
        if one["what"] == "avg_gap" and (*(one[key] for key in CELL), one["method"]) in shown
    ]
    return f"The paper's average gap as its means give it, where it prints another: {', '.join(texts)}" if texts else ""
