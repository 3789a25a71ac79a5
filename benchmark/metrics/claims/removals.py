"""Claims about how much is forgotten, and about one removal after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Statistic
from benchmark.metrics.claims.claim import ALL_ELSE_SAME, BASES, OTHERS, OURS, Tested, against, lead, with_term
from benchmark.metrics.claims.comparisons import matching_variants
from benchmark.metrics.evidence import Evidence, Trials, in_cell, trials_with
from benchmark.metrics.gaps import improvement
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, RETRAIN, RUN_KEYS, Cell, MethodName, Scenario, name_with_term

# --- more and more is forgotten ---------------------------------------------------------------------------------------


def growth(evidence: Evidence) -> Iterator[Tested]:
    """By how much more CL improves the average gap at the largest forgotten share than at the smallest."""
    by_network: dict[tuple[str, str], list[Cell]] = {}
    for cell in sorted(evidence.cells("random"), key=lambda cell: Scenario(cell.scenario).percent):
        by_network.setdefault((cell.dataset, cell.arch), []).append(cell)
    for cells in by_network.values():
        for base in BASES:
            added = name_with_term(base)
            testable = [cell for cell in cells if {base, added} <= set(in_cell(evidence.metrics, cell)["method"])]
            if len(testable) > 1:
                yield from _test_growth(evidence, testable[0], testable[-1], base, added)


def _test_growth(evidence: Evidence, small: Cell, large: Cell, base: str, added: str) -> Iterator[Tested]:
    """Compare CL's improvement in two cells, and again with all else the same where the runs for that exist."""
    variants = [matching_variants(in_cell(evidence.metrics, cell), base, added) for cell in (small, large)]
    small_also, large_also = (also for _, also in variants)
    there = f"{small_also} there" if small_also else ""
    also = " and ".join(filter(None, (large_also, there)))
    reference = f", compared with random {Scenario(small.scenario).percent} %"
    compared = [(f"{with_term(base, large_also)}{reference}{f' and {there}' * bool(there)}", also, [base, base])]
    if also and all(matching or not words for matching, words in variants):
        matching_bases = [matching[0] if words else base for matching, words in variants]
        compared.append((f"{with_term(base)}{reference}, {ALL_ELSE_SAME}", ALL_ELSE_SAME, matching_bases))
    for subject, also, bases in compared:
        frames = [(evidence.metrics, cell, [method, added]) for cell, method in zip((small, large), bases, strict=True)]
        pair = _shared_trials(frames)
        if all(len(trials.methods) == 2 and len(trials) for trials in pair):
            test = Tested.of(large, subject, _more(*pair), pair[1], "points of improvement", method=base, also=also)
            small_diverged, large_diverged = (Counter(Trials(*frame).diverged) for frame in frames)  # `pair` has none
            small_collapsed, large_collapsed = (Counter(trials.collapsed) for trials in pair)
            yield test._replace(diverged=small_diverged + large_diverged, collapsed=small_collapsed + large_collapsed)


def _more(small: Trials, large: Trials) -> Statistic:
    return lambda drawn: improvement(*large.gaps(large.methods, drawn)) - improvement(*small.gaps(small.methods, drawn))


def _shared_trials(frames: Sequence[tuple[pd.DataFrame, Cell, list[str]]]) -> list[Trials]:
    """Return the trials of each frame, restricted to those that all of them have."""
    shared = set.intersection(*(set(Trials(*frame).numbers) for frame in frames))
    return [Trials(metrics[metrics["trial"].isin(shared)], cell, methods) for metrics, cell, methods in frames]


# --- stage after stage ------------------------------------------------------------------------------------------------


def stages(evidence: Evidence) -> Iterator[Tested]:
    """By how much we lead the others, at the stage where we lead least."""
    for cell, ends in _staged(evidence):
        yield from _at_every_stage(evidence, cell, ends, OURS, list(OTHERS))


def term_by_stage(evidence: Evidence) -> Iterator[Tested]:
    """By how much CL lowers a method's average gap, at the stage where it lowers it least."""
    for cell, ends in _staged(evidence):
        for added in ends[0]["method"].unique():
            name = MethodName.parse(added)
            base = str(replace(name, contrastive=False))
            if name.contrastive:
                _, also = matching_variants(in_cell(evidence.metrics, cell), base, added)
                for test in _at_every_stage(evidence, cell, ends, added, [base]):
                    yield test._replace(subject=with_term(base, also), method=base, also=also)


def _at_every_stage(
    evidence: Evidence, cell: Cell, ends: list[pd.DataFrame], ours: str, others: list[str]
) -> Iterator[Tested]:
    """Compare the methods that have runs at every stage; a trial counts at every stage or at none."""
    listed = [*others, ours]
    all_trials = [Trials(end, cell, listed) for end in ends]
    others = [method for method in others if all(method in trials.methods for trials in all_trials)]
    if not others or not all(ours in trials.methods for trials in all_trials):
        return
    by_stage = _shared_trials([(end, cell, [*others, ours]) for end in ends])
    if len(by_stage[0]):
        statistic = _smallest([lead(trials, [ours], others) for trials in by_stage])
        test = Tested.of(cell, against(others), statistic, by_stage[0])
        runs = in_cell(evidence.metrics, cell)
        retrains = [_retrain(evidence, cell, stage) for stage in range(1, len(ends) + 1)]
        diverged = trials_with(pd.concat([runs, *retrains]), "status", DIVERGED, [RETRAIN, *listed])
        collapsed = trials_with(runs[runs["trial"].isin(by_stage[0].numbers)], "collapsed", True, [*others, ours])
        yield test._replace(diverged=diverged, collapsed=collapsed)


def _smallest(statistics: list[Statistic]) -> Statistic:
    return lambda drawn: np.asarray(np.min([statistic(drawn) for statistic in statistics], axis=0), dtype=float)


def _staged(evidence: Evidence) -> Iterator[tuple[Cell, list[pd.DataFrame]]]:
    """Yield each sequential cell with the metrics at the end of each of its stages."""
    history = evidence.history
    if "stage" not in history:
        return
    for key, rows in history[history["scenario"].str.startswith("sequential")].groupby(CELL_KEYS, sort=False):
        cell = Cell(*key)
        yield cell, [_end(evidence, cell, rows, stage) for stage in range(1, Scenario(cell.scenario).stages + 1)]


def _end(evidence: Evidence, cell: Cell, rows: pd.DataFrame, stage: int) -> pd.DataFrame:
    """Return the metrics at the end of a stage, with those of the Retrain that never saw what is forgotten by then."""
    ends = rows[rows["stage"] == stage].groupby(["method", "trial"], sort=False).tail(1)
    return pd.concat([_retrain(evidence, cell, stage), ends])[[*RUN_KEYS, *METRICS]].dropna(subset=METRICS)


def _retrain(evidence: Evidence, cell: Cell, stage: int) -> pd.DataFrame:
    """Return the runs of a stage's Retrain, as of the sequential cell."""
    runs = in_cell(evidence.metrics, cell.references[stage - 1])
    return runs[runs["method"] == RETRAIN].assign(scenario=cell.scenario)
