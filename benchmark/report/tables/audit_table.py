"""Is it forgotten? The average gap beside audits of every sample, and what Retrain scores in a method's place."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from benchmark.metrics.samplewise.battery import summary
from benchmark.names import CELL_KEYS, CHOSEN, RETRAIN, Cell, Scenario
from benchmark.report import audits, facts
from benchmark.report.source import Source
from benchmark.report.style import method_label
from benchmark.report.tabular import DASH, METHOD, THIN, Column, Entry, Row, Table, mean_text, method_row

AGAINST_RETRAIN, NEVER_SEEN, OWN = "Against Retrain", "Against never seen", "Own audits"
# Our audits that are shown, with their decimals; the .csv has all.
SHOWN = {
    audits.AVERAGE_GAP: (Column("Avg. Gap ↓"), 2),
    "efficacy-auc": (Column("AUC", AGAINST_RETRAIN), 3),
    "efficacy-auc-test": (Column("on test data", AGAINST_RETRAIN), 3),
    "efficacy-auc-standardised": (Column("standardised", AGAINST_RETRAIN, optional=True), 3),
    "efficacy-auc-beyond-standardised": (Column("beyond test data", AGAINST_RETRAIN), 3),
    "efficacy-tpr": (Column("TPR (%)", AGAINST_RETRAIN, optional=True), 1),
    "kept": (Column("kept (points)", NEVER_SEEN), 2),
    "unseen-auc-calibrated": (Column("calibrated", NEVER_SEEN, optional=True), 3),
    "rmia-auc": (Column("RMIA", NEVER_SEEN), 3),
    "u-lira-auc": (Column("U-LiRA", NEVER_SEEN), 3),
    "tug-of-war": (Column("ToW ↑"), 3),
}


def build(source: Source) -> Table:
    """Return the table: one block per cell, first what a perfect unlearner scores, then the methods as listed.

    Numbers are means over trials ± half of their 95 % interval. Audits without any number have no column.
    """
    trials = audits.by_trial(source, source.compared)
    data = summary(trials, CELL_KEYS)
    measured = set(data.loc[data["value"].notna(), "audit"])
    shown = [audit for audit in SHOWN if audit in (measured or set(SHOWN) - {"u-lira-auc"})]
    shown += source.study.audits
    columns = [METHOD, *(_format_of(audit)[0] for audit in shown)]
    blocks = source.blocks(data, lambda rows: _rows(source, rows, shown))
    return source.table(columns, blocks, _notes(source, trials, data, shown), data)


def _rows(source: Source, data: pd.DataFrame, shown: list[str]) -> list[Row]:
    methods = source.compared
    means = data.set_index(["method", "audit"])
    entries = {method: [_entry(means, (method, audit)) for audit in shown] for method in methods}
    # Of the method with the most trials, as some may lack one.
    fullest = data.loc[data["trials"].idxmax(), "method"] if len(data) else None
    null: Row = [f"{method_label(RETRAIN)} in its place", *(_entry(means, (fullest, audit), "null") for audit in shown)]
    collapsed = {name: source.collapsed(Cell(*data[CELL_KEYS].iloc[0]), name) if len(data) else {} for name in methods}
    return [null, *(method_row(method, entries[method], collapsed=collapsed[method]) for method in methods)]


def _entry(data: pd.DataFrame, key: tuple[str | None, str], column: str = "value") -> Entry:
    """Return a number, ± half its interval if it has one."""
    if key not in data.index:
        return Entry(DASH)
    row, prefix, decimals = data.loc[key], "null_" * (column == "null"), _format_of(key[1])[1]
    return Entry(mean_text(row[column], (row[f"{prefix}high"] - row[f"{prefix}low"]) / 2, decimals=decimals))


def _format_of(audit: str) -> tuple[Column, int]:
    """Return the column and decimals of an audit, be it one of ours or the study's own."""
    return SHOWN.get(audit) or (Column(audits.label(audit), OWN), 3)


def _notes(source: Source, trials: pd.DataFrame, data: pd.DataFrame, shown: list[str]) -> list[str]:
    count = source.trials
    by_method = pd.DataFrame([_counts(source, *pair) for pair in product(source.cells, source.compared)])
    undefined = data.loc[data["audit"].isin(shown) & data["value"].notna(), "null"].isna().any()
    supported = set(data.loc[data["enough"] <= data["trials"], "audit"])
    omitted = ", ".join(audits.NAMES[audit] for audit in SHOWN if audit in supported and audit not in shown)
    against = "an attack on the margins, the log-odds of true labels, tells the method from its trial's Retrain"
    unseen = (
        "kept, by how many points accuracy on forgotten samples exceeds that on test samples more than Retrain's does; "
        "AUC of forgotten against test samples, calibrated by other trials' Retrains, and by RMIA"
    )
    kinds = {Scenario(cell.scenario).kind for cell in source.cells}
    if "class" in kinds:
        unseen += "; of a forgotten class, the AUCs take the test samples, and kept is its accuracy above Retrain's"
    if not kinds.isdisjoint(CHOSEN):
        unseen += "; test samples are as hard as the forgotten ones where a file chooses these"
    return [
        f"Mean {facts.over(count)} ± half of the {facts.INTERVAL}. The first row is a perfect unlearner: Retrain in "
        "a method's place, by the same formula",
        f"{AGAINST_RETRAIN}: {against}. AUC: on forgotten samples; 0.5 is chance. On test data: the same, on images "
        "that neither was trained on. Standardised: with margins in units of each model's margins on test data, which "
        "leaves out a shift of the whole model. Beyond test data: the standardised AUC minus the standardised one on "
        f"test data, the part that is about forgotten samples. TPR: true positives at 1{THIN}% false positives",
        "AUC and TPR against Retrain rise with the number of other models that judge a sample: compare within a block",
        f"{NEVER_SEEN}: {unseen}" + ", or, U-LiRA, against held-out ones" * ("u-lira-auc" in shown),
        "ToW: product of 1 − |difference to Retrain| of the accuracies on retain, forget and test data",
        *(f"{audits.label(audit)}: {meaning}" for audit in source.study.audits if (meaning := audits.meaning(audit))),
        audits.refused(trials, source.study.hold_out),
        f"Not shown, because too few samples are forgotten: {omitted}" if omitted else "",
        "A dash in the first row: too few trials to attack half of them" if undefined else "",
        audits.twins(trials),
        audits.epochs(source.study),
        facts.tuned(source.study, source.cells, source.methods),
        *facts.made(source.study, source.results.metrics),
        facts.control(source.controls),
        facts.left_out(by_method),
        facts.incomplete(by_method, count) if len(by_method) else "",
    ]


def _counts(source: Source, cell: Cell, method: str) -> dict[str, Any]:
    """Return in how many trials the method or Retrain diverged, and how many there are with these."""
    diverged = len(source.diverged(cell, method) | source.diverged(cell, RETRAIN))
    audited = len(source.by_trial(source.results.audits, cell, method))
    return {"method": method, "diverged": diverged, "trials": audited + diverged}
