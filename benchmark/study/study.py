"""A study: what is to be shown, and the runs that this needs. Nothing else decides what runs.

Reading a study checks all of it, down to every hyperparameter of every run, and imports no deep-learning library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from benchmark import __version__, paths
from benchmark.data.store import provenance
from benchmark.errors import BadInput, unknown
from benchmark.files import digest
from benchmark.methods.base import Recipe
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import CL, ORIGINAL, Cell, MethodName, RunName, Scenario, matches
from benchmark.registry import ARCHITECTURES, METHODS
from benchmark.settings import (
    DatasetSettings,
    OutputSettings,
    Positive,
    SequentialSettings,
    Strict,
    TuneSettings,
    UpTo1000,
    distinct,
)
from benchmark.study import plugins
from benchmark.study import tuning as derived
from benchmark.study.checks import check, check_method, check_sequential
from benchmark.study.outputs import KINDS, VIEWS, Kind
from benchmark.study.reading import read, validated, with_local_datasets
from benchmark.study.runs import Derived, Run, belongs

VERSUS = "-vs-reported"  # after a table's name: the table beside the paper's numbers


class Study(Strict):
    """The typed form of ``config/<study>.yaml``."""

    description: str = Field("", description="what the study is for, in a sentence")
    seed: int = Field(0, ge=0, description="root of every random number")
    trials: UpTo1000 = Field(3, description="runs of every cell; they differ in seed and in what `resample` names")
    resample: list[Literal["original", "split"]] = Field(
        [], description="what is drawn anew per trial beside the unlearning run: Original's training, the forget split"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="`auto` is bfloat16 where the hardware has it; recorded with every result"
    )
    report_epoch: Literal["last", "best"] = Field(
        "last", description="which epoch tables show; `best` minimises the mean average gap, so it looks at Retrain"
    )
    members: Literal["first", "random"] = Field(
        "first", description="which retain samples the MIA takes as members: the first in dataset order, or a draw"
    )
    map_samples: Positive = Field(5000, description="training samples in a representation map, drawn at random")
    view_pairs: UpTo1000 = Field(
        8, description="half as many augmented views of each of these samples as the theory's kinds look at"
    )
    threads: UpTo1000 = Field(1, description="processor threads of a job; recorded with every result")
    sequential: SequentialSettings = SequentialSettings()
    datasets: dict[str, DatasetSettings] = Field(description="name -> where its images come from")
    hyperparameters: dict[str, dict[str, dict[str, Any]]] = Field(
        {},
        description="pattern over dataset/arch/scenario -> method, `training` or `unlearning` -> settings",
    )
    tuned: str | None = Field(
        None,
        description="lay the values that `tune` found for a study, config/tuned/<name>.yaml, over `hyperparameters`",
    )
    tune: TuneSettings = TuneSettings()
    published: bool = Field(
        False,
        description="refuse to gather other results than the ones that are committed, unless told to replace them",
    )
    plugins: list[str] = Field([], description="modules or .py files that register methods, architectures or sources")
    tables: dict[str, OutputSettings] = Field({}, description="name -> a table; the name is also a workflow target")
    figures: dict[str, OutputSettings] = Field({}, description="name -> a figure; the name is also a workflow target")

    _name: str = PrivateAttr()
    _tuned: bool = PrivateAttr(default=False)
    # Asked for over and over, once a trial and output; a study never changes after it was read.
    _canonical: dict[tuple[Cell, str], str] = PrivateAttr(default_factory=dict)
    _runs: dict[RunName, Run] = PrivateAttr(default_factory=dict)

    @field_validator("resample")
    @classmethod
    def _named_once(cls, resample: list[str]) -> list[str]:
        return distinct(resample, "resample")

    @field_validator("datasets", "tables", "figures")
    @classmethod
    def _plain_names(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
                raise ValueError(f"{name!r}: a name is lower-case words and digits joined by '-'")
        return named

    @classmethod
    def load(cls, name: str, tuned: bool = True) -> Study:
        """Read and check ``config/<name>.yaml``; raise `BadInput` for the first fault found, naming its place.

        ``<name>-tuning`` is the study of all that is trained to tune another: it needs no file of its own.

        Parameters
        ----------
        tuned : lay over the hyperparameters what tuning found, where the study includes it.
        """
        if derived.is_tuning(name):
            return cls._from(name, derived.tuning_data(cls.load(name.removesuffix(derived.TUNING), tuned=False)))
        return cls._from(name, read(name, tuned=tuned), tuned)

    @property
    def includes_tuned(self) -> bool:
        """Whether what tuning found lies over its hyperparameters."""
        return self._tuned

    @cached_property
    def untuned(self) -> Study:
        """This study without what tuning found."""
        return type(self).load(self.name, tuned=False) if self._tuned else self

    @classmethod
    def _from(cls, name: str, data: dict[str, Any], tuned: bool = False) -> Study:
        data = with_local_datasets(data)
        # Plugins come first, since the rest of the file may name what they register.
        plugins.load(data.get("plugins") or [], where=f"{paths.study_file(name)}: plugins")
        study = validated(cls, data, str(paths.study_file(name)))
        study._name, study._tuned = name, tuned and study.tuned is not None
        check(study)
        return study

    @property
    def name(self) -> str:
        """The study's name: its file's, without the suffix."""
        return self._name

    @property
    def outputs(self) -> dict[str, OutputSettings]:
        """Tables, tables beside the paper's numbers, then figures, by name."""
        return self.tables | self.compared | self.figures

    @cached_property
    def compared(self) -> dict[str, OutputSettings]:
        """The tables with a cell that the paper has too, as they stand beside its numbers: under names of their own."""
        tables = {name: output for name, output in self.tables.items() if output.kind in KINDS["tables"]}
        return {
            name + VERSUS: output
            for name, output in tables.items()
            if not KINDS["tables"][output.kind].reported_cells.isdisjoint(output.cells)
        }

    def output(self, name: str) -> OutputSettings:
        """Return a table or figure; raise `BadInput` if the study has none of that name."""
        if name not in self.outputs:
            raise unknown("table or figure", name, self.outputs, str(paths.study_file(self.name)))
        return self.outputs[name]

    def kind_of(self, name: str) -> Kind:
        """Return what a table or figure is drawn by."""
        return KINDS[self.section_of(name)][self.output(name).kind]

    def section_of(self, name: str) -> str:
        """Return ``tables`` or ``figures``, wherever an output stands."""
        return "figures" if name in self.figures else "tables"

    # --- runs ---------------------------------------------------------------------------------------------------

    def run_name(self, cell: Cell, method: str, trial: int) -> RunName:
        """Return the run that shows ``method`` in ``cell``: Original is the same one in every scenario, and a setting
        that has the study's own value anyway is left out of the name.
        """
        called = self._canonical.get((cell, method))
        if called is None:
            called = self._canonical[cell, method] = self._called(cell, method)
        if called == ORIGINAL:
            return RunName(cell.dataset, cell.arch, "", ORIGINAL, trial if "original" in self.resample else 0)
        return RunName(cell.dataset, cell.arch, cell.scenario, called, trial)

    def _called(self, cell: Cell, method: str) -> str:
        parsed = MethodName.parse(method)
        if parsed.head == ORIGINAL:
            if parsed.settings:
                raise BadInput(f"method {method!r}: every run starts from the same Original; accepted is {ORIGINAL!r}")
            return ORIGINAL
        kind = self.method_class(parsed)
        plain = self._settings(cell.dataset, cell.arch, cell.scenario, MethodName(parsed.base, parsed.contrastive, ()))
        chosen = self._overridden(kind, parsed, plain)
        changed = {key: value for key, value in chosen.items() if value != _plain(plain)[key]}
        settings = tuple((key, _text(value)) for key, value in sorted(changed.items()))
        return str(MethodName(parsed.base, parsed.contrastive, settings))

    def run(self, name: RunName | str) -> Run:
        """Resolve a run's name; raise `BadInput` if the study cannot have such a run."""
        name = RunName.parse(name) if isinstance(name, str) else name
        if name not in self._runs:
            self._runs[name] = self._resolve(name)
        return self._runs[name]

    def runs_of(self, output: str) -> list[Run]:
        """Return the runs that a table or figure shows, in its order."""
        return [self.run(name) for name in dict.fromkeys(self.kind_of(output).runs(self, self.output(output)))]

    def runs(self, outputs: Iterable[str] | None = None) -> list[Run]:
        """Return every run that the outputs need (all of the study's unless given), Originals first."""
        needed: dict[RunName, Run] = {}
        for output in self.outputs if outputs is None else outputs:
            if not self.kind_of(output).results:
                continue
            for run in self.runs_of(output):
                if run.original:
                    needed[run.original] = self.run(run.original)
                needed[run.name] = run
        return sorted(needed.values(), key=lambda run: run.name.scenario != "")

    def derived_of(self, output: str) -> list[Derived]:
        """Return what a table or figure shows of its runs' features; Original is looked at once a scenario."""
        settings, kind = self.output(output), self.kind_of(output)
        if not kind.derives:
            return []
        shown = {run.name for run in self.runs_of(output)}
        found = {
            Derived(kind.derives, self.run(name), cell.scenario)
            for name in shown
            for cell in map(Cell.parse, settings.cells)
            if belongs(name, cell)
        }
        return sorted(found, key=str)

    @cached_property
    def derived(self) -> list[Derived]:
        """All that some output shows of features."""
        return list(dict.fromkeys(one for name in self.outputs for one in self.derived_of(name)))

    def derived_origin(self, one: Derived) -> dict[str, Any]:
        """Return what a derived file is made from: its file says so, and is refused where it says something else."""
        return {
            "what": one.what,
            "run": one.run.fingerprint,
            "scenario": one.scenario,
            "map_samples": self.map_samples,
            "view_pairs": self.view_pairs if one.what == VIEWS else 0,
        }

    @cached_property
    def kept(self) -> frozenset[RunName]:
        """The runs whose weights are kept: Originals, which others start from, and what is mapped."""
        return frozenset(run.name for run in self.runs() if run.name.is_original) | frozenset(
            one.run.name for one in self.derived
        )

    @cached_property
    def listed_cells(self) -> list[Cell]:
        """Every cell that some output lists."""
        return [Cell.parse(cell) for cell in dict.fromkeys(c for output in self.outputs.values() for c in output.cells)]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell that has runs: those listed, and those that stages are compared with."""
        names = [run.name for run in self.runs() if run.name.scenario]
        return list(dict.fromkeys([*self.listed_cells, *(Cell(n.dataset, n.arch, n.scenario) for n in names)]))

    # --- files --------------------------------------------------------------------------------------------------------

    def dataset_folder(self, name: str) -> paths.Path:
        """The folder of a prepared dataset of this study."""
        return paths.dataset(name, provenance(name, self.datasets[name]))

    def split_file(self, run: Run, scenario: str | None = None) -> paths.Path:
        """The file of what a run forgets; Original needs to be told in which scenario."""
        return paths.split(self.name, run.name.dataset, scenario or run.name.scenario, run.split_trial)

    def output_fingerprint(self, name: str) -> str:
        """Return a digest of all that determines a table or figure, its runs included."""
        output = self.output(name)
        shown = [run.fingerprint for run in (self.runs() if self.kind_of(name).gathered else self.runs_of(name))]
        drawn = self.report_epoch, self.trials, self.map_samples, self.view_pairs
        return digest([__version__, output.model_dump(), *drawn, shown])

    # --- resolution ---------------------------------------------------------------------------------------------

    def _resolve(self, name: RunName) -> Run:
        where = f"run {str(name)!r}"
        if name.dataset not in self.datasets:
            raise unknown("dataset", name.dataset, self.datasets, where)
        if name.arch not in ARCHITECTURES:
            raise unknown("architecture", name.arch, ARCHITECTURES, where)
        if name.trial >= self.trials:
            raise BadInput(f"{where}: the study has {self.trials} trials, numbered from 0")
        canonical = self.run_name(Cell(name.dataset, name.arch, name.scenario), name.method, name.trial)
        if name != canonical:
            raise BadInput(f"{where}: in this study that run is called {str(canonical)!r}")
        method = MethodName.parse(name.method)
        kind = self.method_class(method)
        settings = self._settings(name.dataset, name.arch, name.scenario or ORIGINAL, method)
        scenario = Scenario(name.scenario) if name.scenario else None
        if scenario and scenario.kind == "sequential":
            check_sequential(where, scenario, kind, settings)
        original = None
        if kind.starts_from_original:
            original = RunName(name.dataset, name.arch, "", ORIGINAL, name.trial if "original" in self.resample else 0)
        split_trial = name.trial if "split" in self.resample else 0
        dataset = self.datasets[name.dataset]
        content = {
            "run": str(name),
            "seed": self.seed,
            "dataset": {
                "provenance": provenance(name.dataset, dataset),
                "augmentation": dataset.augmentation.model_dump(),
            },
            "split_trial": None if name.is_original else split_trial,
            "original": self.run(original).fingerprint if original else None,
            "code": plugins.code_version(kind),
            "settings": _plain(settings),
            "precision": self.precision,
            "members": self.members,
        }
        # Of plugins alone: what is built in has no version of its own.
        if code := ARCHITECTURES.code(name.arch):
            content["architecture"] = code
        if scenario and scenario.kind == "sequential":
            content["sequential"] = self.sequential.model_dump()
        return Run(name, kind, settings, original, split_trial, content)

    def method_class(self, method: MethodName, where: str = "") -> Any:
        """Return a method's class, with the contrastive term if named; raise `BadInput`, beginning with ``where``."""
        where = where or f"method {str(method)!r}"
        kind = METHODS.get(method.base, where)
        check_method(kind, f"{where}: method {method.base!r}")
        if not method.contrastive:
            return kind
        if not kind.contrastive:
            accepted = ", ".join(name + CL for name in METHODS if METHODS.get(name).contrastive)
            raise BadInput(f"{where}: {method.base!r} takes no contrastive term. Accepted: {accepted}")
        return with_contrastive_term(kind)

    def _settings(self, dataset: str, arch: str, scenario: str, method: MethodName) -> Any:
        """Lay the study's hyperparameters over the method's defaults, in the order of the file, then the name's own."""
        kind = self.method_class(method)
        values: dict[str, Any] = {}
        for pattern, entries in self.hyperparameters.items():
            if matches(pattern, f"{dataset}/{arch}/{scenario}"):
                values |= entries.get("unlearning" if kind.starts_from_original else "training", {})
                values |= entries.get(method.head, {})
        plain = validated(kind.Settings, values, f"{paths.study_file(self.name)}: hyperparameters of {method.head}")
        overridden = self._overridden(kind, method, plain)
        return validated(kind.Settings, overridden, f"method {str(method)!r}")

    def _overridden(self, kind: Any, method: MethodName, plain: Recipe) -> dict[str, Any]:
        given = _plain(plain) | dict(method.settings)
        return _plain(validated(kind.Settings, given, f"method {str(method)!r}"))


def _plain(settings: Recipe) -> dict[str, Any]:
    return settings.model_dump(by_alias=True)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
