"""A table beside the paper's printed numbers: ours, the paper's, the difference, and whether it is within the noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmark.metrics.evidence import in_cell
from benchmark.metrics.gaps import CELL, METRICS
from benchmark.metrics.reported import TRIALS, reported_distances, reported_predictions, reported_summary
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.latex import DASH, Block, Table, aligned, escape, number, spanning
from benchmark.report.style import method_label
from benchmark.report.tables import distances, predictions, unlearning
from benchmark.results import measured
from benchmark.study.outputs import KINDS
from benchmark.study.study import Study

ROUNDING = 0.005  # what a number printed with two decimals may be away from what it stands for
OUTSIDE = r"\rlap{$^\ast$}"
NONE = "the paper prints none of these methods"
KEYS = [*CELL, "method", "column"]
ORDER = ["trials", "diverged", "ours", "ours_sd", "reported", "reported_sd", "difference", "tolerance", "within"]
AVERAGES = {"avg_gap": unlearning.AVERAGE, "pflops": "PFLOPs"}


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell that the paper has too, three rows for each method that it has there.

    They are our numbers, the paper's, and their difference, with an asterisk where that is more than the sum of both
    standard deviations and of the rounding of both numbers. Where the paper prints no standard deviation nothing is
    judged. Columns are those of the table that stands beside the paper's, but for averages over classes.

    Parameters
    ----------
    study, name : the study, and one of its ``compared`` tables.
    partial : show a dash for what is missing of ours.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    """
    output = study.output(name)
    ours, theirs = SIDES[output.kind]
    data = compared(ours(study, name, partial), theirs(study, name))
    every = [Cell.parse(cell) for cell in output.cells if cell in KINDS["tables"][output.kind].reported_cells]
    shown = [cell for cell in every if len(in_cell(data, cell))]
    blocks = [Block(_printed(in_cell(data, cell)), facts.heading(every, cell)) for cell in shown]
    blocks = blocks or [Block(pd.DataFrame([spanning(NONE, 2)], columns=["Method", ""]))]
    return Table(blocks, facts.caption(study, name, _facts(study, name, every, data)), data, left=2)


def compared(ours: pd.DataFrame, reported: pd.DataFrame) -> pd.DataFrame:
    """Return both numbers of every method and column that the paper has, in our order.

    Parameters
    ----------
    ours : ``dataset, arch, scenario, method, column, trials, diverged, ours, ours_sd``.
    reported : ``dataset, arch, scenario, method, column, reported, reported_sd``.

    Returns
    -------
    All of these columns; ``difference``, ours minus reported; ``tolerance``, the sum of both standard deviations and
    twice `ROUNDING`, NaN where there is none; ``within``, whether the difference is at most that, or missing.
    """
    data = ours.merge(reported, on=KEYS, how="inner", sort=False)
    data["difference"] = data["ours"] - data["reported"]
    data["tolerance"] = data["ours_sd"] + data["reported_sd"] + 2 * ROUNDING
    # Two decimals are not exact in binary: a difference of just the tolerance must not fall outside for that.
    within = data["difference"].abs() <= data["tolerance"] + 1e-9
    data["within"] = within.astype(object).where(data[["difference", "tolerance"]].notna().all(axis=1), None)
    return data[[*KEYS, *ORDER]]


# --- both sides, a row a method and column ----------------------------------------------------------------------------


def _our_gaps(study: Study, name: str, partial: bool) -> pd.DataFrame:
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    metrics = measured.metrics(study, study.runs_of(name), cells, partial)
    data = unlearning.gather(study, cells, dict.fromkeys([RETRAIN, *output.methods]), metrics)
    return _melted(data, [*CELL, "method", "trials", "diverged"], "ours")


def _reported_gaps(study: Study, name: str) -> pd.DataFrame:
    return _melted(reported_summary(), [*CELL, "method"], "reported")


