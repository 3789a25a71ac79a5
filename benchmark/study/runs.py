"""Runs as a study resolves them, and what is made from their features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmark.files import digest
from benchmark.methods.base import Recipe
from benchmark.names import Cell, RunName


@dataclass(frozen=True)
class Run:
    """A run, resolved: everything that determines its result.

    Attributes
    ----------
    name : what the run is called.
    method : its class, the contrastive term included.
    settings : its hyperparameters.
    original : the run whose weights it starts from, or None.
    split_trial : which drawing of the forget split it uses.
    slice : all that determines the result, as plain data.
    fingerprint : a digest of ``slice``.
    """

    name: RunName
    method: Any
    settings: Recipe
    original: RunName | None
    split_trial: int
    slice: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where anything that determines the result does."""
        return digest(self.slice)


@dataclass(frozen=True)
class Derived:
    """A file made from a run's features: what it holds, of which run, and in which scenario samples are forgotten."""

    what: str
    run: Run = field(hash=False)
    scenario: str

    @property
    def name(self) -> str:
        """The run's name with the scenario, since Original is looked at once a scenario."""
        run = self.run.name
        return f"{run.dataset}/{run.arch}/{self.scenario}/{run.method}/trial-{run.trial}"

    def __str__(self) -> str:
        return f"{self.what}/{self.name}"


def belongs(name: RunName, cell: Cell) -> bool:
    """Whether a run has a place in a cell: its own, or for Original every one of its dataset and architecture."""
    return (name.dataset, name.arch) == (cell.dataset, cell.arch) and name.scenario in ("", cell.scenario)


def placed(runs: Iterable[Run], cells: Iterable[Cell]) -> list[tuple[Run, Cell]]:
    """Pair each run with the cells that it has a place in, cell by cell.

    Original has one in the trials of a cell's other runs alone: for more, nothing says what would be forgotten.
    """
    runs, pairs = list(runs), []
    for cell in cells:
        here = [run for run in runs if belongs(run.name, cell)]
        trials = {run.name.trial for run in here if not run.name.is_original}
        pairs += [(run, cell) for run in here if run.name.trial in trials]
    return pairs
