"""What ``list`` prints: a line for each thing that can be named, in columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

from benchmark import paths
from benchmark.commands.app import Listing, read
from benchmark.data.store import PROVENANCE
from benchmark.methods.base import GROUPS, Recipe
from benchmark.methods.contrastive import ContrastiveSettings
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS
from benchmark.report import audits
from benchmark.report.style import architecture_label, method_label, use
from benchmark.study.schema import mappings
from benchmark.study.study import Study

Rows = Iterator[tuple[str, ...]]


def lines(what: Listing, study: str) -> list[str]:
    """Return the lines of a listing; all but the studies' are of one study, with its plugins."""
    if what == Listing.studies:
        rows: list[tuple[str, ...]] = [(name, read(name).description) for name in paths.studies()]
    else:
        whole = read(study)
        use(whole)
        rows = list(LISTINGS[what](whole))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _outputs(study: Study) -> Rows:
    for name, output in study.outputs.items():
        yield name, study.section_of(name).removesuffix("s"), output.kind, output.caption


def _datasets(study: Study) -> Rows:
    for name, settings in study.datasets.items():
        folder = study.dataset_folder(name)
        yield name, settings.source, str(folder) if (folder / PROVENANCE).is_file() else "not prepared"


def _methods(study: Study) -> Rows:
    for name in METHODS:
        method = METHODS.get(name)
        about = (inspect.getdoc(method) or "").partition("\n")[0]
        yield name, method_label(name), "+cl" if method.contrastive else "", about


def _architectures(study: Study) -> Rows:
    for name in ARCHITECTURES:
        yield name, architecture_label(name)


def _audits(study: Study) -> Rows:
    for name, label in audits.NAMES.items():
        yield name, label, ""
    for name in OWN_AUDITS:
        yield name, audits.label(name), audits.meaning(name)


def _settings(study: Study) -> Rows:
    """The study file's own, what stands below a name in it, and hyperparameters: all methods' and what each adds."""
    yield from _of_model("", Study, ())
    for model, places in mappings(Study).items():
        yield from _of_model(f"{', '.join(places)}: ", model, ())
    recipes = {**GROUPS, **{name: METHODS.get(name).Settings for name in METHODS}, "+cl": ContrastiveSettings}
    for name, recipe in recipes.items():
        yield from _of_model(f"hyperparameters: {name}: ", recipe, () if name in GROUPS else Recipe.model_fields)


def _of_model(place: str, model: Any, without: Collection[str]) -> Rows:
    for key, one in model.model_json_schema(by_alias=True)["properties"].items():
        if key not in without:
            default = one.get("default", "")
            shown = "" if default is None or isinstance(default, dict | list) else str(default)
            yield f"{place}{key}", shown, one.get("description", "")


LISTINGS: dict[Listing, Callable[[Study], Rows]] = {
    Listing.outputs: _outputs,
    Listing.datasets: _datasets,
    Listing.methods: _methods,
    Listing.architectures: _architectures,
    Listing.audits: _audits,
    Listing.settings: _settings,
}
