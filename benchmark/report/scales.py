"""Numbers at several scales: those that studies gathered and those that the paper prints, for an output's cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics.bootstrap import mean_interval
from benchmark.metrics.claims import CLAIMS
from benchmark.metrics.claims.claim import ALL_ELSE_SAME
from benchmark.metrics.evidence import Evidence, in_cell, leaders
from benchmark.metrics.gaps import summarise
from benchmark.metrics.reported import TRIALS, reported_means
from benchmark.metrics.samples import METRICS
from benchmark.metrics.samplewise.agreement import known_beyond, known_beyond_test
from benchmark.metrics.samplewise.standards import kendall
from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNTESTED, verdicts
from benchmark.names import CELL_KEYS, CHOSEN, RETRAIN, RUN_KEYS, Cell, MethodName, Scenario, competes, name_with_term
from benchmark.report.source import Source
from benchmark.report.style import architecture_label, dataset_label
from benchmark.report.summary import summaries
from benchmark.report.tabular import EXACT
from benchmark.results.frames import gathered_frame
from benchmark.study.plan import SCALE_FRAMES

PAPER = "the paper"
GAP, KEPT, TAU = "avg_gap", "kept", "tau"
OF_RETRAIN = ("ua", "ta", "mia")
PRIMARY = {claim.key: claim for claim in CLAIMS if claim.primary}


class Number(NamedTuple):
    """One number at one scale in one scenario.

    ``what`` is a metric of Retrain, `GAP` or `KEPT` of the method ``subject``, `TAU` of the ranking by the quantity
    ``subject``, or a primary claim, about ``subject`` if made about several methods. ``rank`` is 1 for the smallest
    distance from Retrain; ``leads`` says that trials cannot tell it from that, ``collapsed`` that some trial collapsed.
    ``also`` says which settings, such as epochs, differ between the two sides of a claim beside what it is about.
    """

    what: str
    subject: str
    value: float
    low: float = np.nan
    high: float = np.nan
    rank: float = np.nan
    leads: bool = False
    collapsed: bool = False
    verdict: str = ""
    also: str = ""


@dataclass(frozen=True)
class Scale:
    """A study's gathered results, or the paper's; only a name if nothing was gathered.

    ``cells`` are the listed cells that it has, by scenario.
    """

    name: str
    cells: dict[str, Cell]
    metrics: pd.DataFrame
    images: int | None = None

    @property
    def is_paper(self) -> bool:
        """Whether its numbers are printed means, without trials."""
        return self.name == PAPER

    @property
    def text(self) -> str:
        """Its images, network and trials in words."""
        if not self.cells:
            return f"{self.name}: not run yet"
        cell = next(iter(self.cells.values()))
        counts = [TRIALS] if self.is_paper else sorted(self.metrics.groupby([*CELL_KEYS, "method"]).size().unique())
        trials = " to ".join(str(count) for count in dict.fromkeys([*counts[:1], *counts[-1:]]))
        parts = [
            dataset_label(cell.dataset),
            f"{self.images:,} images" if self.images else "",
            architecture_label(cell.arch),
            f"{trials} trial" + "s" * (trials != "1") if trials else "",  # there may be no run of a listed method
        ]
        return f"{self.name}: {', '.join(filter(None, parts))}"


def scales(source: Source) -> list[Scale]:
    """Return the scales of an output, the paper last.

    Raises `BadInput` where a study has two cells of one scenario, or all studies were run and none has a cell.
    """
    studies = [_gathered(source, name) for name in source.output.studies]
    printed = reported_means()
    cells = {cell.scenario: cell for cell in source.cells if len(in_cell(printed, cell))}
    available = {cell for by_scenario in [cells, *(scale.cells for scale in studies)] for cell in by_scenario.values()}
    if all(scale.cells for scale in studies) and (missing := [cell for cell in source.cells if cell not in available]):
        accepted = f"accepted are cells of {', '.join(source.output.studies)}, and the paper's"
        raise BadInput(f"{source.name}: cells: {missing[0]}: no results: {accepted}")
    return [*studies, *([Scale(PAPER, cells, _listed(source, printed, cells))] if cells else [])]


def numbers(source: Source, shown_scales: list[Scale]) -> pd.DataFrame:
    """Return one row per number: ``scenario, scale``, the cell's ``dataset, arch``, and the fields of `Number`."""
    cells = [(scale, scenario, cell) for scale in shown_scales for scenario, cell in scale.cells.items()]
    by_cell = {(scale.name, scenario): list(_of_cell(source, scale, cell)) for scale, scenario, cell in cells}
    rows: list[dict[str, Any]] = []
    for scale, scenario, cell in cells:
        columns = {"scenario": scenario, "scale": scale.name, "dataset": cell.dataset, "arch": cell.arch}
        cell_numbers = by_cell[scale.name, scenario]
        taus = [] if scale.is_paper else _taus(cell_numbers, by_cell.get((PAPER, scenario), []))
        rows += [columns | number._asdict() for number in (*cell_numbers, *taus)]
    return pd.DataFrame(rows, columns=["scenario", "scale", "dataset", "arch", *Number._fields])


