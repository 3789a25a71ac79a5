"""The study of all that is trained to tune another: it has its own seed and runs, none of which enters a table.

It has no file, but is named ``<study>-tuning`` wherever a study is named, and in its folders. Its hyperparameters are
the study's without tuned values, so that a search does not depend on what an earlier one found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmark import paths
from benchmark.errors import BadInput, unknown
from benchmark.names import ORIGINAL, Cell, MethodName, Scenario, matches
from benchmark.settings import range_fault
from benchmark.study.plan import PlannedStudy
from benchmark.study.plugins import method_class
from benchmark.study.reading import validated

TUNING = "-tuning"
INHERITED = "null removes what a study inherits from another"


def tuned_cells(study: PlannedStudy) -> dict[str, list[str]]:
    """Return the methods that are tuned in each cell: those that a table of gaps shows there.

    Original and Retrain are the references of the gaps; a variant with settings in its name counts as its method;
    sequential scenarios reuse another's values.
    """
    tuned: dict[str, dict[str, None]] = {}
    for table, output in study.tables.items():
        if output.kind == "unlearning":
            where = f"{study.file}: tables.{table}"
            methods = map(MethodName.parse, output.methods)
            names = [name for name in methods if method_class(name, where).starts_from_original]
            for cell in output.parsed_cells:
                if names and Scenario(cell.scenario).kind != "sequential":
                    tuned.setdefault(str(cell), {}).update(dict.fromkeys(name.head for name in names))
    return {cell: list(methods) for cell, methods in tuned.items()}


def can_be_tuned(study: PlannedStudy) -> bool:
    """Whether there is something to tune, and images to do it with; a tuning study is not tuned itself."""
    return not _obstacle(study)


def _obstacle(study: PlannedStudy) -> str:
    """Say why a study cannot be tuned; empty if it can."""
    cells, hold_out = tuned_cells(study), study.tune.hold_out
    if not cells:
        return "tables: none of kind 'unlearning', so there is nothing to tune"
    if study.tune.seed == study.seed:
        return f"tune.seed: {study.seed} is the study's own seed: reported trials would be tuned on"
    for cell in cells:
        if (percent := Scenario(Cell.parse(cell).scenario).percent) + hold_out >= 100:
            return f"tune.hold_out: {hold_out}: {cell} forgets {percent} %, so that nothing is retained"
    return ""


def check_tuning(study: PlannedStudy) -> None:
    """Raise `BadInput` for what `tune` could not search in the whole study, before ``only`` leaves out tables."""
    cells = tuned_cells(study)
    if cells and (file := paths.study_file(study.name + TUNING)).is_file():
        raise BadInput(f"{file}: what is trained to tune {study.name!r} has that name: call the study something else")
    scenarios = {Cell.parse(cell).scenario for cell in cells}
    for scenario, source in study.tune.reuse.items():
        try:
            Scenario(scenario)
        except BadInput as error:
            raise BadInput(f"{study.file}: tune.reuse: {error}") from None
        if source not in scenarios:
            fault = unknown("tuned scenario", source, scenarios, f"{study.file}: tune.reuse.{scenario}")
            raise BadInput(f"{fault} ({INHERITED})")
        if scenario in scenarios:
            accepted = "accepted is a scenario that no table of kind 'unlearning' shows"
            raise BadInput(f"{study.file}: tune.reuse.{scenario}: it is tuned itself: {accepted} ({INHERITED})")
    _check_ranges(study, list(dict.fromkeys(method for methods in cells.values() for method in methods)))
    for pattern in study.tune.hyperparameters:
        where = f"{study.file}: tune.hyperparameters.{pattern}"
        if pattern in study.hyperparameters:
            raise BadInput(
                f"{where}: the study's hyperparameters have that pattern too, and its place: write it otherwise, such "
                "as '*/*/*'"
            )
        if not any(matches(pattern, place) for place in with_originals(cells)):
            names = ", ".join(cells) or "none"
            raise BadInput(f"{where}: matches no tuned cell. The tuned cells: {names} ({INHERITED})")


def with_originals(cells: Iterable[str]) -> list[str]:
    """Return cells and the patterns of their Originals: all that a pattern of hyperparameters can match."""
    cells = list(cells)
    return [*cells, *dict.fromkeys(f"{cell.rpartition('/')[0]}/{ORIGINAL}" for cell in cells)]


def tuning_data(study: PlannedStudy) -> dict[str, Any]:
    """Return the derived study as plain data, as a file would hold it; raise `BadInput` if there can be none."""
    if obstacle := _obstacle(study):
        raise BadInput(f"{study.file}: {obstacle}")
    cells = tuned_cells(study)
    places = with_originals(cells)
    images = {"datasets", "plugins", "lists", "memorisation"}
    inherited = {"precision", "members", "keep_twins", "threads", "sequential", *images}
    return {
        "description": f"What is trained to tune {study.name}",
        "seed": study.tune.seed,
        "tune": {"seed": study.tune.seed},  # so that it cannot be tuned itself
        "trials": 1,
        "hold_out": study.tune.hold_out,
        **study.model_dump(mode="json", include=inherited),
        "hyperparameters": {
            pattern: entries
            for pattern, entries in (study.hyperparameters | study.tune.hyperparameters).items()  # these win
            if any(matches(pattern, place) for place in places)
        },
        "tables": {
            f"tuning-{number}": {"kind": "unlearning", "cells": [cell], "methods": methods}
            for number, (cell, methods) in enumerate(cells.items(), 1)
        },
    }


def _check_ranges(study: PlannedStudy, methods: list[str]) -> None:
    """Raise `BadInput` for a range of a method or setting that is not tuned, or that cannot be searched."""
    fields = {method: dict(_numbers(method)) for method in methods}
    fields["*"] = {name: scale for scales in fields.values() for name, scale in scales.items()}
    for method, ranges in study.tune.ranges.items():
        where = f"{study.file}: tune.ranges.{method}"
        if method not in fields:
            raise unknown("method", method, fields, f"{study.file}: tune.ranges")
        for name, (low, high) in ranges.items():
            if name not in fields[method]:
                raise unknown("setting", name, fields[method], where)
            if fault := range_fault(low, high, fields[method][name]):
                raise BadInput(f"{where}.{name}: {fault}")
            for tuned in methods if method == "*" else [method]:
                for end in (low, high) if name in fields[tuned] else ():
                    # By steps, since only the other schedules compare final_lr with lr.
                    validated(method_class(MethodName.parse(tuned)).Settings, {"schedule": "steps", name: end}, where)


def _numbers(method: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a method that are numbers, each with the scale on which it is searched."""
    for name, field in method_class(MethodName.parse(method)).Settings.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        if field.annotation in (int, float):
            yield field.alias or name, extra.get("search", {}).get("scale", "linear")
