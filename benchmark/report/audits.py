"""Names, rows and caption sentences that tables and figures of audits share."""

from __future__ import annotations

import inspect
from itertools import product

import numpy as np
import pandas as pd

from benchmark.errors import number_of
from benchmark.metrics.samplewise import battery
from benchmark.names import CELL_KEYS, Cell, is_control
from benchmark.registry import OWN_AUDITS
from benchmark.report.source import Source
from benchmark.report.style import short_label
from benchmark.study.study import Study

AVERAGE_GAP = "average-gap"
NAMES = {
    AVERAGE_GAP: "Average gap",
    "efficacy-auc": "Against Retrain: AUC",
    "efficacy-accuracy": "Against Retrain: accuracy (%)",
    "efficacy-tpr": "Against Retrain: TPR at 1 % FPR (%)",
    "efficacy-auc-standardised": "Against Retrain: AUC, standardised",
    "efficacy-accuracy-standardised": "Against Retrain: accuracy (%), standardised",
    "efficacy-tpr-standardised": "Against Retrain: TPR at 1 % FPR (%), standardised",
    "efficacy-auc-test": "Against Retrain: AUC on test data",
    "efficacy-auc-beyond": "Against Retrain: AUC beyond test data",
    "efficacy-auc-beyond-standardised": "Against Retrain: AUC beyond test data, standardised",
    "u-lira-auc": "U-LiRA: AUC",
    "u-lira-accuracy": "U-LiRA: accuracy (%)",
    "u-lira-tpr": "U-LiRA: TPR at 1 % FPR (%)",
    "klom": "KLoM",
    "klom-95": "KLoM: 95th percentile",
    "forgetting-quality": "Forgetting quality",
    "disagreement": "Disagreement with Retrain (%)",
    "confidence-difference": "Difference of confidence (points)",
    "tug-of-war": "ToW",
    "tug-of-war-mia": "ToW-MIA",
    "kept": "Against never seen: kept (points)",
    "unseen-auc": "Against never seen: AUC",
    "unseen-auc-calibrated": "Against never seen: AUC, calibrated",
    "rmia-auc": "Against never seen: AUC by RMIA",
}
COLUMNS = [*CELL_KEYS, *battery.COLUMNS, "twins"]


def label(audit: str) -> str:
    """Return an audit's name in tables and figures, be it one of ours or a study's own."""
    return NAMES.get(audit) or OWN_AUDITS.labels.get(audit, audit)


def meaning(audit: str) -> str:
    """Return the first line of an own audit's docstring, without its full stop."""
    return (inspect.getdoc(OWN_AUDITS.get(audit)) or "").partition("\n")[0].rstrip(".")


def by_trial(source: Source, methods: list[str]) -> pd.DataFrame:
    """Return the audits of methods, named as the study lists them: one row per cell, method, audit and trial."""
    audits = source.results.audits
    parts = [source.rows(audits, cell, name).assign(method=name) for cell, name in product(source.cells, methods)]
    return pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)


def refused(trials: pd.DataFrame, hold_out: int) -> str:
    """Say which audits need more trials than any method has beside Retrain, and how many, from `by_trial`'s rows.

    Where a study does ``hold_out`` images, but always the same, no number of trials is enough either.
    """
    requirements: dict[str, str] = {}
    methods = trials[~trials["method"].map(is_control).astype(bool)]  # Original may have fewer trials
    available = methods.groupby([*CELL_KEYS, "method"])["trial"].nunique().groupby(CELL_KEYS).max()
    count = max(available, default=0)
    enough = methods.groupby([*CELL_KEYS, "audit"], sort=False)["enough"].agg(["min", "max"])
    too_few = enough["min"] > available.reindex(enough.index.droplevel("audit")).to_numpy()
    shown = {_family(str(audit)) for audit in enough.index[~too_few].get_level_values("audit")}
    for audit, counts in enough[too_few].groupby("audit", sort=False):
        if np.isinf(counts["max"]).any():
            requirement = "images held out in some trials and forgotten in others" if hold_out else "held-out images"
        else:
            ends = counts["min"].min(), counts["max"].max()
            requirement = " to ".join(dict.fromkeys(f"{value:,.0f}" for value in ends))
        if len(counts) < len(available):
            cells = [Cell(*key[:-1]) for key in counts.index]
            requirement += f" for {' and '.join(short_label(cell, cells) for cell in cells)}"
        name = _family(str(audit))
        requirements.setdefault(label(str(audit)) if name in shown else name, f"needs {requirement}")
    needs = ", ".join(f"{name} ({need})" for name, need in requirements.items())
    return f"Not shown, because {number_of(count, 'trial')} cannot tell: {needs}" if needs else ""


def _family(audit: str) -> str:
    """Return what an audit's name begins with, which several may share."""
    return label(audit).partition(":")[0]


def epochs(study: Study) -> str:
    """Say which epochs numbers are of, where a study reports the best: samples are known for the last alone."""
    if study.report_epoch != "best":
        return ""
    return "Average gap, what is kept and ToW: best epoch (oracle); all else: last epoch"


def twins(data: pd.DataFrame) -> str:
    """Say how many forgotten images have an exact twin among the retained ones, from `by_trial`'s rows."""
    counts = data["twins"].dropna()
    if counts.empty:
        return ""
    if not counts.any():
        return "No forgotten image has an exact twin among the retained ones"
    return f"At most {counts.max():.0f} forgotten images of a trial have an exact twin among the retained ones"
