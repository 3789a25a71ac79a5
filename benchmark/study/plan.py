"""What a study shows, and the runs, splits and derived files that this needs. Nothing else decides what is computed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import PrivateAttr

from benchmark import __version__, paths
from benchmark.errors import BadInput, unknown
from benchmark.files import digest, sha256
from benchmark.names import Cell, RunName, Scenario
from benchmark.registry import OWN_AUDITS
from benchmark.study.form import OutputSettings
from benchmark.study.kinds import KINDS, RELEARNING, VIEWS, Kind
from benchmark.study.resolve import ResolvedStudy
from benchmark.study.runs import SHORT, Derived, Run, Split, TrialKey, belongs, with_cells

# What an output of kind scale reads: the gathered files of other studies, and the paper's numbers beside them.
SCALE_FRAMES, REPORTED_FILE = ("metrics", "predictions"), "unlearning.csv"
VERSUS = "-vs-reported"  # suffix of a table's name: the table beside the paper's numbers


class PlannedStudy(ResolvedStudy):
    """A study with the files that its tables and figures need."""

    _whole: Self | None = PrivateAttr(default=None)  # with the outputs that ``only`` leaves out

    @property
    def whole(self) -> Self:
        """The study with the outputs that ``only`` leaves out, which need not fit it."""
        return self._whole or self

    # --- outputs ------------------------------------------------------------------------------------------------

    @property
    def outputs(self) -> dict[str, OutputSettings]:
        """Tables, tables beside the paper's numbers, then figures, by name."""
        return self.tables | self.versus_tables | self.figures

    @cached_property
    def versus_tables(self) -> dict[str, OutputSettings]:
        """The tables with a cell that the paper has too, to be drawn beside its numbers under names of their own."""
        return {
            name + VERSUS: output
            for name, output in self.tables.items()
            if (kind := KINDS["tables"].get(output.kind)) and not kind.reported_cells.isdisjoint(output.cells)
        }

    def left_out(self, name: str) -> str:
        """Say that the study has a table or figure, but does not show it; empty for any other name."""
        left = name in self.whole.outputs and name not in self.outputs
        return f"{self.file}: only: leaves out {name!r}: add it there" if left else ""

    def output(self, name: str) -> OutputSettings:
        """Return a table or figure; raise `BadInput` if the study has none of that name."""
        if fault := self.left_out(name):
            raise BadInput(fault)
        if name not in self.outputs:
            raise unknown("table or figure", name, self.outputs, self.file)
        return self.outputs[name]

    def kind_of(self, name: str) -> Kind:
        """Return the kind of a table or figure."""
        return KINDS[self.section_of(name)][self.output(name).kind]

    def section_of(self, name: str) -> str:
        """Return the section of an output: ``tables`` or ``figures``."""
        return "figures" if name in self.figures else "tables"

    def output_fingerprint(self, name: str) -> str:
        """Return a digest of all that determines a table or figure, its runs included."""
        output, kind = self.output(name), self.kind_of(name)
        settings = output.model_dump(exclude=None if kind.of_studies else {"studies"})  # others never had it
        all_runs = kind.from_gathered or self.name in output.studies
        runs = [run.shown_as for run in (self.runs() if all_runs else self.runs_of(name))]
        derived = self.derived if kind.from_gathered else self.derived_of(name)
        drawn: list[Any] = [self.report_epoch, self.trials, sorted(file.pool_path for file in derived)]
        if name in self.versus_tables:
            drawn += [sha256(paths.REPORTED / str(kind.reported)), self.margin]
        elif kind.from_gathered and self.margin != type(self).model_fields["margin"].default:
            drawn.append(self.margin)
        if kind.from_gathered:
            drawn += [sha256(file) for file in kind.reported_files]
        if output.kind == "search":
            drawn.append(digest(self.tuned_file))
        elif self.includes_tuned:
            drawn.append(self._told_of_tuning(output))
        # Its own gathered files follow from its runs, and their receipt covers this fingerprint.
        others = [file for file in self.gathered_by(name) if file not in self._gathered]
        drawn += [[str(file), sha256(file)] for file in others]
        if self.one_code:
            drawn.append("one_code")
        if self.audits:
            drawn.append({audit: OWN_AUDITS.code(audit) for audit in self.audits})
        if self.labels or self.colours:
            drawn.append([self.labels, self.colours])
        return digest([__version__, name, settings, *drawn, runs])[:SHORT]

    def _told_of_tuning(self, output: OutputSettings) -> list[Any]:
        """Return what a caption tells of tuning: with which images, what is left, and what was not tuned, or otherwise.

        Only what there is to tell enters, so that captions with less to tell have the fingerprints of earlier versions.
        """
        left = self.tuned_file.get("about", {}).get("left")
        cells, methods = output.parsed_cells, output.methods
        untuned = [[str(cell), self.untuned_methods(cell, methods)] for cell in cells]
        otherwise = [[str(cell), "otherwise", self.tuned_otherwise(cell, methods)] for cell in cells]
        told = [entry for entry in [*untuned, *otherwise] if entry[-1]]
        return ["tuned", self.tuned_without_test_data, *([left] if left else []), *told]

    def gathered_by(self, name: str) -> list[Path]:
        """Return the gathered files that a table or figure of several studies shows, with the paper's numbers.

        Those of other studies are left out where they are missing: this study does not make them.
        """
        if not (studies := self.output(name).studies):
            return []
        files = [paths.gathered(study, frame) for study in studies for frame in SCALE_FRAMES]
        return [file for file in [*files, paths.REPORTED / REPORTED_FILE] if file in self._gathered or file.is_file()]

    @cached_property
    def _gathered(self) -> list[Path]:
        return [paths.gathered(self.name, frame) for frame in SCALE_FRAMES if self.runs()]

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that determines the gathered results."""
        outputs = [self.output_fingerprint(name) for name in self.outputs]
        return digest([__version__, [run.shown_as for run in self.runs()], outputs])[:SHORT]

    def receipt(self, name: str) -> Path:
        """Return the receipt of a table, a figure, the ``page`` or the ``collected`` results, as the study stands."""
        if name == "page":  # its heading is the study's description
            fingerprint = digest([self.fingerprint, self.description])[:SHORT]
        else:
            fingerprint = self.fingerprint if name == "collected" else self.output_fingerprint(name)
        return paths.receipt(self.name, name, fingerprint)

    # --- runs ---------------------------------------------------------------------------------------------------

    def runs_of(self, output: str) -> list[Run]:
        """Return the runs that a table or figure shows, in its order."""
        return [self.run(name) for name in dict.fromkeys(self.kind_of(output).runs(self, self.output(output)))]

    def runs(self, outputs: Iterable[str] | None = None) -> list[Run]:
        """Return every run that the outputs (by default all of the study's) need, Originals first."""
        if outputs is None:
            return self._all_runs
        needed: dict[RunName, Run] = {}
        for output in outputs:
            if not self.kind_of(output).shows_results:
                continue
            for run in self.runs_of(output):
                if run.original:
                    needed[run.original] = self.run(run.original)
                needed[run.name] = run
        return sorted(needed.values(), key=lambda run: run.name.scenario != "")

    @cached_property
    def _all_runs(self) -> list[Run]:
        return self.runs(self.outputs)

    def originals_of(self, runs: Iterable[Run]) -> dict[TrialKey, Run]:
        """Return the Original of each dataset, architecture and trial of the runs, as far as the study trains it."""
        keys = dict.fromkeys((run.name.dataset, run.name.arch, run.name.trial) for run in runs)
        trained = {run.name: run for run in self.runs()}
        names = {key: self.original(*key) for key in keys}
        return {key: trained[name] for key, name in names.items() if name in trained}

    @cached_property
    def runs_with_weights(self) -> frozenset[RunName]:
        """The runs whose weights are kept: Originals, and those that something is derived from."""
        originals = (run.name for run in self.runs() if run.name.is_original)
        return frozenset(originals) | frozenset(file.run.name for file in self.derived)

    @cached_property
    def listed_cells(self) -> list[Cell]:
        """Every cell that some output lists."""
        return list(dict.fromkeys(cell for output in self.outputs.values() for cell in output.parsed_cells))

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell that has runs: the listed ones, and those that stages are compared with."""
        with_runs = [run.name.cell for run in self.runs() if not run.name.is_original]
        return list(dict.fromkeys([*self.listed_cells, *with_runs]))

    # --- datasets, splits, derived files --------------------------------------------------------------------------

    def dataset_folder(self, name: str) -> Path:
        """The folder of a prepared dataset of this study."""
        return paths.dataset(name, self.dataset_fingerprints[name])

    def split(self, dataset: str, scenario: str, trial: int) -> Split:
        """Return the draw of what a scenario forgets; raise `BadInput` if the study has no such dataset or file."""
        if dataset not in self.datasets:
            raise unknown("dataset", dataset, self.datasets, self.file)
        folder = self.dataset_folder(dataset).name
        origin = {"seed": self.seed, "dataset": folder, "scenario": scenario, "trial": trial}
        if chosen := self.chosen_by(dataset, Scenario(scenario)):
            origin["chosen_by"] = chosen[1]
        if self.hold_out:
            origin["hold_out"] = self.hold_out
        if self.keep_twins:
            origin["keep_twins"] = True
        return Split(dataset, scenario, trial, origin)

    def split_of(self, run: Run, scenario: str | None = None) -> Split:
        """Return the split of a run; for Original, ``scenario`` says which."""
        return self.split(run.name.dataset, scenario or run.name.scenario, run.split_trial)

    def splits(self, runs: Iterable[Run], cells: Iterable[Cell], derived: Iterable[Derived] = ()) -> list[Split]:
        """Return the splits of runs, of the cells that Originals among them are shown in, and of derived files."""
        runs = list(runs)
        draws = {(run.name.dataset, run.name.scenario, run.split_trial) for run in runs if run.name.scenario}
        draws |= {(cell.dataset, cell.scenario, run.split_trial) for run, cell in with_cells(runs, cells)}
        draws |= {(file.run.name.dataset, file.scenario, file.run.split_trial) for file in derived}
        return sorted((self.split(*draw) for draw in draws), key=lambda split: split.pool_path)

    @cached_property
    def all_splits(self) -> list[Split]:
        """The splits of all runs and derived files: one of Original alone marks a split that no other run has."""
        return self.splits(self.runs(), self.cells, self.derived)

    def derive(self, kind: str, run: Run, scenario: str) -> Derived:
        """Return a file made from a run's weights; ``kind`` is maps, distances, views or relearning."""
        origin: dict[str, Any] = {"what": kind, "run": run.fingerprint, "scenario": scenario}
        if kind == RELEARNING:
            origin |= self.relearning.model_dump()
        else:
            origin |= {"map_samples": self.map_samples, "view_pairs": self.view_pairs if kind == VIEWS else 0}
        if run.name.is_original:  # whose fingerprint says nothing of what its scenarios forget
            drawn = self.split_of(run, scenario).origin
            origin |= {key: drawn[key] for key in ("chosen_by", "keep_twins") if key in drawn}
            if run.split_trial != run.name.trial:
                origin["split_trial"] = run.split_trial
        return Derived(kind, run, scenario, origin)

    def derived_of(self, output: str) -> list[Derived]:
        """Return the derived files that a table or figure shows; Original has one per scenario."""
        kind = self.kind_of(output)
        if not kind.derives:
            return []
        cells = self.output(output).parsed_cells
        pairs = [(run, cell) for run in self.runs_of(output) for cell in cells if belongs(run.name, cell)]
        derived = [self.derive(kind.derives, run, cell.scenario) for run, cell in pairs]
        return sorted(derived, key=lambda file: file.pool_path)

    @cached_property
    def derived(self) -> list[Derived]:
        """The derived files of all outputs."""
        by_path = {file.pool_path: file for name in self.outputs for file in self.derived_of(name)}
        return list(by_path.values())

    # --- the pool -----------------------------------------------------------------------------------------------

    def pool_files(self) -> set[Path]:
        """Return its splits, derived files and folders of runs in the pool, with those that ``only`` leaves out.

        Outputs that are left out and do not fit the study, since it extends another, have none.
        """
        files = _in_pool(self.runs(), self.all_splits, self.derived)
        for name in self.whole.outputs.keys() - self.outputs.keys():
            with suppress(BadInput):
                runs, derived = self.whole.runs([name]), self.whole.derived_of(name)
                splits = self.whole.splits(runs, self.whole.output(name).parsed_cells, derived)
                files |= _in_pool(runs, splits, derived)
        return files


def _in_pool(runs: Iterable[Run], splits: Iterable[Split], derived: Iterable[Derived]) -> set[Path]:
    files = {paths.run(run.pool_path) for run in runs} | {paths.split(split.pool_path) for split in splits}
    return files | {paths.derived(file.pool_path) for file in derived}
