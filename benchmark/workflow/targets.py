"""What the workflow asks of a study: which files a thing consists of, which it is made from, which names may match."""

from __future__ import annotations

import contextlib
import json
import re
from functools import cached_property
from pathlib import Path

from benchmark import paths
from benchmark.data.store import PROVENANCE, content_hash_if_known, facts
from benchmark.errors import StaleOutput
from benchmark.files import written_origin
from benchmark.names import ORIGINAL, SCENARIO, Cell, RunName
from benchmark.registry import ARCHITECTURES, METHODS
from benchmark.results.frames import FRAMES
from benchmark.study.checks import check_prepared
from benchmark.study.runs import Derived, placed
from benchmark.study.study import Study


class Workflow:
    """The files of a study, for the Snakefile and its rules.

    Parameters
    ----------
    study : whose files; it has been checked.

    Raises
    ------
    BadInput
        If a dataset prepared for the study lacks a class that it names, or is sorted by class where that matters.
    """

    def __init__(self, study: Study):
        self.study = study
        self._derived = {str(one): one for one in study.derived}
        self._images: dict[str, str | None] = {}
        for dataset in study.datasets:
            # What classes there are, and in which order, is known once a dataset is prepared; until then preparing it
            # checks. Nor is it known while what says so is damaged: the first job that reads it mends it.
            if self.dataset_file(dataset).is_file():
                with contextlib.suppress(StaleOutput):
                    check_prepared(study, dataset, facts(study.dataset_folder(dataset)))

    # --- what a thing consists of -------------------------------------------------------------------------------

    def files_of(self, output: str) -> list[Path]:
        """The files of a table or figure."""
        if self.study.section_of(output) == "tables":
            return [paths.table(self.study.name, output, suffix) for suffix in paths.TABLE_SUFFIXES]
        return [paths.figure(self.study.name, output, suffix) for suffix in paths.FIGURE_SUFFIXES]

    def dataset_file(self, dataset: str) -> Path:
        """The file that is written last when a dataset is prepared."""
        return self.study.dataset_folder(dataset) / PROVENANCE

    @cached_property
    def collected(self) -> list[Path]:
        """The gathered results."""
        return [paths.collected(self.study.name, what) for what in FRAMES]

    def run_files(self, run: RunName) -> list[Path]:
        """The files of a run that tables and figures read."""
        return [paths.run(self.study.name, run) / file for file in (paths.RUN, paths.SAMPLES, paths.HISTORY)]

    # --- what a thing is made from ------------------------------------------------------------------------------

    def inputs_of(self, name: str) -> list[Path]:
        """What a run reads: its dataset, its split, Original's weights and record."""
        run = self.study.run(name)
        inputs = [self.dataset_file(run.name.dataset)]
        if not run.name.is_original:
            inputs.append(self.study.split_file(run))
        if run.original:
            original = paths.run(self.study.name, run.original)
            inputs += [original / paths.MODEL, original / paths.RUN]
        return inputs

    def shown_by(self, output: str) -> list[Path]:
        """What a table or figure reads: nothing, derived files, or its runs, the Originals of their cells and what all
        of them forget; the dataset, where it names classes; and the paper's numbers, where it stands beside them.
        """
        kind, cells = self.study.kind_of(output), [Cell.parse(cell) for cell in self.study.output(output).cells]
        if not kind.results:
            return []
        if kind.gathered:
            theory = [name for name in self.study.tables if self.study.output(name).kind == "theory"]
            return [*self.collected, *(paths.table(self.study.name, name, ".csv") for name in theory)]
        beside = [paths.REPORTED / str(kind.reported)] if output in self.study.compared else []
        if kind.classes:
            beside += [self.dataset_file(name) for name in dict.fromkeys(cell.dataset for cell in cells)]
        if kind.derives:
            return [*(paths.derived(self.study.name, one) for one in self.study.derived_of(output)), *beside]
        runs = {run.name: run for run in self.study.runs_of(output)}
        originals = [RunName(cell.dataset, cell.arch, "", ORIGINAL, 0) for cell in cells]
        runs |= {name: self.study.run(name) for name in originals}
        splits = {self.study.split_file(run, cell.scenario) for run, cell in placed(runs.values(), cells)}
        splits |= {self.study.split_file(run) for run in runs.values() if run.name.scenario}
        files = [file for name in sorted(runs) for file in self.run_files(name)]
        return files + sorted(splits) + beside

    @cached_property
    def gathered(self) -> list[Path]:
        """What the gathered results are made from: what all outputs read, and the datasets, since they name classes."""
        outputs = [o for o in self.study.tables | self.study.figures if not self.study.kind_of(o).gathered]
        named = dict.fromkeys(self.dataset_file(cell.dataset) for cell in self.study.cells)
        return list(dict.fromkeys(path for name in outputs for path in self.shown_by(name)) | named)

    def derived(self, name: str) -> Derived:
        """What a derived file is, by its name: maps/digits/convnet/random-10/coun/trial-0."""
        return self._derived[name]

    def derived_inputs(self, name: str) -> list[Path]:
        """What a derived file is made from: the weights and the record of its run, and the split it marks."""
        one = self.derived(name)
        folder = paths.run(self.study.name, one.run.name)
        return [folder / paths.MODEL, folder / paths.RUN, self.study.split_file(one.run, one.scenario)]

    def is_derived_current(self, one: Derived) -> bool:
        """Whether a derived file is there, made from its run as the study has it, and that run is current."""
        made_from = written_origin(paths.derived(self.study.name, one))
        return made_from == self.study.derived_origin(one) and self.is_current(str(one.run.name))

    def is_current(self, name: str) -> bool:
        """Whether a run's record is there, of the study as it stands and of the images as they are stored.

        Snakemake does not look at the parameters of a job below one that it plans to do: that one's files are to
        trigger it. So they are declared ``ancient()``, which never trigger, for a run that is current and for no other.
        """
        try:
            told = json.loads((paths.run(self.study.name, name) / paths.RUN).read_text(encoding="utf-8"))
            run = self.study.run(name)
            made_from, stored = told.get("stamp", {}).get("data"), self.images(run.name.dataset)
            same = None in (made_from, stored) or made_from == stored
            return bool(told["fingerprint"] == run.fingerprint and same)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def is_whole(self, name: str) -> bool:
        """Whether every file that a run leaves is there; weights only where something is yet to be made from them."""
        run = RunName.parse(name)
        if not all(path.is_file() for path in self.run_files(run)):
            return False
        kept = run in self.study.kept and not (paths.run(self.study.name, name) / paths.MODEL).is_file()
        return not (kept and self._are_weights_wanted(run))

    def _are_weights_wanted(self, run: RunName) -> bool:
        made = [one for one in self.study.derived if one.run.name == run]
        if not all(map(self.is_derived_current, made)):
            return True
        return not all(self.is_current(name) and self.is_whole(name) for name in self._started_from.get(run, []))

    @cached_property
    def _started_from(self) -> dict[RunName, list[str]]:
        """The runs of the study that start from each Original."""
        found: dict[RunName, list[str]] = {}
        for run in self.study.runs():
            if run.original:
                found.setdefault(run.original, []).append(str(run.name))
        return found

    def images(self, dataset: str) -> str | None:
        """The digest of a dataset's images, or None if it is not prepared."""
        if dataset not in self._images:
            self._images[dataset] = content_hash_if_known(self.study.dataset_folder(dataset))
        return self._images[dataset]

    # --- which names may match ----------------------------------------------------------------------------------
    # Only what is in the study and the registries can match, so that no other text reaches a path or a shell.

    def run_pattern(self, kept: bool) -> str:
        """A regular expression for the names of runs whose weights are kept, or for all others."""
        names = "|".join(re.escape(str(name)) for name in sorted(self.study.kept)) or r"(?!)"
        if kept:
            return names
        method = rf"({_either(METHODS)})(\+cl)?(@[a-z_0-9]+=[A-Za-z0-9.+-]+)*"
        run = rf"({self.dataset_pattern})/({_either(ARCHITECTURES)})/({ORIGINAL}|({SCENARIO})/{method})/trial-[0-9]+"
        return rf"(?!({names})(/|$)){run}"

    @property
    def dataset_pattern(self) -> str:
        """A regular expression for the study's datasets."""
        return _either(self.study.datasets)

    @property
    def scenario_pattern(self) -> str:
        """A regular expression for the scenarios of the study's cells, and of what they are compared with."""
        return _either({cell.scenario for cell in self.study.cells})

    @property
    def derived_pattern(self) -> str:
        """A regular expression for the names of the study's derived files."""
        return _either(self._derived)


def _either(names: object) -> str:
    return "|".join(map(re.escape, sorted(names))) or r"(?!)"  # type: ignore[call-overload]
