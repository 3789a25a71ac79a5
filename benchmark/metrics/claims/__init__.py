"""The paper's claims as formulas over gathered results.

A formula is positive where the claim holds; its size says by how much. It is computed from means over trials, as the
paper's tables are; `benchmark.metrics.verdicts` resamples the trials for its interval.

A gap is an absolute value. Where a method comes as near to Retrain as trials scatter, noise makes its gap too large,
the more so the more the method varies.
"""

from __future__ import annotations

from benchmark.metrics.claims import comparisons, removals, representations
from benchmark.metrics.claims.claim import Claim

LOWEST, LOWERS = "CoUn has the lowest average gap", "adding CL lowers the average gap"
WORST, GROWTH = "FT has the largest average gap", "CL helps more where more is forgotten"
FURTHER = "CoUn leads BadT, SSD, SCRUB and CU"
NEAR, PREDICTED = "forget samples lie where Retrain's lie", "predictions of forget samples go where Retrain's go"
LOOSE, SEVERAL = "a strong second view loosens the clusters of forget samples", "a sequential scenario"
EASY, LEADS = "class-wise, every average gap is within a margin", "CoUn leads at equal computation as executed"
INSIDE, EQUAL = "CL is best with a weight inside the range", "CHN equals CN, within a margin"
BOTH, OTHER, JITTER = "with and without CL", "another main method", "CoUn with CHN and with colour jitter"

# The primary ones first, then as the paper's tables and figures are numbered.
CLAIMS = (
    Claim("best", LOWEST, "Tables 2, 3", comparisons.best, f"CoUn and {OTHER}", primary=True, of_means=True),
    Claim("term", LOWERS, "Tables 9, 10", comparisons.term, f"a method {BOTH}", primary=True, of_means=True),
    Claim("ft-worst", WORST, "Tables 2, 3", comparisons.worst, f"FT and {OTHER}", of_means=True),
    Claim("centroids", NEAR, "Table 4", representations.centroids, "distances of FT and CoUn"),
    Claim("directions", PREDICTED, "Table 5", representations.predictions, "FT and CoUn"),
    Claim("further", FURTHER, "Table 7", comparisons.further, "CoUn and one of these", of_means=True),
    Claim("easy", EASY, "Table 8", comparisons.easy, "a class-wise cell, two trials"),
    Claim("growth", GROWTH, "Figure 4", removals.growth, f"two shares {BOTH}", of_means=True),
    Claim("budget", LEADS, "Figure 5", comparisons.budget, "CoUn at no more than another's cost"),
    Claim("stages", "CoUn leads at every stage", "Figure 6", removals.stages, f"{SEVERAL} with CoUn and another"),
    Claim("stages-term", f"{LOWERS} at every stage", "Figure 6", removals.term_by_stage, f"{SEVERAL} {BOTH}"),
    Claim("lambda", INSIDE, "Figure 7", comparisons.weight, "CoUn with three weights"),
    Claim("tau", "a temperature near 0.1 is best", "Figure 8", comparisons.temperature, "CoUn near and far from 0.1"),
    Claim("strong-view", "a strong second view degrades", "Figure 9", comparisons.strong_view, JITTER),
    Claim("equal-views", EQUAL, "Figure 9", comparisons.equal_views, "CoUn with both, two trials"),
    Claim("batch", "batch size 256 is best", "Figure 10", comparisons.batch, "CoUn at batch size 256 and another"),
    Claim("compact", LOOSE, "Figure 12", representations.compactness, f"maps of {JITTER}"),
    Claim("lemma", "views of forget images lie farther apart", "Lemma 1", representations.lemma, "theory with CoUn"),
)
