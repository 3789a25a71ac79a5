"""What ``list`` prints: a line for each thing that can be named, in aligned columns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from benchmark import paths
from benchmark.commands.app import Listing, read, require_top
from benchmark.data.store import PROVENANCE
from benchmark.errors import BadInput, in_columns
from benchmark.methods.base import GROUPS
from benchmark.methods.contrastive import ContrastiveSettings
from benchmark.registry import ARCHITECTURES, METHODS, OWN_AUDITS, SOURCES
from benchmark.report.style import architecture_label, method_label, use
from benchmark.study.kinds import KINDS
from benchmark.study.schema import accepted, default_of, mappings
from benchmark.study.study import Study

Rows = Iterator[tuple[str, ...]]


def lines(what: Listing, study: str) -> list[str]:
    """Return the lines of a listing. Every listing but that of studies is of one study, with its plugins."""
    if what == Listing.studies:
        require_top()
        rows: list[tuple[str, ...]] = [(name, _description(name)) for name in paths.studies()]
    else:
        loaded = read(study)
        use(loaded)
        rows = list(LISTINGS[what](loaded))
    rows = [tuple(" ".join(entry.split()) for entry in row) for row in rows]  # captions may have several lines
    return in_columns(rows)


def _description(study: str) -> str:
    try:
        return read(study).description
    except BadInput as error:  # one study with a mistake hides no other
        return f"error: {error}"


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
        summary = (inspect.getdoc(method) or "").partition("\n")[0]
        yield name, method_label(name), "+cl" if method.contrastive else "", summary


def _architectures(study: Study) -> Rows:
    for name in ARCHITECTURES:
        yield name, architecture_label(name)


def _sources(study: Study) -> Rows:
    for name in SOURCES:
        module = inspect.getdoc(inspect.getmodule(SOURCES.get(name))) or ""
        yield name, module.partition("\n")[0].replace("``", "`")


def _audits(study: Study) -> Rows:
    from benchmark.report import audits  # here, since it imports scipy

    for name, label in audits.NAMES.items():
        yield name, label, ""
    for name in OWN_AUDITS:
        yield name, audits.label(name), audits.meaning(name)


def _kinds(study: Study) -> Rows:
    for section, kinds in KINDS.items():
        for name, kind in kinds.items():
            yield section.removesuffix("s"), name, kind.description


def _settings(study: Study) -> Rows:
    """Yield the settings of a study file, of its mappings, and the hyperparameters: common ones and each method's."""
    yield from _of_model("", Study)
    for model, positions in mappings(Study).items():
        yield from _of_model(f"{', '.join(positions)}: ", model)
    recipes = {**GROUPS, **{name: METHODS.get(name).Settings for name in METHODS}, "+cl": ContrastiveSettings}
    for name, recipe in recipes.items():
        common = GROUPS["training" if issubclass(recipe, GROUPS["training"]) else "unlearning"]
        yield from _of_model(f"hyperparameters: {name}: ", recipe, without=None if name in GROUPS else common)


def _of_model(prefix: str, model: Any, without: Any = None) -> Rows:
    """Yield a model's settings, leaving out those that ``without`` has too, unchanged: name, default, meaning."""
    common = _properties(without) if without else {}
    for name, setting in _properties(model).items():
        if setting != common.get(name):
            searched = setting.get("search")
            range_ = f" (`tune` searches {searched['low']:g} to {searched['high']:g})" if searched else ""
            values = f" (accepted: {accepted(setting).removesuffix(', see below').replace('`', '')})"
            yield f"{prefix}{name}", default_of(setting).strip("`"), setting.get("description", "") + values + range_


def _properties(model: Any) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema(by_alias=True)["properties"]
    return properties


LISTINGS: dict[Listing, Callable[[Study], Rows]] = {
    Listing.outputs: _outputs,
    Listing.datasets: _datasets,
    Listing.methods: _methods,
    Listing.architectures: _architectures,
    Listing.sources: _sources,
    Listing.audits: _audits,
    Listing.kinds: _kinds,
    Listing.settings: _settings,
}
