"""What tables and figures of audits share: names, rows, and sentences for captions."""

from __future__ import annotations

import inspect
from itertools import product

import numpy as np
import pandas as pd

from benchmark.registry import OWN_AUDITS
from benchmark.report.facts import is_control
from benchmark.report.source import Source
from benchmark.study.study import Study

NAMES = {
    "average-gap": "Average gap",
    "efficacy-auc": "Against Retrain: AUC",
    "efficacy-accuracy": "Against Retrain: accuracy (%)",
    "efficacy-tpr": "Against Retrain: TPR at 1 % FPR (%)",
    "efficacy-auc-standardised": "Against Retrain: AUC, standardised",
    "efficacy-accuracy-standardised": "Against Retrain: accuracy (%), standardised",
    "efficacy-tpr-standardised": "Against Retrain: TPR at 1 % FPR (%), standardised",
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
    "unseen-auc": "Against never seen: AUC",
    "unseen-auc-calibrated": "Against never seen: AUC, calibrated",
    "rmia-auc": "Against never seen: AUC by RMIA",
}


def label(audit: str) -> str:
    """Return what tables and figures call an audit, one of ours or a study's own."""
    return NAMES.get(audit) or OWN_AUDITS.labels.get(audit, audit)


def meaning(audit: str) -> str:
    """Return the first line of an own audit's docstring, without its full stop."""
    return (inspect.getdoc(OWN_AUDITS.get(audit)) or "").partition("\n")[0].rstrip(".")


def by_trial(source: Source, methods: list[str]) -> pd.DataFrame:
    """Return the audits of listed methods, by the names that the study lists: a row a cell, method, audit and trial."""
    audits = source.results.audits
    parts = [source.rows(audits, *place).assign(method=place[1]) for place in product(source.cells, methods)]
    return pd.concat([part for part in parts if len(part)] or [audits.head(0)], ignore_index=True)


def refused(data: pd.DataFrame, trials: int) -> str:
    """Which audits, of a frame with ``method, audit, enough``, so many trials do not carry, and how many would."""
    texts: dict[str, str] = {}
    methods = data[[not is_control(method) for method in data["method"]]]  # Original may have fewer trials
    for audit, rows in methods.groupby("audit", sort=False):
        needed = rows["enough"]
        if (needed > trials).all():
            if np.isinf(needed.max()):
                more = "held-out images"
            else:
                more = " to ".join(dict.fromkeys(f"{count:,.0f}" for count in (needed.min(), needed.max())))
            texts.setdefault(label(str(audit)).partition(":")[0], f"needs {more}")
    what = ", ".join(f"{name} ({need})" for name, need in texts.items())
    return f"Not shown, because {trials} trial{'s' * (trials > 1)} cannot tell: {what}" if what else ""


def epochs(study: Study) -> str:
    """Which numbers are of which epoch, where a study reports the best: of samples only the last is known."""
    return "Average gap and ToW: best epoch (oracle); all else: last epoch" if study.report_epoch == "best" else ""


def twins(data: pd.DataFrame) -> str:
    """How many forgotten images have an equal one among the retained, of a frame with ``twins``."""
    known = data["twins"].dropna() if "twins" in data else pd.Series(dtype=float)
    if known.empty:
        return ""
    if not known.any():
        return "No forgotten image has an exact twin among the retained ones"
    return f"At most {known.max():.0f} forgotten images of a trial have an exact twin among the retained ones"