# --- gathered results -------------------------------------------------------------------------------------------------


def _gathered(source: Source, name: str) -> Scale:
    empty = pd.DataFrame(columns=RUN_KEYS)
    metrics, predictions = (
        gathered_frame(name, what) if paths.gathered(name, what).is_file() else empty for what in SCALE_FRAMES
    )
    cells: dict[str, Cell] = {}
    for cell in source.cells:
        if len(in_cell(metrics, cell)):
            if earlier := cells.get(cell.scenario):
                both = f"{name} has both {earlier} and {cell}: accepted is one of a scenario"
                raise BadInput(f"{source.name}: cells: {both}")
            cells[cell.scenario] = cell
    return Scale(name, cells, _listed(source, metrics, cells), _images(predictions, cells))


def _listed(source: Source, frame: pd.DataFrame, cells: dict[str, Cell]) -> pd.DataFrame:
    """Return the cells' rows of Retrain and the listed methods, with and without the contrastive term."""
    added = {name_with_term(MethodName.parse(method).base) for method in source.methods}
    parts = [in_cell(frame, cell) for cell in cells.values()]
    rows = pd.concat(parts, ignore_index=True) if parts else frame[:0]
    return rows[rows["method"].isin({RETRAIN, *source.methods, *added})]


def _images(predictions: pd.DataFrame, cells: dict[str, Cell]) -> int | None:
    """Return how many training images a trial forgets and retains, if predictions were gathered."""
    for cell in cells.values():
        runs = in_cell(predictions, cell)
        runs = runs[(runs["method"] == RETRAIN) & (runs["trial"] == 0)]
        if len(runs):
            return int(runs.loc[runs["membership"].isin(["forget", "retain"]), "count"].sum())
    return None


# --- numbers ----------------------------------------------------------------------------------------------------------


def _of_cell(source: Source, scale: Scale, cell: Cell) -> Iterator[Number]:
    metrics = in_cell(scale.metrics, cell)
    retrain = metrics[metrics["method"] == RETRAIN]
    for metric in OF_RETRAIN:
        yield Number(metric, RETRAIN, float(retrain[metric].mean(skipna=False)))
    gaps = _gaps_of_paper(source, metrics) if scale.is_paper else _gaps(source, metrics, cell)
    yield from [*gaps, *_kept(metrics, cell, gaps, scale.is_paper), *_claims(scale, metrics)]


def _gaps(source: Source, metrics: pd.DataFrame, cell: Cell) -> list[Number]:
    by_method = summaries(metrics)
    gaps = [
        Number(GAP, method, row[GAP], row[f"{GAP}_low"], row[f"{GAP}_high"], collapsed=row["collapsed"] > 0)
        for method in source.methods
        if (row := by_method.get((cell, method)))
    ]
    return _ranked(gaps, leaders(metrics, cell, _may_lead(gaps)))


