"""The results of a tuning, for studies to include: ``config/tuned/<study>.yaml``, written when the search has ended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import write_text
from benchmark.names import Cell
from benchmark.study.reading import parse
from benchmark.study.resolve import others
from benchmark.tune.journal import Journal, Pair
from benchmark.workflow.status import spell

OBJECTIVE = (
    "average gap to Retrain in points, of one run on one tuning trial (own Original, split and Retrain, which no table "
    "shows), with images that the tuning holds out in the place of test images, plus a point for every point of "
    "accuracy on these that is lost beyond the utility budget"
)
SAMPLER = (
    "first the study's own values, then these with `rates` times its learning rate, up to the fourth random ones, then "
    "a tree-structured Parzen estimator"
)


def check(journal: Journal, replace: bool) -> None:
    """Raise `BadInput` if the file has values that are not of this search, unless it may ``replace`` them.

    They are of another if no candidate has the method's present settings, all but the searched ones.
    """
    path = paths.tuned(journal.parent.name)
    if replace or not path.is_file():
        return
    tried = {f"{pair.cell}/{pair.method}" for pair in journal.pairs if journal.ended(pair)}
    for target, source in journal.tune.reuse.items():
        tried |= {place.replace(f"/{source}/", f"/{target}/") for place in tried}
    found = parse(path).get("hyperparameters", {})
    if lost := [place for cell in found for method in found[cell] if (place := f"{cell}/{method}") not in tried]:
        raise BadInput(
            f"{path} has values of another search: {journal.path} has no candidate with the present settings of "
            f"{lost[0]}; --replace puts the values of this search in their place, once it has ended"
        )


def write(journal: Journal) -> Path:
    """Write the results so far and return the path."""
    path = paths.tuned(journal.parent.name)
    if not any(journal.ended(pair) for pair in journal.pairs):
        raise BadInput(f"{path}: {journal.path} has no candidate of this configuration: it would be left empty")
    content = {"about": description(journal), "found": outcomes(journal), "hyperparameters": hyperparameters(journal)}
    command = f"python -m benchmark tune {journal.parent.name}"
    text = yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)
    write_text(path, f"# Made by `{command}`; a study includes it by `tuned: {journal.parent.name}`.\n{text}")
    return path


def description(journal: Journal) -> dict[str, Any]:
    """Return how the values were found: objective, budget, seed, effort, dates, commits and hardware."""
    trials = [trial for pair in journal.pairs for trial in journal.ended(pair)]
    stamps = [trial.user_attrs["stamp"] for trial in trials]
    times = sorted(trial.datetime_complete for trial in trials if trial.datetime_complete)
    epochs = {int(pair.default.settings.epochs) for pair in journal.pairs} - {0}
    return {
        "study": journal.parent.name,
        "objective": OBJECTIVE,
        "hold_out": journal.tune.hold_out,
        "utility": journal.tune.utility,
        "search": SAMPLER,
        "rates": journal.tune.rates,
        "budget": f"{journal.tune.budget} candidates of every method in every cell",
        "epochs": sorted(epochs),
        "candidates": len(trials),
        "given_up_half_way": sum(trial.state == TrialState.PRUNED for trial in trials),  # by earlier versions
        "left": journal.remaining(),
        "seed": journal.tune.seed,
        "core_hours": round(sum(map(core_hours, trials)), 2),
        "from": f"{times[0]:%Y-%m-%d}",
        "to": f"{times[-1]:%Y-%m-%d}",
        **{key: _distinct(stamp[key] for stamp in stamps) for key in ("commit", "device", "precision")},
    }


def outcomes(journal: Journal) -> dict[str, dict[str, Any]]:
    """Return the outcome of the search, by cell and method.

    ``avg_gap`` is the best candidate's on the images that it was chosen by, ``avg_gap_of_own_values`` that of the
    study's own values, None if the ranges leave these out. ``test_gap`` is the best candidate's on the test images,
    ``oracle_test_gap`` the smallest of any candidate there. ``edges`` are the settings whose best value lies at an end
    of its range, and ``lr`` if no candidate had a lower or a higher one. ``settings`` is a digest of all others.
    """
    by_cell: dict[str, dict[str, Any]] = {}
    for pair in journal.pairs:
        if best := journal.best(pair):
            ended = journal.ended(pair)
            test_gaps = [trial.user_attrs["test_gap"] for trial in ended if "test_gap" in trial.user_attrs]
            values = journal.values(best)
            edges = {name: limits.edge(values[name]) for name, limits in pair.ranges.items()}
            if "lr" in values and not edges["lr"]:
                edges["lr"] = _end(values["lr"], [journal.values(trial)["lr"] for trial in ended])
            by_cell.setdefault(str(pair.cell), {})[pair.method] = {
                "candidates": len(ended),
                "pflops": float(f"{sum(trial.user_attrs['history'][-1]['pflops_executed'] for trial in ended):.3g}"),
                "avg_gap": _rounded(best.user_attrs.get("avg_gap")),
                "avg_gap_of_own_values": _rounded(ended[0].user_attrs.get("avg_gap")) if pair.has_own_values else None,
                "test_gap": _rounded(best.user_attrs.get("test_gap")),
                "oracle_test_gap": _rounded(min(test_gaps, default=None)),
                "edges": [f"{name} {edge}" for name, edge in edges.items() if edge],
                "settings": others(pair.default.settings, values),
            }
    return by_cell


def hyperparameters(journal: Journal) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the best values as a study's ``hyperparameters``, including those of cells that reuse another's."""
    by_cell: dict[str, dict[str, dict[str, Any]]] = {}
    for pair in journal.pairs:
        if best := journal.best(pair):
            by_cell.setdefault(str(pair.cell), {})[pair.method] = journal.values(best)
    for target, source in journal.tune.reuse.items():
        for name, methods in list(by_cell.items()):
            cell = Cell.parse(name)
            if cell.scenario == source:
                reusing = str(Cell(cell.dataset, cell.arch, target))
                by_cell[reusing] = {method: dict(values) for method, values in methods.items()}
    return by_cell


