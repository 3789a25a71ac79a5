"""The files of a study, for the Snakefile: those that a result consists of, and those that it is made from.

A file's path names all that determines it, so a file that is there is finished and a stale one is not there: the age
of a file decides nothing. Finished files have no inputs: a checkout may hold runs without images and weights.
"""
# ruff: noqa: B019 (a process has the files of a single study, and caches live as long)

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.data import store
from benchmark.errors import BadInput
from benchmark.results.records import is_there
from benchmark.study.kinds import DERIVED
from benchmark.study.runs import Derived, Run, Split
from benchmark.study.study import Study

# Paths in the pool: text that does not match reaches no file and no shell.
RUN_PATH = r"[a-z0-9-]+/[a-z0-9-]+/(original|[\w-]+/[A-Za-z0-9_.+@=-]+)/trial-[0-9]+-[0-9a-f]+"
SPLIT_PATH = r"[a-z0-9-]+/[\w-]+/trial-[0-9]+-[0-9a-f]+"
DERIVED_PATH = rf"({'|'.join(DERIVED)})/{RUN_PATH}"


class StudyFiles:
    """The files of a study, for the Snakefile."""

    def __init__(self, study: Study) -> None:
        self.study = study

    # --- what results consist of --------------------------------------------------------------------------------

    @cache
    def files_of(self, output: str) -> list[Path]:
        """Return the files of a table or figure, and its receipt for the study as it stands."""
        study = self.study
        return [*paths.drawn(study.section_of(output), study.name, output), study.receipt(output)]

    @cache
    def dataset_files(self, dataset: str) -> list[Path]:
        """Return the files of a prepared dataset: its record and its arrays."""
        return store.files(self.study.dataset_folder(dataset))

    @cached_property
    def gathered(self) -> list[Path]:
        """The gathered results and their receipt; empty for a study without runs."""
        study = self.study
        if not study.runs():
            return []
        return [*(paths.gathered(study.name, frame) for frame in paths.FRAMES), study.receipt("collected")]

    @property
    def page(self) -> list[Path]:
        """The page and its receipt; empty for a study without runs."""
        return [paths.page(self.study.name), self.study.receipt("page")] if self.study.runs() else []

    # --- what results are made from -----------------------------------------------------------------------------

    def inputs_of(self, pool_path: str) -> list[Path]:
        """Return what an unfinished run reads: its dataset, its split, Original's record and weights."""
        run = self.at(pool_path)
        return [] if is_there(run) else self._needed_by(run)

    def _needed_by(self, run: Run) -> list[Path]:
        images = self.dataset_files(run.name.dataset)
        if run.name.is_original:
            return _fewest(*images)
        inputs = _fewest(paths.split(self.study.split_of(run).pool_path), *images)
        if run.original:
            original = paths.run(self.study.run(run.original).pool_path)
            inputs += _fewest(original / paths.MODEL, original / paths.RUN)
        return inputs

    def inputs_of_weights(self, pool_path: str) -> list[Path]:
        """Return what weights are made from: the run that parks them, and all that it reads if they are lost."""
        run = self.at(pool_path)
        if (paths.run(pool_path) / paths.MODEL).is_file():
            return []
        lost = is_there(run) and not paths.parked_weights(pool_path).is_file()
        return [paths.run(pool_path) / paths.RUN, *(self._needed_by(run) if lost else [])]

    def inputs_of_derived(self, pool_path: str) -> list[Path]:
        """Return what a derived file is made from: weights and record of its run, the split it marks, the images."""
        file: Derived = self.at(pool_path)
        if paths.derived(pool_path).is_file():
            return []
        folder, split = paths.run(file.run.pool_path), self.study.split_of(file.run, file.scenario)
        images = self.dataset_files(split.dataset)
        return _fewest(folder / paths.MODEL, folder / paths.RUN) + _fewest(paths.split(split.pool_path), *images)

    def inputs_of_split(self, pool_path: str) -> list[Path]:
        """Return what a split is drawn from: the labels of its dataset."""
        return [] if paths.split(pool_path).is_file() else _fewest(*self.dataset_files(self.at(pool_path).dataset))

    @cache
    def shown_by(self, output: str) -> list[Path]:
        """Return what a table or figure reads, with the paper's numbers if it stands beside them.

        That is nothing, all results, or its runs with the Originals of their cells, their splits and derived files.
        """
        study, kind = self.study, self.study.kind_of(output)
        if not kind.shows_results:
            return []
        if kind.of_studies:
            return study.gathered_by(output)
        if kind.from_gathered:
            return [*self.gathered, *self.pool, *kind.reported_files]
        reported = kind.reported_files if output in study.versus_tables else []
        cells = study.output(output).parsed_cells
        shown = study.runs_of(output)  # beside derived files: some diverged
        runs = {run.pool_path: run for run in [*study.originals_of(shown).values(), *shown]}
        derived = study.derived_of(output)
        splits = study.splits((), (), derived) if derived else study.splits(runs.values(), cells)
        return self._files(runs.values(), splits, derived) + reported

    def drawn_from(self, output: str) -> list[Path]:
        """Return what a table or figure is drawn from: only the gathered files if it shows these, else `shown_by`."""
        return self.gathered if self.study.kind_of(output).from_gathered else self.shown_by(output)

    @property
    def drawn(self) -> list[Path]:
        """All that is made from the pool: every table and figure, the gathered results, and the page."""
        outputs = [file for name in self.study.outputs for file in self.files_of(name)]
        return [*outputs, *self.gathered, *self.page]

    @property
    def all(self) -> list[Path]:
        """All files of the study."""
        return [*self.drawn, *self.pool]

    @cached_property
    def pool(self) -> list[Path]:
        """All that the study needs of the pool: runs without their weights, splits, derived files."""
        return self._files(self.study.runs(), self.study.all_splits, self.study.derived)

    def _files(self, runs: Iterable[Run], splits: Iterable[Split], derived: Iterable[Derived]) -> list[Path]:
        files = [file for run in runs for file in self._files_of_run(run.pool_path)]
        files += [paths.split(split.pool_path) for split in splits]
        return files + [paths.derived(file.pool_path) for file in derived]

    @cache
    def _files_of_run(self, pool_path: str) -> list[Path]:
        return _fewest(*(paths.run(pool_path) / name for name in (paths.RUN, paths.SAMPLES, paths.HISTORY)))

    def at(self, pool_path: str) -> Any:
        """Return the `Run`, `Split` or `Derived` of a path in the pool; raise `BadInput` if the study has none."""
        if pool_path not in self._at:
            raise BadInput(f"{pool_path}: study {self.study.name!r} shows nothing of that name and fingerprint")
        return self._at[pool_path]

    @cached_property
    def _at(self) -> dict[str, Any]:
        entries: list[Any] = [*self.study.runs(), *self.study.all_splits, *self.study.derived]
        return {entry.pool_path: entry for entry in entries}


def missing(study: Study) -> list[Path]:
    """Return the missing files that ``snakemake all`` is for; images and weights are made only where needed."""
    return sorted({path for path in StudyFiles(study).all if not path.is_file()})


def _fewest(last: Path, *earlier: Path) -> list[Path]:
    """Return the fewest inputs that stand for files made one after another: planning time grows with their number.

    They are the last file and, if it is there already, those that have been lost since.
    """
    return [last, *(file for file in earlier if not file.is_file())] if last.is_file() else [last]
