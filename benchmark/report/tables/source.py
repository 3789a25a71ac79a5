"""What a table or figure is drawn from, and what every kind of table does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from benchmark.errors import BadInput
from benchmark.metrics.gaps import DIVERGED
from benchmark.names import RETRAIN, Cell
from benchmark.report import facts
from benchmark.report.style import cell_label
from benchmark.report.tabular import Block, Column, Row, Table, sentences
from benchmark.report.trials import Floats, by_trial
from benchmark.results.frames import Results
from benchmark.settings import OutputSettings
from benchmark.study.checks import check_classes
from benchmark.study.study import Study


@dataclass(frozen=True)
class Source:
    """The settings of a table or figure in the study, and the results that it shows.

    Attributes
    ----------
    study, name : the table.
    results : of its runs; what they lack becomes a dash.
    cells : those that have a block.
    """

    study: Study
    name: str
    results: Results
    cells: list[Cell]

    @classmethod
    def of(cls, study: Study, name: str, results: Results) -> Source:
        """Return what a table is drawn from, with all of its cells."""
        return cls(study, name, results, [Cell.parse(cell) for cell in study.output(name).cells])

    @cached_property
    def output(self) -> OutputSettings:
        """The table's settings."""
        return self.study.output(self.name)

    @property
    def methods(self) -> list[str]:
        """The methods that are listed."""
        return self.output.methods

    @property
    def compared(self) -> list[str]:
        """The listed methods without Retrain, which they are compared with."""
        return [method for method in self.methods if method != RETRAIN]

    @property
    def trials(self) -> int:
        """How many trials each method should have."""
        return self.output.trials or self.study.trials

    @property
    def controls(self) -> list[str]:
        """The listed methods that forget nothing."""
        return [method for method in self.methods if facts.is_control(method)]

    def by_trial(self, frame: pd.DataFrame, cell: Cell, method: str) -> dict[int, pd.DataFrame]:
        """Return a method's rows in a cell, by trial."""
        return by_trial(self.results, frame, cell, method, self.trials)

    def diverged(self, cell: Cell, method: str) -> set[int]:
        """Return the trials of a method in which training diverged."""
        metrics = self.by_trial(self.results.metrics, cell, method)
        return {trial for trial, run in metrics.items() if (run["status"] == DIVERGED).any()}

    def by_class(
        self, frame: pd.DataFrame, cell: Cell, method: str, read: Callable[[pd.DataFrame], Floats], *size: int
    ) -> Floats:
        """Return what ``read`` makes of a method's rows about the first listed class: (trials, ...).

        Parameters
        ----------
        frame : rows about forget samples, whose class stands in column ``label``.
        size : the shape of what ``read`` returns; a trial that diverged is NaN.

        Raises
        ------
        BadInput
            If a dataset lacks a class that the study names, or if no sample of the first one is forgotten.
        """
        rows, diverged = self.by_trial(frame, cell, method), self.diverged(cell, method)
        if rows:
            check_classes(self.study, cell.dataset, self.results.classes(cell.dataset))
        values = dict.fromkeys(diverged, np.full(size, np.nan))
        for trial in rows.keys() - diverged:
            mine = rows[trial][rows[trial]["label"] == self.output.classes[0]]
            if mine.empty:
                raise BadInput(f"{self.name}: no sample of class {self.output.classes[0]!r} is forgotten in {cell}")
            values[trial] = read(mine)
        return np.array([values[trial] for trial in sorted(values)]).reshape(-1, *size)

    def block(self, cell: Cell, rows: Sequence[Row], note: str = "") -> Block:
        """Return the block of a cell, headed by the cell's name unless it is the only one."""
        several = len(self.cells) > 1
        return Block(rows, cell_label(cell) if several else "", note if several else "")

    def table(
        self, columns: Sequence[Column], blocks: Sequence[Block], notes: Iterable[str], data: pd.DataFrame
    ) -> Table:
        """Return the table: its caption is the study's own words, the cell if there is one, then ``notes``.

        Parameters
        ----------
        notes : sentences without the final full stop; empty ones are left out.
        """
        own = " ".join(self.output.caption.split())
        subject = cell_label(self.cells[0]) if len(self.cells) == 1 else ""
        return Table(columns, blocks, sentences([own, subject, *notes]), data)
