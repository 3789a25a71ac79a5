"""The paper's claims on the means that the paper itself prints: do they hold there?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.metrics.claims.claim import Claim
from benchmark.metrics.evidence import Evidence, in_cell


def printed_values(claim: Claim, evidence: Evidence) -> dict[tuple[str, str], float]:
    """Return what a claim's formula gives on the printed means, by cell and by the method that a test is about.

    A cell has such a value if the paper prints its dataset and scenario with a network of its family, such as ResNet-18
    for a slimmer one. Only methods of which the evidence has runs are compared. Gaps are taken anew from the means, so
    slips in printed gaps do not count.
    """
    if not claim.of_means or evidence.printed.empty:
        return {}
    parts = []
    for cell in evidence.cells("random"):
        rows = in_cell(evidence.printed, cell.at_full_size)
        shared = rows["method"].isin(in_cell(evidence.metrics, cell)["method"])
        parts.append(rows[shared].assign(arch=cell.arch))
    printed = pd.concat(parts or [evidence.printed[:0]], ignore_index=True)
    tests = claim.find(Evidence(printed))
    only_trial = np.zeros((1, 1), dtype=int)
    return {(str(test.cell), test.method): float(test.statistic(only_trial)[0]) for test in tests}
