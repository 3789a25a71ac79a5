"""Claims about where forget samples go: predictions, distances, maps, and the views of the theory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmark.metrics.claims.claim import OURS, Tested, lead, mean_of, within
from benchmark.metrics.claims.comparisons import mild_and_strong
from benchmark.metrics.compactness import silhouette
from benchmark.metrics.evidence import Evidence, Trials, in_cell
from benchmark.metrics.gaps import CELL
from benchmark.names import KEYS, RETRAIN, Cell, Scenario


def predictions(evidence: Evidence) -> Iterator[Tested]:
    """How much less our predictions of forget samples differ from Retrain's than those of FT, in points a class."""
    rows = evidence.predictions
    if len(rows):
        forget = rows[rows["membership"] == "forget"].rename(columns={"percent": "value"})
        for cell in [*evidence.cells("class"), *evidence.cells("random")]:
            yield from _nearer_than_ft(evidence, cell, forget, "prediction", "points")


def centroids(evidence: Evidence) -> Iterator[Tested]:
    """How much less our distances to centroids of other classes differ from Retrain's than those of FT.

    That is of samples of the classes that the study forgets whole, as in Table 4, and where samples of every class are
    forgotten, of all. A run's distances of one class of samples are divided by the largest of them or by their mean:
    the paper does not say which it does.
    """
    rows = evidence.distances
    if rows.empty:
        return
    rows = rows[rows["label"] != rows["centroid"]]
    distances = rows.groupby([*KEYS, "label"])["distance"]
    whole = rows["label"].isin([Scenario(cell.scenario).class_name for cell in evidence.cells("class")])
    named = ", ".join(sorted(rows.loc[whole, "label"].unique()))
    for divisor, name in (("max", "largest"), ("mean", "mean")):
        unit = f"% of the {name} distance"
        scaled = rows.assign(value=100 * rows["distance"] / distances.transform(divisor))
        for cell in [*evidence.cells("class"), *evidence.cells("random")]:
            yield from _nearer_than_ft(evidence, cell, scaled[whole], "centroid", unit, f"{named}: ")
        for cell in evidence.cells("random"):
            yield from _nearer_than_ft(evidence, cell, scaled, "centroid", unit, "all classes: ")


def _nearer_than_ft(
    evidence: Evidence, cell: Cell, rows: pd.DataFrame, column: str, unit: str, of: str = ""
) -> Iterator[Tested]:
    """Compare each ``label``'s and ``column``'s ``value`` with Retrain's: ours beside FT's, and within the margin."""
    here = in_cell(rows, cell)
    here = here[here["method"].isin(["ft", OURS, RETRAIN])]
    wide = here.pivot_table(index=KEYS, columns=["label", column], values="value", fill_value=0.0)
    wide.columns = pd.RangeIndex(wide.shape[1])
    status = [name for name in ("status", "collapsed") if name in evidence.metrics]
    runs = wide.reset_index().merge(evidence.metrics[[*KEYS, *status]], on=KEYS)
    trials = Trials(runs, cell, ["ft", OURS], range(wide.shape[1]))
    trials.diverged = _diverged(evidence, cell, ["ft", OURS], here)
    if len(trials.methods) == 2 and len(trials):
        yield Tested.of(cell, f"{of}against `ft`", lead(trials, [OURS], ["ft"]), trials, unit)
        yield Tested.of(cell, f"{of}`{OURS}` and Retrain", within(trials, OURS, evidence.margin), trials, unit)


def _diverged(evidence: Evidence, cell: Cell, methods: list[str], rows: pd.DataFrame) -> dict[str, int]:
    """Return in how many of the rows' trials each method diverged: such a run may have no row of its own."""
    shown = evidence.metrics["trial"].isin(rows["trial"])
    return Trials(evidence.metrics[shown], cell, methods).diverged


def compactness(evidence: Evidence) -> Iterator[Tested]:
    """By how much the silhouette of forget samples on the map is larger with CHN than with a strong second view."""
    maps = evidence.embeddings
    if maps.empty:
        return
    for cell in evidence.cells("random"):
        forget = in_cell(maps[maps["membership"] == "forget"], cell)
        drawn = {run: _silhouette(rows) for run, rows in forget.groupby(["method", "trial"])}
        runs = in_cell(evidence.metrics, cell)
        runs = runs[pd.MultiIndex.from_frame(runs[["method", "trial"]]).isin(drawn) | (runs["method"] == RETRAIN)]
        for mild, strong, subject in mild_and_strong(runs):
            trials = Trials(runs, cell, [*mild, *strong])
            trials.diverged = _diverged(evidence, cell, [*mild, *strong], forget)
            if mild and strong and {*mild, *strong} == {*trials.methods} and len(trials):
                of = {method: np.array([drawn[method, trial] for trial in trials.numbers]) for method in trials.methods}
                apart = np.max([of[m] for m in mild], axis=0) - np.max([of[m] for m in strong], axis=0)
                yield Tested.of(cell, subject, mean_of(apart), trials, "silhouette")


def _silhouette(rows: pd.DataFrame) -> float:
    return silhouette(rows[["tsne_x", "tsne_y"]].to_numpy(dtype=float), rows["prediction"])


def lemma(evidence: Evidence) -> Iterator[Tested]:
    """How much more of the forget than of the retain images have views that lie apart, averaged over distances."""
    theory = evidence.theory
    if theory.empty:
        return
    columns = [column for column in theory if str(column).startswith("r_")]
    for place, rows in theory[theory["method"] == OURS].groupby(CELL, sort=False):
        rows = rows.drop_duplicates(["trial", "group"])  # two tables may show the same runs
        means = rows.assign(r=rows[columns].mean(axis=1)).pivot(index="trial", columns="group", values="r").dropna()
        lost = int(rows.loc[rows["diverged"].astype(bool), "trial"].nunique()) if "diverged" in rows else 0
        if len(means):
            apart = (100 * (means["forget"] - means["retain"])).to_numpy(dtype=float)
            subject = f"mean over ε = {', '.join(str(column)[2:] for column in columns)}"
            diverged = {OURS: lost} if lost else {}
            yield Tested(str(Cell(*place)), subject, mean_of(apart), len(means), diverged, {}, "% of images")