def line(journal: Journal, pair: Pair, trial: FrozenTrial, jobs: int) -> str:
    """Return a candidate's outcome in a line, and how long ``jobs`` processes need for those that are left."""
    values = " ".join(f"{key}={value}" for key, value in journal.values(trial).items())
    last_row = trial.user_attrs["history"][-1]
    outcome = "diverged"
    if "avg_gap" in trial.user_attrs:
        outcome = f"gap {trial.user_attrs['avg_gap']:.2f}, objective {trial.value:.2f}"
    best = journal.best(pair)
    so_far = f"; best objective so far {best.value:.2f}" if best else ""
    remaining, seconds = journal.remaining(), journal.seconds_left(jobs)
    time_left = f"; time left {spell(seconds)}" if remaining and seconds is not None else ""
    total = journal.tune.budget * len(journal.pairs)
    taken = f"ra {last_row['ra']:.1f}, {3600 * core_hours(trial):.0f} s"
    return f"[{total - remaining}/{total}] {pair.cell}/{pair.method} {values}: {outcome}, {taken}{so_far}{time_left}"


def core_hours(trial: FrozenTrial) -> float:
    """Return the processor time that a candidate's training took until it was last evaluated, in hours."""
    return float(trial.user_attrs["history"][-1]["cpu_seconds"]) / 3600


def _end(value: float, tried: list[float]) -> str:
    """Return ``lowest`` or ``highest`` if a value is that of several that were tried, else nothing."""
    if min(tried) == max(tried):
        return ""
    return "lowest" if value == min(tried) else "highest" if value == max(tried) else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def _distinct(values: Iterable[str]) -> str | list[str]:
    names = sorted(set(values))
    return names[0] if len(names) == 1 else names
