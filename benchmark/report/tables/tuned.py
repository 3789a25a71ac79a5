"""What tuning is worth: average gaps with a study's own values and with tuned ones, on trials that tuning never saw."""

from __future__ import annotations

from functools import partial as bind

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Indices, estimate
from benchmark.metrics.evidence import Floats, Trials, in_cell
from benchmark.names import RETRAIN, Cell, MethodName
from benchmark.report import facts
from benchmark.report.latex import Block, Table, escape, number
from benchmark.report.style import method_label, setting_label
from benchmark.report.tables.unlearning import floors_of
from benchmark.results import measured
from benchmark.study.outputs import own_values
from benchmark.study.study import Study


def build(study: Study, name: str, partial: bool = False) -> Table:
    """Return the table: a block a cell, a row a method.

    Parameters
    ----------
    study, name : the table; the study includes tuned values.
    partial : show a dash for what is missing instead of failing.

    Raises
    ------
    StaleOutput
        If a run is missing, damaged or of another configuration, unless ``partial``.
    """
    output = study.output(name)
    cells = [Cell.parse(cell) for cell in output.cells]
    metrics = measured.metrics(study, study.runs_of(name), cells, partial)
    rows = [row for cell in cells for row in _rows(study, metrics, cell, output.methods)]
    data = pd.DataFrame(rows)
    blocks = [Block(_printed(in_cell(data, cell)), facts.heading(cells, cell)) for cell in cells]
    floors = floors_of(metrics) if len(metrics) else {}
    told = ", ".join(number(floors[cell]) for cell in cells if cell in floors and np.isfinite(floors[cell]))
    sentences = [
        facts.subject(cells),
        f"Average gaps {facts.over(output.trials or study.trials)} that tuning never saw; in brackets the "
        r"95\,\% interval of what tuning gains, from drawing trials anew",
        "Own: the method's values in the study before tuning; a method that tuning left as it was gains nothing",
        f"Noise floor {told}" if told else "",
        facts.diverged(data),
    ]
    return Table(blocks, facts.caption(study, name, sentences), data, last_left=True, wrap=4)


def _rows(study: Study, metrics: pd.DataFrame, cell: Cell, methods: list[str]) -> list[dict[str, object]]:
    rows = []
    for method in methods:
        tuned, own = (study.run_name(cell, m, 0).method for m in (method, own_values(study, cell, method)))
        place = {"dataset": cell.dataset, "arch": cell.arch, "scenario": cell.scenario, "method": method}
        trials = Trials(metrics, cell, dict.fromkeys((tuned, own))) if len(metrics) else None
        gaps = dict.fromkeys(("own_gap", "tuned_gap", "gain", "low", "high"), np.nan) | {"trials": 0, "diverged": 0}
        if trials and len(trials) and {tuned, own, RETRAIN} <= set(trials.values):
            gain = estimate(bind(_gain, trials, own, tuned), len(trials))
            every = np.arange(len(trials))[None]
            gaps = {"own_gap": float(trials.gap(own, every)[0]), "tuned_gap": float(trials.gap(tuned, every)[0])}
            gaps |= {"gain": gain.value, "low": gain.low, "high": gain.high, "trials": len(trials)}
        gaps["diverged"] = trials.lost if trials is not None else 0
        values = study.run(study.run_name(cell, tuned, 0)).settings.model_dump(by_alias=True)
        changed = {key: (before, values[key]) for key, before in MethodName.parse(own).settings}
        told = ", ".join(f"{setting_label(key)} {before} to {after}" for key, (before, after) in changed.items())
        rows.append({**place, **gaps, "changed": told})
    return rows


def _gain(trials: Trials, own: str, tuned: str, drawn: Indices) -> Floats:
    return trials.gap(own, drawn) - trials.gap(tuned, drawn)


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one block's cells as LaTeX text."""
    cells = []
    for row in rows.itertuples():
        interval = f" [{number(row.low)}, {number(row.high)}]" if np.isfinite(row.low) and row.changed else ""
        numbers = [number(row.own_gap), number(row.tuned_gap), number(row.gain) + interval]
        cells.append([escape(method_label(str(row.method))), *numbers, escape(row.changed or "as it was")])
    return pd.DataFrame(cells, columns=["Method", "Own", "Tuned", r"Gain $\uparrow$", "What tuning changed"])
