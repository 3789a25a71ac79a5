"""From the name of a run to all that determines its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, number_of, unknown
from benchmark.files import digest, sha256
from benchmark.methods.base import Recipe
from benchmark.names import CHOSEN, ORIGINAL, RETRAIN, Cell, MethodName, RunName, Scenario, matches
from benchmark.registry import ARCHITECTURES
from benchmark.study.form import StudyForm
from benchmark.study.plugins import code_version, method_class
from benchmark.study.reading import parse, validated
from benchmark.study.runs import SHORT, Run


class ResolvedStudy(StudyForm):
    """A study whose runs can be resolved by name."""

    _load_untuned: Callable[[], Any] | None = PrivateAttr(default=None)
    _canonical: dict[tuple[Cell, str], str] = PrivateAttr(default_factory=dict)  # looked up for every trial and output
    _recipes: dict[tuple[Cell, MethodName], Recipe] = PrivateAttr(default_factory=dict)
    _digests: dict[Path, str] = PrivateAttr(default_factory=dict)
    _runs: dict[RunName, Run] = PrivateAttr(default_factory=dict)

    @property
    def includes_tuned(self) -> bool:
        """Whether tuned values override its hyperparameters."""
        return self._load_untuned is not None

    @property
    def tuned_without_test_data(self) -> bool:
        """Whether the tuned values were chosen by images held out of the training data."""
        return bool(self.tuned_file.get("about", {}).get("hold_out"))

    @cached_property
    def tuned_file(self) -> dict[str, Any]:
        """The tuned file that this study names: the values, and below ``about`` and ``found`` their origin.

        It is empty before the search has begun. Only a study that does not include tuned values can be read then.
        """
        return parse(paths.tuned(self.tuned)) if self.tuned and paths.tuned(self.tuned).is_file() else {}

    def untuned_methods(self, cell: Cell, methods: Iterable[str]) -> list[str]:
        """Return those of the methods, without their own settings, that the tuned file has no values of in a cell."""
        values = self.tuned_file.get("hyperparameters", {}).get(str(cell), {})
        heads = dict.fromkeys(MethodName.parse(method).head for method in methods)
        return [head for head in heads if head not in values and head not in (ORIGINAL, RETRAIN)]

    def tuned_otherwise(self, cell: Cell, methods: Iterable[str]) -> list[str]:
        """Return those of the methods whose other settings, such as epochs, are not those of the search.

        An earlier version of `tune` did not record these: nothing is said of its values.
        """
        found = self.tuned_file.get("found", {}).get(str(cell), {})
        values = self.tuned_file.get("hyperparameters", {}).get(str(cell), {})
        heads = dict.fromkeys(MethodName.parse(method).head for method in methods)
        recorded = {head: found[head]["settings"] for head in heads if "settings" in found.get(head, {})}
        here = {head: self._settings(cell, MethodName.parse(head)) for head in recorded}
        return [head for head in recorded if recorded[head] != others(here[head], values.get(head, {}))]

    @cached_property
    def untuned(self) -> Self:
        """This study without tuned values."""
        return self._load_untuned() if self._load_untuned else self

    def run_name(self, cell: Cell, method: str, trial: int) -> RunName:
        """Return the run that shows ``method`` in ``cell``.

        Original's is the same in every scenario. Settings that have the study's own value are left out of the name.
        """
        if (name := self._canonical.get((cell, method))) is None:
            name = self._canonical[cell, method] = self._canonical_method(cell, method)
        if name == ORIGINAL:
            return self.original(cell.dataset, cell.arch, trial)
        return RunName(cell.dataset, cell.arch, cell.scenario, name, trial)

    def run(self, name: RunName | str) -> Run:
        """Resolve a run's name; raise `BadInput` if the study cannot have such a run."""
        name = RunName.parse(name) if isinstance(name, str) else name
        if (run := self._runs.get(name)) is None:
            run = self._runs[name] = self._resolve(name)
        return run

    def settings_of(self, cell: Cell, method: str) -> dict[str, Any]:
        """Return a method's hyperparameters in a cell, which all trials share, as `plain_values`."""
        return plain_values(self.run(self.run_name(cell, method, 0)).settings)

    @cached_property
    def dataset_fingerprints(self) -> dict[str, str]:
        """The digits of all that determines the arrays of each dataset: see `benchmark.data.store.fingerprint`."""
        return {name: store.fingerprint(name, settings) for name, settings in self.datasets.items()}

    def chosen_by(self, dataset: str, scenario: Scenario) -> tuple[Path, str] | None:
        """Return the file that says what a scenario forgets, with its SHA-256; None where the scenario itself does.

        Raises `BadInput` if the study names no such file, or it is not there.
        """
        if scenario.kind not in CHOSEN:
            return None
        key, name = ("lists", scenario.list_name) if scenario.list_name else ("memorisation", dataset)
        files: dict[str, str] = getattr(self, key)
        if name not in files:
            raise BadInput(f"{self.file}: {key}.{name}: missing; scenario {scenario.name!r} needs a file there")
        path = Path(files[name])
        if path not in self._digests:
            self.check_file(key, name, path)
            self._digests[path] = sha256(path)
        return path, self._digests[path]

    def check_file(self, key: str, name: str, path: Path) -> None:
        """Raise `BadInput` if a file that the study names under ``key`` and ``name`` is not there."""
        if not path.is_file():
            raise BadInput(f"{self.file}: {key}.{name}: there is no file {path}")

    # --- how a name is resolved -----------------------------------------------------------------------------------

    def original(self, dataset: str, arch: str, trial: int) -> RunName:
        """Return the name of the Original of a trial: the first, unless the study trains one for each trial."""
        return RunName(dataset, arch, "", ORIGINAL, trial if "original" in self.resample else 0)

    def split_trial(self, trial: int) -> int:
        """Return which draw of the forget data a trial uses: the first, unless the study draws it for each trial."""
        return trial if "split" in self.resample else 0

    def _canonical_method(self, cell: Cell, method: str) -> str:
        parsed = MethodName.parse(method)
        if parsed.head == ORIGINAL:
            if parsed.settings:
                raise BadInput(f"method {method!r}: every run starts from the same Original; accepted is {ORIGINAL!r}")
            return ORIGINAL
        base = plain_values(self._settings(cell, replace(parsed, settings=())))
        chosen = plain_values(self._settings(cell, parsed))
        settings = tuple((key, _text(value)) for key, value in sorted(chosen.items()) if value != base[key])
        return str(replace(parsed, settings=settings))

    def _resolve(self, name: RunName) -> Run:
        self._check_name(name)
        method = MethodName.parse(name.method)
        method_type = method_class(method)
        settings = self._settings(Cell(name.dataset, name.arch, name.scenario or ORIGINAL), method)
        scenario = Scenario(name.scenario) if name.scenario else None
        _check_epochs(f"run {str(name)!r}", scenario, method_type, settings, self.sequential.schedule)
        original = self.original(name.dataset, name.arch, name.trial) if method_type.starts_from_original else None
        split_trial = self.split_trial(name.trial)
        content = {
            "run": str(name.plain),
            "seed": self.seed,
            "dataset": {
                "provenance": self.dataset_fingerprints[name.dataset],
                "augmentation": self.datasets[name.dataset].augmentation.model_dump(),
            },
            "split_trial": None if name.is_original else split_trial,
            "original": self.run(original).fingerprint if original else None,
            "code": code_version(method_type),
            "settings": _determining_values(settings),
            "precision": self.precision,
            "members": self.members,
        }
        # Only plugins have one: built-in architectures have no version of their own.
        if code := ARCHITECTURES.code(name.arch):
            content["architecture"] = code
        if scenario and (chosen := self.chosen_by(name.dataset, scenario)):
            content["chosen_by"] = chosen[1]
        if self.hold_out:
            content["hold_out"] = {"percent": self.hold_out, "draw": split_trial}
        if self.keep_twins and scenario:
            content["keep_twins"] = True
        if scenario and scenario.kind == "sequential":
            content["sequential"] = self.sequential.model_dump()
        return Run(name, method_type, settings, original, split_trial, content)

    def _check_name(self, name: RunName) -> None:
        where = f"run {str(name)!r}"
        if name.dataset not in self.datasets:
            raise unknown("dataset", name.dataset, self.datasets, where)
        if name.arch not in ARCHITECTURES:
            raise unknown("architecture", name.arch, ARCHITECTURES, where)
        if name.trial >= self.trials:
            raise BadInput(f"{where}: the study has {number_of(self.trials, 'trial')}, numbered from 0")
        canonical = self.run_name(name.cell, name.method, name.trial)
        if name != canonical:
            raise BadInput(f"{where}: in this study that run is called {str(canonical)!r}")

    def _settings(self, cell: Cell, method: MethodName) -> Recipe:
        """Return a method's hyperparameters in a cell, which all trials share."""
        if (recipe := self._recipes.get((cell, method))) is None:
            recipe = self._recipes[cell, method] = self._merged_settings(cell, method)
        return recipe

    def _merged_settings(self, cell: Cell, method: MethodName) -> Recipe:
        """Merge the method's defaults, the study's hyperparameters in the file's order, and the name's settings."""
        method_type = method_class(method)
        values: dict[str, Any] = {}
        for pattern, entries in self.hyperparameters.items():
            if matches(pattern, str(cell)):
                values |= entries.get("unlearning" if method_type.starts_from_original else "training", {})
                values |= entries.get(method.head, {})
        base = validated(method_type.Settings, values, f"{self.file}: hyperparameters of {method.head}")
        where = f"method {str(method)!r}"
        settings = validated(method_type.Settings, plain_values(base) | dict(method.settings), where)
        for key, value in plain_values(settings).items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                accepted = "accepted is what JSON can hold: numbers, text, lists and mappings"
                raise BadInput(f"{where}: {key}: {value!r}: {accepted}") from None
        return settings


