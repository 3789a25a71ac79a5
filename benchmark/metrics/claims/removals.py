"""Claims about how much is forgotten, and about one removal after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmark.metrics.bootstrap import Floats, Indices, Statistic
from benchmark.metrics.claims.claim import BASES, OTHERS, OURS, Tested, against, lead
from benchmark.metrics.claims.comparisons import differing
from benchmark.metrics.evidence import Evidence, Trials, in_cell
from benchmark.metrics.gaps import CELL, METRICS, improvement
from benchmark.names import KEYS, RETRAIN, Cell, MethodName, Scenario

# --- more and more is forgotten ---------------------------------------------------------------------------------------


def growth(evidence: Evidence) -> Iterator[Tested]:
    """By how much more CL improves the average gap at the largest share than at the smallest one."""
    places: dict[tuple[str, str], list[Cell]] = {}
    for cell in sorted(evidence.cells("random"), key=lambda cell: Scenario(cell.scenario).percent):
        places.setdefault((cell.dataset, cell.arch), []).append(cell)
    for cells in places.values():
        for base in BASES:
            added = MethodName(base, True, ()).head
            both = [cell for cell in cells if {base, added} <= set(in_cell(evidence.metrics, cell)["method"])]
            if len(both) > 1:
                yield from _grown(evidence, both[0], both[-1], base, added)


def _grown(evidence: Evidence, small: Cell, large: Cell, base: str, added: str) -> Iterator[Tested]:
    """Compare what CL improves in two cells, and once more with all else the same, where a cell has a run for that."""
    variants = [differing(in_cell(evidence.metrics, cell), base, added) for cell in (small, large)]
    there, here = (words for _, words in variants)
    fair = [alike[0] if words and alike else base for alike, words in variants]
    beside = f"compared with random {Scenario(small.scenario).percent} %"
    compared = {f"`{base}` with the term{here}, {beside}{there}{' there' if there else ''}": [base, base]}
    if fair != [base, base]:
        compared[f"`{base}` with the term, {beside}, all else the same"] = fair
    for words, bases in compared.items():
        frames = [(evidence.metrics, cell, [one, added]) for cell, one in zip((small, large), bases, strict=True)]
        both = _together(frames)
        if all(len(trials.methods) == 2 and len(trials) for trials in both):
            test = Tested.of(large, words, _more(*both), both[1], "points of improvement")
            lost = [Counter(Trials(*frame).diverged) for frame in frames]  # in `both`, such trials are left out already
            diverged, collapsed = lost[0] + lost[1], Counter(both[0].collapsed) + Counter(both[1].collapsed)
            yield test._replace(diverged=diverged, collapsed=collapsed)


def _more(small: Trials, large: Trials) -> Statistic:
    def improved(trials: Trials, drawn: Indices) -> Floats:
        return improvement(*trials.gaps(trials.methods, drawn))

    return lambda drawn: improved(large, drawn) - improved(small, drawn)


def _together(frames: Sequence[tuple[pd.DataFrame, Cell, list[str]]]) -> list[Trials]:
    """Return the trials of several frames, those that all of them have."""
    shared = set.intersection(*(set(Trials(*frame).numbers) for frame in frames))
    return [Trials(metrics[metrics["trial"].isin(shared)], cell, methods) for metrics, cell, methods in frames]


# --- stage after stage ------------------------------------------------------------------------------------------------


def stages(evidence: Evidence) -> Iterator[Tested]:
    """By how much we lead the others, at the stage where we do least."""
    for cell, ends in _staged(evidence):
        yield from _at_every_stage(evidence, cell, ends, OURS, list(OTHERS))


def term_by_stage(evidence: Evidence) -> Iterator[Tested]:
    """By how much CL lowers the average gap of a method, at the stage where it does least."""
    for cell, ends in _staged(evidence):
        for added in ends[0]["method"].unique():
            name = MethodName.parse(added)
            base = str(replace(name, contrastive=False))
            if name.contrastive:
                _, words = differing(in_cell(evidence.metrics, cell), base, added)
                yield from _at_every_stage(evidence, cell, ends, added, [base], f"`{base}` with the term{words}")


def _at_every_stage(
    evidence: Evidence, cell: Cell, ends: list[pd.DataFrame], ours: str, others: list[str], subject: str = ""
) -> Iterator[Tested]:
    """Compare what has runs at every stage; a trial counts at every stage or at none."""
    known = [Trials(end, cell, [*others, ours]) for end in ends]
    others = [method for method in others if all(method in trials.methods for trials in known)]
    if not others or not all(ours in trials.methods for trials in known):
        return
    by_stage = _together([(end, cell, [*others, ours]) for end in ends])
    if len(by_stage[0]):
        statistic = _smallest([lead(trials, [ours], others) for trials in by_stage])
        whole = Trials(evidence.metrics, cell, [*others, ours])
        test = Tested.of(cell, subject or against(others), statistic, by_stage[0])
        yield test._replace(diverged=whole.diverged, collapsed=whole.collapsed)


def _smallest(statistics: list[Statistic]) -> Statistic:
    return lambda drawn: np.asarray(np.min([statistic(drawn) for statistic in statistics], axis=0), dtype=float)


def _staged(evidence: Evidence) -> Iterator[tuple[Cell, list[pd.DataFrame]]]:
    """Return each sequential scenario with the metrics at the end of each of its stages."""
    history = evidence.history
    if "stage" not in history:
        return
    for place, rows in history[history["scenario"].str.startswith("sequential")].groupby(CELL, sort=False):
        cell = Cell(*place)
        yield cell, [_end(evidence, cell, rows, stage) for stage in range(1, Scenario(cell.scenario).stages + 1)]


def _end(evidence: Evidence, cell: Cell, rows: pd.DataFrame, stage: int) -> pd.DataFrame:
    """Return the metrics at the end of a stage beside those of the Retrain that never saw what is gone by then."""
    ends = rows[rows["stage"] == stage].groupby(["method", "trial"], sort=False).tail(1)
    gone = f"random-{stage * Scenario(cell.scenario).percent}"
    known = in_cell(evidence.metrics, Cell(cell.dataset, cell.arch, gone))
    known = known[known["method"] == RETRAIN].assign(scenario=cell.scenario)
    return pd.concat([known, ends])[[*KEYS, *METRICS]].dropna(subset=METRICS)