def _melted(data: pd.DataFrame, keys: list[str], side: str) -> pd.DataFrame:
    """Return a row a method and column of a frame like `benchmark.metrics.gaps.summarise`'s."""
    columns = {metric: (f"{metric}_mean", f"{metric}_sd") for metric in METRICS} | {key: (key, "") for key in AVERAGES}
    parts = [
        data[keys].assign(**{"column": column, side: data[value], f"{side}_sd": data[sd] if sd else np.nan})
        for column, (value, sd) in columns.items()
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _our_shares(study: Study, name: str, partial: bool) -> pd.DataFrame:
    cells = map(Cell.parse, study.output(name).cells)
    data = pd.concat(predictions.numbers(study, name, cell, partial) for cell in cells)
    return data.rename(columns={"predicted_class": "column", "percent": "ours", "percent_sd": "ours_sd"})


def _our_distances(study: Study, name: str, partial: bool) -> pd.DataFrame:
    cells = map(Cell.parse, study.output(name).cells)
    data = pd.concat(distances.numbers(study, name, cell, partial) for cell in cells)
    return data.rename(columns={"centroid_class": "column", "distance": "ours", "distance_sd": "ours_sd"})


def _reported_shares(study: Study, name: str) -> pd.DataFrame:
    return _of_class(
        study, name, reported_predictions().rename(columns={"predicted_class": "column", "percent": "reported"})
    )


def _reported_distances(study: Study, name: str) -> pd.DataFrame:
    data = reported_distances()
    return _of_class(study, name, data.rename(columns={"centroid_class": "column", "distance": "reported"}))


def _of_class(study: Study, name: str, data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about forget samples of the table's first class; the paper prints no deviation of these."""
    data = data.astype({"true_class": str, "column": str})  # where classes are digits, pandas reads numbers
    mine = data[data["true_class"] == study.output(name).classes[0]]
    return mine[[*KEYS, "reported"]].assign(reported_sd=np.nan)


SIDES: dict[str, tuple[Callable[[Study, str, bool], pd.DataFrame], Callable[[Study, str], pd.DataFrame]]] = {
    "unlearning": (_our_gaps, _reported_gaps),
    "predictions": (_our_shares, _reported_shares),
    "distances": (_our_distances, _reported_distances),
}


# --- cells and caption ------------------------------------------------------------------------------------------------


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    columns = list(dict.fromkeys(rows["column"]))
    heads = [AVERAGES.get(key, key.upper() if key in METRICS else escape(key)) for key in columns]
    texts = {key: _column(rows[rows["column"] == key]) for key in columns}
    cells = []
    for place, (method, mine) in enumerate(rows.groupby("method", sort=False)):
        for line, told in enumerate(("ours", "paper", "difference")):
            row = [texts[key][3 * place + line] for key in columns]
            if told == "ours" and (mine["diverged"] > 0).any():
                row = spanning("diverged", len(columns))
            cells.append(["" if line else escape(method_label(str(method))), told, *row])
    return pd.DataFrame(cells, columns=["Method", "", *heads])


def _column(rows: pd.DataFrame) -> list[str]:
    """Return three texts a method, of one width from the decimal point on."""
    sds = aligned([sd for row in rows.itertuples() for sd in (row.ours_sd, row.reported_sd)], r"$\pm$")
    # As wide as the widest of them, which stands there without a phantom before it; nothing where there is none.
    widest = max((sd for sd in sds if sd.startswith("$")), key=len, default="")
    room = rf"\phantom{{{widest}}}" if widest else ""
    out = []
    for number_, row in enumerate(rows.itertuples()):
        difference = number(row.difference)
        if difference != DASH:
            mark = OUTSIDE if row.within is False else ""
            difference = f"{'$+$' if float(f'{row.difference:.2f}') > 0 else ''}{difference}{mark}{room}"
        for value, sd in ((row.ours, sds[2 * number_]), (row.reported, sds[2 * number_ + 1])):
            out.append(number(value) if np.isnan(value) else number(value) + sd)
        out.append(difference)
    return out


def _facts(study: Study, name: str, cells: list[Cell], data: pd.DataFrame) -> list[str]:
    output = study.output(name)
    trials = output.trials or study.trials
    short = data[(data["trials"] < trials) & ~data["method"].map(facts.is_control).astype(bool)]
    judged = data[data["within"].notna()]
    mean = r"mean $\pm$ standard deviation " if trials > 1 else ""
    epoch = "oracle epoch" if study.report_epoch == "best" and output.kind == "unlearning" else "last epoch"
    return [
        facts.subject(cells),
        f"Ours, {mean}{facts.over(trials)} at the {epoch}; the paper's, over {TRIALS} trials; "
        "and ours minus the paper's",
        rf"$^\ast$\,more than both standard deviations and {2 * ROUNDING:.2f} for rounding together: "
        f"{len(judged) - int(judged['within'].sum())} of {len(judged)} differences"
        if len(judged)
        else "",
        facts.incomplete(short),
    ]
