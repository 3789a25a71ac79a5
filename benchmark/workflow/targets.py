"""What the Snakefile asks of a study: which files a thing consists of, and which it is made from.

A file's place says all that determines it, so what is there is finished and what is stale is not there: no age of a
file decides anything. What is finished needs nothing, so it has no inputs: a checkout may hold runs without images and
weights.
"""
# ruff: noqa: B019 (what is cached lives as long as the workflow: there is one in a process)

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import read_record
from benchmark.names import ORIGINAL, Cell, RunName
from benchmark.results.records import is_there
from benchmark.study.checks import check_prepared
from benchmark.study.outputs import DERIVED
from benchmark.study.runs import Derived, Run, Split
from benchmark.study.study import Study

# Places: what these do not match reaches no path and no shell.
RUN_PLACE = r"[a-z0-9-]+/[a-z0-9-]+/(original|[\w-]+/[A-Za-z0-9_.+@=-]+)/trial-[0-9]+-[0-9a-f]+"
SPLIT_PLACE = r"[a-z0-9-]+/[\w-]+/trial-[0-9]+-[0-9a-f]+"
DERIVED_PLACE = rf"({'|'.join(DERIVED)})/{RUN_PLACE}"


class Workflow:
    """The files of a study, for the Snakefile; raise `BadInput` if prepared datasets are not what it needs.

    ``check_data`` is false for who wants to know the names of the files, whatever there is.
    """

    def __init__(self, study: Study, check_data: bool = True) -> None:
        self.study = study
        for dataset in study.datasets if check_data else ():
            folder = study.dataset_folder(dataset)
            # What classes there are, and in which order, is known once a dataset is prepared; until then preparing it
            # checks. Nor is it known while its record is damaged: the first job that reads it says so.
            with contextlib.suppress(StaleOutput):
                check_prepared(study, dataset, store.facts(folder))
                self._check_images(dataset, folder, store.content_hash(folder))

    def _check_images(self, dataset: str, folder: Path, prepared: str) -> None:
        """Refuse to go on where runs were made from other images than are prepared: both cannot be in one table."""
        runs = [run.place for run in self.study.runs() if run.name.dataset == dataset]
        other = {run: images for run in runs if (images := _images(run)) not in (None, prepared)}
        if other:
            run, images = next(iter(other.items()))
            raise BadInput(
                f"{folder} holds other images ({prepared}) than {len(other)} finished runs were made from, such as "
                f"{paths.run(run)} ({images}): prepare the dataset from those images, or let 'python -m benchmark "
                f"verify {self.study.name}' set the runs aside, to be made again"
            )

    # --- what a thing consists of -------------------------------------------------------------------------------

    @cache
    def files_of(self, output: str) -> list[Path]:
        """The files of a table or figure, and the receipt that they are drawn as the study stands now."""
        study = self.study
        receipt = paths.receipt(study.name, output, study.output_fingerprint(output))
        return [*paths.drawn(study.section_of(output), study.name, output), receipt]

    @cache
    def dataset_files(self, dataset: str) -> list[Path]:
        """The files of a prepared dataset: its record and its arrays."""
        return store.files(self.study.dataset_folder(dataset))

    @cached_property
    def collected(self) -> list[Path]:
        """The gathered results, and their receipt; none of a study without runs."""
        study = self.study
        if not study.runs():
            return []
        files = [paths.collected(study.name, what) for what in paths.FRAMES]
        return [*files, paths.receipt(study.name, "collected", study.fingerprint)]

    @property
    def page(self) -> list[Path]:
        """The page, and its receipt; none of a study without runs."""
        if not self.study.runs():
            return []
        return [paths.page(self.study.name), paths.receipt(self.study.name, "page", self.study.fingerprint)]

    # --- what a thing is made from ------------------------------------------------------------------------------

    def inputs_of(self, place: str) -> list[Path]:
        """What a run reads, unless it is finished: its dataset, its split, Original's record and weights."""
        run = self.at(place)
        return [] if is_there(run) else self._needed_by(run)

    def _needed_by(self, run: Run) -> list[Path]:
        images = self.dataset_files(run.name.dataset)
        if run.name.is_original:
            return _wanted(*images)
        inputs = _wanted(paths.split(self.study.split_of(run).place), *images)
        if run.original:
            original = paths.run(self.study.run(run.original).place)
            inputs += _wanted(original / paths.MODEL, original / paths.RUN)
        return inputs

    def inputs_of_weights(self, place: str) -> list[Path]:
        """What weights are made from: the run that leaves them, and all that it reads if they have been lost since."""
        run = self.at(place)
        if (paths.run(place) / paths.MODEL).is_file():
            return []
        again = is_there(run) and not paths.parked_weights(place).is_file()
        return [paths.run(place) / paths.RUN, *(self._needed_by(run) if again else [])]

    def inputs_of_derived(self, place: str) -> list[Path]:
        """What a derived file is made from: the weights and the record of its run, the split it marks, the images."""
        one = self.at(place)
        if paths.derived(place).is_file():
            return []
        folder, split = paths.run(one.run.place), self.study.split_of(one.run, one.scenario)
        images = self.dataset_files(split.dataset)
        return _wanted(folder / paths.MODEL, folder / paths.RUN) + _wanted(paths.split(split.place), *images)

    def inputs_of_split(self, place: str) -> list[Path]:
        """What a split is drawn from: the labels of its dataset."""
        return [] if paths.split(place).is_file() else _wanted(*self.dataset_files(self.at(place).dataset))

    @cache
    def shown_by(self, output: str) -> list[Path]:
        """What a table or figure reads: nothing, all results, or its runs with the Originals of their cells, what all
        of them forget, and what is derived from them; and the paper's numbers, where it stands beside them.
        """
        study, kind = self.study, self.study.kind_of(output)
        if not kind.results:
            return []
        if kind.of_studies:
            return study.gathered_by(output)
        if kind.gathered:
            return [*self.collected, *self.pool]
        beside = [paths.REPORTED / str(kind.reported)] if output in study.compared else []
        cells = [Cell.parse(cell) for cell in study.output(output).cells]
        originals = [study.run(RunName(cell.dataset, cell.arch, "", ORIGINAL, 0)) for cell in cells]
        runs = {run.place: run for run in originals if run.place in self._at}  # by which runs have collapsed
        if derived := study.derived_of(output):
            return self._files(runs.values(), study.splits([one.run for one in derived], cells), derived) + beside
        runs |= {run.place: run for run in study.runs_of(output)}
        return self._files(runs.values(), study.splits(runs.values(), cells), []) + beside

    def drawn_from(self, output: str) -> list[Path]:
        """What a table or figure is drawn from: as `shown_by`, but for what is gathered the gathered files alone."""
        return self.collected if self.study.kind_of(output).gathered else self.shown_by(output)

    @property
    def drawn(self) -> list[Path]:
        """All that is made from the pool: every table and figure, the gathered results, and the page."""
        outputs = [file for name in self.study.outputs for file in self.files_of(name)]
        return [*outputs, *self.collected, *self.page]

    @property
    def all(self) -> list[Path]:
        """All that the study is to have."""
        return [*self.drawn, *self.pool]

    @cached_property
    def pool(self) -> list[Path]:
        """All that the study needs of the pool: runs without their weights, splits, derived files."""
        return self._files(self.study.runs(), self.study.all_splits, self.study.derived)

    def _files(self, runs: Iterable[Run], splits: Iterable[Split], derived: Iterable[Derived]) -> list[Path]:
        files = [file for run in runs for file in self._files_of_run(run.place)]
        files += [paths.split(split.place) for split in splits]
        return files + [paths.derived(one.place) for one in derived]

    @cache
    def _files_of_run(self, place: str) -> list[Path]:
        return _wanted(*(paths.run(place) / name for name in (paths.RUN, paths.SAMPLES, paths.HISTORY)))

    def at(self, place: str) -> Any:
        """Return the `Run`, `Split` or `Derived` at a place; raise `BadInput` if the study has nothing there."""
        if place not in self._at:
            raise BadInput(f"{place}: study {self.study.name!r} shows nothing of that name and fingerprint")
        return self._at[place]

    @cached_property
    def _at(self) -> dict[str, Any]:
        things: list[Any] = [*self.study.runs(), *self.study.all_splits, *self.study.derived]
        return {one.place: one for one in things}


def missing(study: Study) -> list[Path]:
    """Return what ``snakemake all`` would make, since it is not there: images and weights only for what needs them."""
    return sorted({path for path in Workflow(study, check_data=False).all if not path.is_file()})


def _wanted(last: Path, *before: Path) -> list[Path]:
    """Of files that are made one after another: the last, for which the others are made too; and where it is there
    already, those that have been lost since. Planning takes time by the number of inputs, and there are thousands.
    """
    return [last, *(file for file in before if not file.is_file())] if last.is_file() else [last]


def _images(place: str) -> str | None:
    """The digest of the images that a finished run was made from, as its record says; None if it says nothing."""
    try:
        return str(read_record(paths.run(place) / paths.RUN)["stamp"]["data"])
    except (OSError, StaleOutput, KeyError, TypeError):
        return None
