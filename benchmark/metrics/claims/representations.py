"""Claims about where forget samples go: predictions, distances, maps, and the views of the theory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmark.metrics.claims.claim import OURS, Tested, lead, mean_of, within
from benchmark.metrics.claims.comparisons import mild_and_strong
from benchmark.metrics.compactness import silhouette
from benchmark.metrics.evidence import Evidence, Trials, in_cell, trials_with
from benchmark.names import CELL_KEYS, RETRAIN, RUN_KEYS, Cell, Scenario

PRINTED = 100 * (0.03 + 0.00 + 0.02) / 3  # per cent: CoUn's distances from Retrain's in Table 4


def predictions(evidence: Evidence) -> Iterator[Tested]:
    """By how much less our predictions of forget samples differ from Retrain's than FT's do.

    The difference is the per cent of a class's samples that go to another class than Retrain's: the total variation
    between the two distributions over predicted classes, averaged over the true classes.
    """
    rows = evidence.predictions
    if len(rows):
        forget = rows[rows["membership"] == "forget"].rename(columns={"percent": "value"})
        for cell in [*evidence.cells("class"), *evidence.cells("random")]:
            yield from _nearer_than_ft(evidence, cell, forget, "prediction", "% of samples", total_variation=True)


def centroids(evidence: Evidence) -> Iterator[Tested]:
    """By how much less our distances to centroids of other classes differ from Retrain's than FT's do.

    The samples are of the classes that the study forgets as a whole, as in Table 4. A run's distances of one class of
    samples are divided by their largest; the paper does not say by what. Its own distances of CoUn differ from
    Retrain's by `PRINTED` on average, so no smaller difference is asked for.
    """
    rows = evidence.distances
    if rows.empty:
        return
    rows = rows[rows["label"] != rows["centroid"]]
    distances = rows.groupby([*RUN_KEYS, "label"])["distance"]
    of_forgotten = rows["label"].isin([Scenario(cell.scenario).class_name for cell in evidence.cells("class")])
    scaled = rows.assign(value=100 * rows["distance"] / distances.transform("max"))[of_forgotten]
    as_printed = replace(evidence, margin=max(evidence.margin, PRINTED))
    for cell in [*evidence.cells("class"), *evidence.cells("random")]:
        class_names = ", ".join(sorted(in_cell(scaled, cell)["label"].unique()))
        unit = "% of the largest distance"
        yield from _nearer_than_ft(as_printed, cell, scaled, "centroid", unit, f"{class_names}: ")


def _nearer_than_ft(
    evidence: Evidence,
    cell: Cell,
    rows: pd.DataFrame,
    column: str,
    unit: str,
    prefix: str = "",
    total_variation: bool = False,
) -> Iterator[Tested]:
    """Compare the ``value`` of each ``label`` and ``column`` with Retrain's: ours against FT, and within the margin.

    Absolute differences are averaged or, with ``total_variation``, each label's are summed and halved, and the labels'
    sums averaged.
    """
    cell_rows = in_cell(rows, cell)
    cell_rows = cell_rows[cell_rows["method"].isin(["ft", OURS, RETRAIN])]
    by_run = cell_rows.pivot_table(index=RUN_KEYS, columns=["label", column], values="value", fill_value=0.0)
    if total_variation:
        by_run *= by_run.shape[1] / by_run.columns.unique("label").size / 2  # what makes a mean over all half a sum
    by_run.columns = pd.RangeIndex(by_run.shape[1])
    status = [name for name in ("status", "collapsed") if name in evidence.metrics]
    runs = by_run.reset_index().merge(evidence.metrics[[*RUN_KEYS, *status]], on=RUN_KEYS)
    trials = Trials(runs, cell, ["ft", OURS], range(by_run.shape[1]))
    trials.diverged = _diverged(evidence, cell, ["ft", OURS], cell_rows)
    if len(trials.methods) == 2 and len(trials):
        yield Tested.of(cell, f"{prefix}against `ft`", lead(trials, [OURS], ["ft"]), trials, unit)
        yield Tested.of(cell, f"{prefix}`{OURS}` and Retrain", within(trials, OURS, evidence.margin), trials, unit)


def _diverged(evidence: Evidence, cell: Cell, methods: list[str], rows: pd.DataFrame) -> dict[str, int]:
    """Return in how many of the rows' trials each method diverged; a diverged run may have no rows itself."""
    in_trials = evidence.metrics["trial"].isin(rows["trial"])
    return Trials(evidence.metrics[in_trials], cell, methods).diverged


def compactness(evidence: Evidence) -> Iterator[Tested]:
    """By how much the silhouette of forget samples on a map is larger with CHN than with a strong second view."""
    maps = evidence.embeddings
    if maps.empty:
        return
    for cell in evidence.cells("random"):
        forget = in_cell(maps[maps["membership"] == "forget"], cell)
        silhouettes = {
            run: silhouette(rows[["tsne_x", "tsne_y"]].to_numpy(dtype=float), rows["prediction"])
            for run, rows in forget.groupby(["method", "trial"])
        }
        runs = in_cell(evidence.metrics, cell)
        runs = runs[pd.MultiIndex.from_frame(runs[["method", "trial"]]).isin(silhouettes) | (runs["method"] == RETRAIN)]
        for pair in mild_and_strong(runs):
            methods = [*pair.ours, *pair.others]
            trials = Trials(runs, cell, methods)
            trials.diverged = _diverged(evidence, cell, methods, forget)
            if pair.ours and pair.others and {*methods} == {*trials.methods} and len(trials):
                of_mild, of_strong = (
                    np.max([[silhouettes[method, trial] for trial in trials.numbers] for method in side], axis=0)
                    for side in (pair.ours, pair.others)
                )
                yield Tested.of(cell, pair.subject, mean_of(of_mild - of_strong), trials, "silhouette")


def lemma(evidence: Evidence) -> Iterator[Tested]:
    """By how much more of the forget than of the retain images have views far apart, averaged over distances.

    The subject has the other methods' values: the lemma is about CoUn, but may hold without its term.
    """
    theory = evidence.theory
    if theory.empty:
        return
    columns = [column for column in theory if str(column).startswith("r_")]
    distances = f"mean over ε = {', '.join(str(column)[2:] for column in columns)}"
    for key, rows in theory.groupby(CELL_KEYS, sort=False):
        rows = rows.drop_duplicates(["method", "trial", "group"])  # two tables may include the same runs
        rates = rows.assign(r=100 * rows[columns].mean(axis=1))
        means = rates.pivot(index=["method", "trial"], columns="group", values="r").dropna()
        by_method = dict(list((means["forget"] - means["retain"]).groupby("method")))
        if OURS in by_method:
            ours = by_method.pop(OURS).droplevel("method")
            others = ", ".join(f"{values.mean():.2f} of `{method}`" for method, values in by_method.items())
            subject = f"`{OURS}`, {distances}" + f"; {others.replace('-', '−')}" * bool(others)
            diverged = trials_with(rows, "diverged", True, [OURS])
            collapsed = trials_with(rows[rows["trial"].isin(ours.index)], "collapsed", True, [OURS])
            statistic = mean_of(ours.to_numpy(dtype=float))
            yield Tested(Cell(*key), subject, statistic, len(ours), diverged, collapsed, "% of images")