def _gaps_of_paper(source: Source, metrics: pd.DataFrame) -> list[Number]:
    """Return the average gaps of the printed means, since some printed gaps are slips; the smallest leads."""
    printed = summarise(metrics).set_index("method")[GAP].reindex(source.methods)
    return _ranked([Number(GAP, str(method), float(value)) for method, value in printed.items()])


def _may_lead(gaps: list[Number]) -> list[str]:
    """Return the methods that neither collapsed nor diverged: as in every table, no other leads or costs trials."""
    return [gap.subject for gap in gaps if competes(gap.subject) and np.isfinite(gap.value) and not gap.collapsed]


def _kept(metrics: pd.DataFrame, cell: Cell, gaps: list[Number], is_paper: bool) -> list[Number]:
    """Return what each method that has a gap knows of forget data beyond test data, more than Retrain does.

    Where a file chooses the forget data there is nothing: accuracy alone does not say which test data are as hard.
    """
    scenario, numbers = Scenario(cell.scenario), metrics[METRICS].to_numpy(dtype=float)
    if scenario.kind in CHOSEN:
        return []
    known = metrics.assign(value=known_beyond(numbers, 0.0) if scenario.class_name else known_beyond_test(numbers))
    retrain = known[known["method"] == RETRAIN].groupby("trial")["value"].mean()
    known["value"] -= known["trial"].map(retrain)  # of each method over the trials that Retrain has, as gaps
    by_method = dict(list(known.dropna(subset="value").groupby("method")["value"]))
    values = []
    for gap in gaps:
        if np.isfinite(gap.value) and gap.subject in by_method:
            low, high = mean_interval(by_method[gap.subject])
            values.append(gap._replace(what=KEPT, value=float(by_method[gap.subject].mean()), low=low, high=high))
    return _ranked(values, None if is_paper else leaders(known, cell, _may_lead(gaps), ["value"]))


def _ranked(values: list[Number], leading: set[str] | None = None) -> list[Number]:
    """Return numbers with their ranks by size among the methods that unlearn, and which lead: by default the first."""
    values = [number for number in values if np.isfinite(number.value)]
    competing = {number.subject: round(abs(number.value), EXACT) for number in values if competes(number.subject)}
    ranks = pd.Series(competing, dtype=float).rank(method="min")
    if leading is None:
        leading = {min(competing, key=competing.__getitem__)} if competing else set()
    return [
        number._replace(rank=float(ranks.get(number.subject, np.nan)), leads=number.subject in leading)
        for number in values
    ]


def _taus(numbers: list[Number], printed: list[Number]) -> Iterator[Number]:
    """Yield Kendall's tau between the paper's rankings, by average gap and by what is kept, and those of a scale."""
    for what in (GAP, KEPT):
        reference = {number.subject: number.rank for number in printed if number.what == what}
        ranks = {number.subject: number.rank for number in numbers if number.what == what and np.isfinite(number.rank)}
        shared = [method for method in ranks if np.isfinite(reference.get(method, np.nan))]
        if len(shared) > 1:
            rankings = ([ranking[method] for method in shared] for ranking in (ranks, reference))
            yield Number(TAU, what, float(kendall(*rankings)))


def _claims(scale: Scale, metrics: pd.DataFrame) -> Iterator[Number]:
    """Yield the primary claims; those of the paper by the sign of its means, which have no interval."""
    tests = verdicts(Evidence(metrics), PRIMARY.values())
    for test in tests[(tests["verdict"] != UNTESTED) & (tests["also"] != ALL_ELSE_SAME)].itertuples():
        signed = REPRODUCED if test.value > 0 else NOT_REPRODUCED
        verdict, also = signed if scale.is_paper else test.verdict, test.also.replace("`", "")
        yield Number(test.claim, test.method, test.value, test.low, test.high, verdict=verdict, also=also)
