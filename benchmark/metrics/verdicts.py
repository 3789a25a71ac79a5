"""Every claim with an interval, a corrected p-value and a verdict.

Intervals come from resampling trials, Retrain's together with the methods' (`benchmark.metrics.bootstrap`): the methods
of one trial share its Original and its split.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Estimate, estimate, holm, trials_needed
from benchmark.metrics.claims import CLAIMS
from benchmark.metrics.claims.claim import ALL_ELSE_SAME, Claim, Tested
from benchmark.metrics.claims.printed import printed_values
from benchmark.metrics.evidence import Evidence
from benchmark.names import DIVERGED

REPRODUCED, NOT_REPRODUCED, UNDECIDED, UNTESTED = "reproduced", "not reproduced", "undecided", "not tested"
PRIMARY, EXPLORATORY = "primary", "exploratory"
SIGNIFICANT = 0.05

COLUMNS = ["claim", "family", "text", "where", "place", "subject", "value", "low", "high", "unit", "trials", "p"]
COLUMNS += ["p_holm", "verdict", "after_holm", "sd", "trials_needed", "paper", "remark", "method", "also"]


def verdicts(evidence: Evidence, claims: Iterable[Claim] | None = None) -> pd.DataFrame:
    """Return a row for each claim (of all unless given) in each cell, and a single row for one that cannot be tested.

    The columns are `COLUMNS`. ``family`` is primary for the claims of the paper's abstract, else exploratory. ``value,
    low, high`` are the formula and its 95 % interval, in ``unit``; ``p`` is two-sided, ``p_holm`` corrected for all
    tests of its family. The ``verdict`` is reproduced where the interval lies above zero, not reproduced where it lies
    below, else undecided, as where a method that is compared diverged in some trial; ``after_holm`` is the same by the
    corrected p-value. ``sd`` is that of a single trial, and ``trials_needed`` how many would show a difference of that
    size in four studies of five. ``paper`` is the formula's value on the means that the paper prints, where it prints
    such a cell. ``method`` and ``also`` are `benchmark.metrics.claims.claim.Tested`'s. In ``subject``, ``remark`` and
    ``also`` names of methods and settings stand between backticks.
    """
    rows: list[dict[str, Any]] = []
    diverged = "status" in evidence.metrics and bool((evidence.metrics["status"] == DIVERGED).any())
    for claim in CLAIMS if claims is None else claims:
        named = {"claim": claim.key, "family": PRIMARY if claim.primary else EXPLORATORY}
        named |= {"text": claim.text, "where": claim.where}
        printed = printed_values(claim, evidence)
        tests = [named | _row(tested, printed) for tested in claim.find(evidence)]
        needs = f"needs {claim.needs}" + ", in runs that did not diverge" * diverged
        rows += tests or [named | {"verdict": UNTESTED, "remark": needs}]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_holm"] = table["p"].astype(float).groupby(table["family"]).transform(lambda p: holm(p.to_numpy()))
    signed = np.where(table["value"].astype(float) > 0, REPRODUCED, NOT_REPRODUCED)
    corrected = np.where(table["p_holm"] < SIGNIFICANT, signed, UNDECIDED)
    return table.assign(after_holm=np.where(table["verdict"] == UNTESTED, UNTESTED, corrected))


def _row(tested: Tested, printed: dict[tuple[str, str], float]) -> dict[str, Any]:
    result = estimate(tested.statistic, tested.trials)
    row = {"place": str(tested.cell)} | {key: getattr(tested, key) for key in ("subject", "unit", "method", "also")}
    row |= asdict(result)
    same_otherwise = tested.also == ALL_ELSE_SAME  # of which the paper prints nothing
    row["paper"] = math.nan if same_otherwise else printed.get((row["place"], tested.method), math.nan)
    verdict = REPRODUCED if result.low > 0 else NOT_REPRODUCED if result.high < 0 else UNDECIDED
    row |= {"verdict": verdict, "remark": _remark(tested, result)}
    row["trials_needed"] = trials_needed(result.value, result.sd) if result.sd > 0 and result.value else math.nan
    if tested.diverged:
        row |= {"p": math.nan, "verdict": UNDECIDED}  # only trials that went well remain
    return row


def _remark(tested: Tested, result: Estimate) -> str:
    failures = {"diverged": tested.diverged, "collapsed": tested.collapsed}
    remarks = [
        f"{failure}: " + ", ".join(f"`{method}` in {count}" for method, count in counts.items())
        for failure, counts in failures.items()
        if counts
    ]
    if math.isnan(result.low):
        alike = "all trials are alike" if result.sd == 0 else "not defined in every trial"
        reason = "one trial" if tested.trials == 1 else alike
        remarks.append(f"{reason}: no interval")
    return "; ".join(remarks)
