"""Metrics held to a standard, as methods are: which tell methods apart, and which only seem to?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.samplewise.standards import rank_correlations, standards
from benchmark.names import CELL_KEYS, ORIGINAL, is_control
from benchmark.report import audits, facts
from benchmark.report.source import Source
from benchmark.report.tabular import THIN, Column, Row, Table, number

# The numbers that are shown, with their decimals; the .csv has all.
SHOWN = {
    "faithfulness": (Column("Faithfulness ↑"), 2),
    "null_distance": (Column("Null ↓"), 3),
    "apart": (Column("Pairs apart (%) ↑"), 0),
    "stability": (Column("τ ↑", "Resampled ranking"), 2),
    "best_stays": (Column("same best (%) ↑", "Resampled ranking"), 0),
    f"tau_{audits.AVERAGE_GAP}": (Column("τ with average gap"), 2),
}


def build(source: Source) -> Table:
    """Return the table: one block per cell, one row per metric with enough trials; the ``.csv`` has all taus."""
    methods = _methods(source)
    trials = audits.by_trial(source, [ORIGINAL, *methods])
    data = _numbers(trials) if len(trials) else pd.DataFrame(columns=[*CELL_KEYS, "audit"])
    columns = [Column("Metric", heads=True), *(column for column, _ in SHOWN.values())]
    notes = [
        f"{facts.listed(methods)}, {facts.over(source.trials)}, ranked by their distance from a perfect unlearner",
        "Disagreement and difference of confidence rank by value, without a null, where trials retain different images",
        "Faithfulness: how often Original is further from a perfect unlearner than Retrain, over pairs of trials "
        "(AUC); for the attack, Retrain's values are those of a normal distribution with its spread",
        f"Null: the largest distance in the {facts.INTERVAL} of Retrain in a method's place",
        f"Pairs apart: pairs of methods that differ at the 5{THIN}% level (paired t tests, Holm's correction)",
        "Resampled ranking: Kendall's τ with the rankings of resampled trials, and how often the same method leads",
        "τ with average gap: Kendall's τ with the ranking by average gap",
        audits.refused(trials, source.study.hold_out),
        audits.epochs(source.study),
        facts.tuned(source.study, source.cells, source.methods),
        *facts.made(source.study, source.results.metrics),
    ]
    return source.table(columns, source.blocks(data, _rows), notes, data)


def _methods(source: Source) -> list[str]:
    """Return the listed methods that forget; of two names for the same runs, which would count twice, the first."""
    by_runs: dict[tuple[str, ...], str] = {}
    for method in source.compared:
        if not is_control(method):
            by_runs.setdefault(tuple(source.run_method(cell, method) for cell in source.cells), method)
    return list(by_runs.values())


def _numbers(trials: pd.DataFrame) -> pd.DataFrame:
    """Return `standards` with a column ``tau_<metric>`` for every metric: tau of the two rankings."""
    pairs = rank_correlations(trials)
    mirrored = pd.concat([pairs, pairs.rename(columns={"audit": "other", "other": "audit"})])
    taus = mirrored.pivot(index=[*CELL_KEYS, "audit"], columns="other", values="tau").add_prefix("tau_").reset_index()
    return standards(trials).merge(taus, how="left", on=[*CELL_KEYS, "audit"])


def _rows(data: pd.DataFrame) -> list[Row]:
    return [
        [audits.label(row["audit"]), *(number(row.get(key, np.nan), decimals) for key, (_, decimals) in SHOWN.items())]
        for row in data.to_dict("records") or [{"audit": audits.AVERAGE_GAP}]
    ]
