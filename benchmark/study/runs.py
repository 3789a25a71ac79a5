"""The parts of a study's results: runs, splits, and files derived from the weights of a run.

Each has a path in the pool under ``results/`` that is a function of all that determines it. So none belongs to a
study, and one that is out of date is simply not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmark.files import digest
from benchmark.methods.base import Recipe
from benchmark.names import Cell, RunName

TrialKey = tuple[str, str, int]  # a dataset, an architecture and a trial
SHORT = 8  # digits of a fingerprint in the name of a file or folder


@dataclass(frozen=True)
class Run:
    """A run, resolved: everything that determines its result.

    Attributes
    ----------
    method : its class, the contrastive term included.
    settings : its hyperparameters.
    original : the run whose weights it starts from, or None.
    split_trial : which draw of the forget data it uses.
    origin : all that determines the result, as plain data.
    """

    name: RunName
    method: Any
    settings: Recipe
    original: RunName | None
    split_trial: int
    origin: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where anything that determines the result does."""
        return digest(self.origin)

    @property
    def shown_as(self) -> str:
        """The fingerprint, followed by the settings in its name, which differ between studies: outputs show both."""
        return self.fingerprint + self.name.method.removeprefix(self.name.plain.method)

    @cached_property
    def pool_path(self) -> str:
        """Its folder in the pool: the plain name with the first digits of the fingerprint."""
        return f"{self.name.plain}-{self.fingerprint[:SHORT]}"


@dataclass(frozen=True)
class Split:
    """A draw of what a scenario forgets; ``origin`` is all that determines it, as plain data."""

    dataset: str
    scenario: str
    trial: int
    origin: dict[str, Any]

    @cached_property
    def pool_path(self) -> str:
        """Its file in the pool, without the suffix."""
        return f"{self.dataset}/{self.scenario}/trial-{self.trial}-{digest(self.origin)[:SHORT]}"


@dataclass(frozen=True)
class Derived:
    """A file made from the weights of a run.

    ``kind`` is maps, distances, views or relearning. Original, which has no scenario, has one for each.
    """

    kind: str
    run: Run
    scenario: str
    origin: dict[str, Any]

    @cached_property
    def pool_path(self) -> str:
        """Its file in the pool, without the suffix."""
        run = self.run.name.plain
        name = f"{run.dataset}/{run.arch}/{self.scenario}/{run.method}/trial-{run.trial}"
        return f"{self.kind}/{name}-{digest(self.origin)[:SHORT]}"


def belongs(name: RunName, cell: Cell) -> bool:
    """Whether a run belongs to a cell; Original belongs to every cell of its dataset and architecture."""
    return (name.dataset, name.arch) == (cell.dataset, cell.arch) and name.scenario in ("", cell.scenario)


def with_cells(runs: Iterable[Run], cells: Iterable[Cell]) -> list[tuple[Run, Cell]]:
    """Pair each run with the cells that it belongs to, cell by cell.

    Original is paired only in the trials of a cell's other runs: in any more, nothing says what would be forgotten.
    """
    runs, pairs = list(runs), []
    for cell in cells:
        cell_runs = [run for run in runs if belongs(run.name, cell)]
        trials = {run.name.trial for run in cell_runs if not run.name.is_original}
        pairs += [(run, cell) for run in cell_runs if run.name.trial in trials]
    return pairs
