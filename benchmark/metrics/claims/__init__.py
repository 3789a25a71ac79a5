"""The paper's claims as formulas over gathered results.

A formula is positive where the claim holds, and by how much. It is computed from means over trials, as the paper's
tables are; `benchmark.metrics.verdicts` draws trials anew for its interval.

A gap is an absolute value. Where a method comes as near to Retrain as trials scatter, noise makes its gap too large: a
difference of two gaps, one of them near 0, is then too small.
"""

from __future__ import annotations

from benchmark.metrics.claims import comparisons as gaps
from benchmark.metrics.claims import removals as more
from benchmark.metrics.claims import representations as features
from benchmark.metrics.claims.claim import Claim

LOWEST, LOWERS = "CoUn has the lowest average gap", "adding CL lowers the average gap"
NEAR, PREDICTED = "forget samples lie where Retrain's lie", "predictions of forget samples go where Retrain's go"
LOOSE, SEVERAL = "a strong second view loosens the clusters of forget samples", "a sequential scenario"
BOTH, OTHER, JITTER = "with and without CL", "another main method", "CoUn with CHN and with colour jitter"

# The primary ones first, then as the paper's tables and figures are numbered.
CLAIMS = (
    Claim("best", LOWEST, "Tables 2, 3", gaps.best, f"CoUn and {OTHER}", primary=True),
    Claim("term", LOWERS, "Tables 9, 10", gaps.term, f"a method {BOTH}", primary=True),
    Claim("ft-worst", "FT has the largest average gap", "Tables 2, 3", gaps.worst, f"FT and {OTHER}"),
    Claim("centroids", NEAR, "Table 4", features.centroids, "distances of FT and CoUn"),
    Claim("directions", PREDICTED, "Table 5", features.predictions, "FT and CoUn"),
    Claim("further", "CoUn leads BadT, SSD, SCRUB and CU", "Table 7", gaps.further, "CoUn and one of these"),
    Claim("easy", "class-wise, every gap is within a margin", "Table 8", gaps.easy, "a class-wise cell, two trials"),
    Claim("growth", "CL helps more where more is forgotten", "Figure 4", more.growth, f"two shares {BOTH}"),
    Claim("budget", "CoUn leads at equal computation", "Figure 5", gaps.budget, "CoUn at no more than another's cost"),
    Claim("stages", "CoUn leads at every stage", "Figure 6", more.stages, f"{SEVERAL} with CoUn and another"),
    Claim("stages-term", f"{LOWERS} at every stage", "Figure 6", more.term_by_stage, f"{SEVERAL} {BOTH}"),
    Claim("lambda", "CL is best with a weight inside the range", "Figure 7", gaps.weight, "CoUn with three weights"),
    Claim("tau", "a temperature near 0.1 is best", "Figure 8", gaps.temperature, "CoUn near and far from 0.1"),
    Claim("strong-view", "a strong second view degrades", "Figure 9", gaps.strong_view, JITTER),
    Claim("equal-views", "CHN equals CN, within a margin", "Figure 9", gaps.equal_views, "CoUn with both, two trials"),
    Claim("batch", "batch size 256 is best", "Figure 10", gaps.batch, "CoUn at batch size 256 and another"),
    Claim("compact", LOOSE, "Figure 12", features.compactness, f"maps of {JITTER}"),
    Claim("lemma", "views of forget images lie farther apart", "Lemma 1", features.lemma, "theory with CoUn"),
)