def plain_values(settings: Recipe) -> dict[str, Any]:
    """Return hyperparameters as plain data, by their names in a study file."""
    return settings.model_dump(by_alias=True, warnings=False)  # a default of another type is reported later


def others(settings: Recipe, searched: Iterable[str]) -> str:
    """Return a digest of all hyperparameters except the ``searched`` ones and ``evaluate_every``."""
    left_out = {*searched, "evaluate_every"}
    values = {key: value for key, value in _determining_values(settings).items() if key not in left_out}
    return f"sha256:{digest(values)[:SHORT]}"  # digits alone may be a number in YAML, such as 4e772822


def _determining_values(settings: Recipe) -> dict[str, Any]:
    """Return the hyperparameters that a fingerprint covers; see `added` of `benchmark.methods.base.setting`."""
    values = plain_values(settings)
    for name, field in type(settings).model_fields.items():
        extra: Any = field.json_schema_extra or {}
        if extra.get("added") and getattr(settings, name) == field.default:
            del values[field.alias or name]
    return values


def _check_epochs(where: str, scenario: Scenario | None, method_type: Any, settings: Recipe, schedule: str) -> None:
    """Raise `BadInput`, beginning with ``where``, for a method or a number of epochs that has no stages, or whose
    learning rate warms up for longer than it trains; ``schedule`` is that of stages.
    """
    if scenario and scenario.kind == "sequential":
        if not method_type.starts_from_original:
            advice = f"shown by a figure of kind 'stages', beside Retrain of random-<k*{scenario.percent}>"
            raise BadInput(f"{where}: {scenario.name} is {advice}")
        if settings.epochs % scenario.stages:
            given = number_of(settings.epochs, "epoch")
            raise BadInput(f"{where}: {given}: accepted is a multiple of the {scenario.stages} stages")
    epochs = settings.epochs // (scenario.stages if scenario and schedule == "restart" else 1)
    if 0 < epochs < settings.warmup:  # a method without epochs ignores what it inherits
        raise BadInput(f"{where}: warmup: {settings.warmup}: accepted is at most its {number_of(epochs, 'epoch')}")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return str(value).lower() if isinstance(value, bool) else str(value)
