"""Every claim with an interval, a corrected p-value and a verdict.

Intervals come from drawing trials anew, those of Retrain with them (`benchmark.metrics.bootstrap`): the methods of one
trial share its Original and its split.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Estimate, estimate, holm, trials_needed
from benchmark.metrics.claims import CLAIMS, Tested
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.gaps import DIVERGED

REPRODUCED, NOT_REPRODUCED, UNDECIDED, UNTESTED = "reproduced", "not reproduced", "undecided", "not tested"
SIGNIFICANT = 0.05

COLUMNS = ["claim", "text", "where", "place", "subject", "value", "low", "high", "unit", "trials", "p", "p_holm"]
COLUMNS += ["verdict", "after_holm", "sd", "trials_needed", "remark"]


def verdicts(evidence: Evidence) -> pd.DataFrame:
    """Return every claim in every place: a row each, and one for a claim that the evidence cannot test.

    Columns ``claim, text, where``; ``place, subject``; ``value, low, high``, the formula with its 95 % interval, in
    ``unit``; ``trials``; ``p`` and ``p_holm``, two-sided, alone and corrected for all claims of the study; ``verdict``:
    reproduced where the interval lies above zero, not reproduced where it lies below, else undecided, as where a method
    that is compared diverged in some trial; ``after_holm``, the same with the corrected p-value; ``sd``, the spread of
    a single trial, and ``trials_needed``, how many would show a difference of that size in four studies of five;
    ``remark``. In ``subject`` and ``remark`` names of methods and settings stand between backticks.
    """
    rows: list[dict[str, Any]] = []
    diverged = "status" in evidence.metrics and bool((evidence.metrics["status"] == DIVERGED).any())
    for claim in CLAIMS:
        told = {"claim": claim.key, "text": claim.text, "where": claim.where}
        found = list(claim.find(evidence))
        if not found:
            remark = f"needs {claim.needs}" + ", in runs that did not diverge" * diverged
            rows.append(told | {"verdict": UNTESTED, "remark": remark})
        for one in found:
            result = estimate(one.statistic, one.trials)
            place = {"place": one.place, "subject": one.subject, "unit": one.unit}
            numbers = {key: getattr(result, key) for key in ("value", "low", "high", "p", "sd", "trials")}
            numbers["trials_needed"] = _needed(result)
            if one.diverged:
                numbers["p"] = math.nan  # what is left are the trials that went well
            verdict = UNDECIDED if one.diverged else _verdict(result)
            rows.append(told | place | numbers | {"verdict": verdict, "remark": _remark(one, result)})
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    signed = np.where(table["value"].astype(float) > 0, REPRODUCED, NOT_REPRODUCED)
    corrected = np.where(table["p_holm"] < SIGNIFICANT, signed, UNDECIDED)
    return table.assign(after_holm=np.where(table["verdict"] == UNTESTED, UNTESTED, corrected))


def _needed(result: Estimate) -> float:
    """How many trials would have shown a difference as large as the one that was found, with 80 % power."""
    if not result.sd > 0 or result.value == 0:
        return math.nan
    return trials_needed(result.value, result.sd)


def _remark(one: Tested, result: Estimate) -> str:
    if one.diverged:
        return "diverged: " + ", ".join(f"`{method}` in {count}" for method, count in one.diverged.items())
    if one.trials == 1:
        return "one trial: no interval"
    return "all trials are alike: no interval" if math.isnan(result.low) else ""


def _verdict(result: Estimate) -> str:
    if result.low > 0:
        return REPRODUCED
    return NOT_REPRODUCED if result.high < 0 else UNDECIDED
