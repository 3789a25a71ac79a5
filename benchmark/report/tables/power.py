"""How many trials a difference of a given size needs, from the spread that was measured."""

from __future__ import annotations

from functools import partial as bind

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, estimate, trials_needed
from benchmark.metrics.evidence import Floats, Trials, in_cell
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.latex import DASH, Block, Table, escape, number
from benchmark.report.style import method_label
from benchmark.results import measured
from benchmark.study.study import Study

SIZES = (0.25, 0.5, 1.0, 2.0)  # differences in points of average gap
MOST = 1000


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, a row a method that is compared with the first one listed.

    Parameters
    ----------
    study, name : the table.
    partial : show a dash for what is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    metrics = measured.metrics(study, study.runs_of(name), cells, partial)
    data = pd.DataFrame(row for cell in cells for row in _rows(study, metrics, cell, output.methods))
    blocks = [Block(_printed(in_cell(data, cell)), facts.heading(cells, cell)) for cell in cells]
    sentences = [
        facts.subject(cells),
        f"Trials that show a difference in average gap to {escape(method_label(output.methods[0]))} of so many points "
        r"with 80\,\% power: two-sided t test of paired differences at the 5\,\% level",
        f"Sd: spread of a single trial's difference, as drawing {output.trials or study.trials} trials anew shows it",
        facts.tuned(study),
        facts.diverged(data),
    ]
    return Table(blocks, facts.caption(study, name, sentences), data)


def _rows(study: Study, metrics: pd.DataFrame, cell: Cell, methods: list[str]) -> list[dict[str, object]]:
    rows = []
    names = [study.run_name(cell, method, 0).method for method in methods]
    for method, run_name in zip(methods[1:], names[1:], strict=True):
        place = {"dataset": cell.dataset, "arch": cell.arch, "scenario": cell.scenario, "method": method}
        found: dict[str, object] = {"trials": 0, "diverged": 0, "difference": np.nan, "sd": np.nan}
        trials = Trials(metrics, cell, (names[0], run_name)) if len(metrics) else None
        if trials and len(trials) > 1 and {names[0], run_name, RETRAIN} <= set(trials.values):
            result = estimate(bind(_difference, trials, names[0], run_name), len(trials))
            found |= {"trials": len(trials), "difference": result.value, "sd": result.sd}
            found |= {f"for_{size:g}": trials_needed(size, result.sd, most=MOST) for size in SIZES}
        found["diverged"] = trials.lost if trials is not None else 0
        rows.append(place | found)
    return rows


def _difference(trials: Trials, first: str, second: str, drawn: Indices) -> Floats:
    return trials.gap(second, drawn) - trials.gap(first, drawn)


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    cells = []
    for row in rows.to_dict("records"):
        needed = [row.get(f"for_{size:g}", np.nan) for size in SIZES]
        texts = [DASH if np.isnan(n) else f"{int(n)}" if n < MOST else rf"$\ge$ {MOST}" for n in needed]
        cells.append([escape(method_label(str(row["method"]))), number(row["difference"]), number(row["sd"]), *texts])
    group = "Trials for a difference of (points)"
    columns = [("", "Method"), ("", "Difference"), ("", "Sd"), *((group, f"{size:g}") for size in SIZES)]
    return pd.DataFrame(cells, columns=pd.MultiIndex.from_tuples(columns))
