"""The source of a table or figure: its study, cells and results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from benchmark.metrics.evidence import in_cell
from benchmark.names import DIVERGED, RETRAIN, Cell, is_control
from benchmark.report import facts
from benchmark.report.style import cell_label
from benchmark.report.tabular import DAGGER, THIN, Block, Column, Row, Table, sentences
from benchmark.results.frames import Results
from benchmark.results.measured import COLLAPSE_TEXT
from benchmark.study.form import OutputSettings
from benchmark.study.study import Study

METHOD_COLLAPSED = f"{DAGGER}{THIN}collapsed in at least one trial: {COLLAPSE_TEXT}"


@dataclass(frozen=True)
class Source:
    """A table or figure of a study, and the results of its runs; missing ones become dashes or gaps.

    ``cells`` are those with a block or a panel.
    """

    study: Study
    name: str
    results: Results
    cells: list[Cell]

    @classmethod
    def of(cls, study: Study, name: str, results: Results) -> Source:
        """Return the source of an output with all of its cells."""
        return cls(study, name, results, study.output(name).parsed_cells)

    @cached_property
    def output(self) -> OutputSettings:
        """The settings of the table or figure."""
        return self.study.output(self.name)

    @property
    def methods(self) -> list[str]:
        """The listed methods."""
        return self.output.methods

    @property
    def compared(self) -> list[str]:
        """The listed methods without Retrain, which they are compared with."""
        return [method for method in self.methods if method != RETRAIN]

    @property
    def controls(self) -> list[str]:
        """The listed methods that forget nothing."""
        return [method for method in self.methods if is_control(method)]

    @property
    def trials(self) -> int:
        """How many trials each method should have; Original may have fewer."""
        return self.output.trials or self.study.trials

    def run_method(self, cell: Cell, method: str) -> str:
        """Return the method name that a listed method's runs have in a cell."""
        return self.study.run_name(cell, method, 0).method

    # --- results --------------------------------------------------------------------------------------------------

    def rows(self, frame: pd.DataFrame, cell: Cell, method: str) -> pd.DataFrame:
        """Return a listed method's rows in a cell, from a frame of the results."""
        if frame.empty:
            return frame
        name = self.run_method(cell, method)
        matches = (frame["dataset"] == cell.dataset) & (frame["arch"] == cell.arch) & (frame["method"] == name)
        # Original's history belongs to no scenario.
        return frame[matches & frame["scenario"].isin(["", cell.scenario]) & (frame["trial"] < self.trials)]

    def by_trial(self, frame: pd.DataFrame, cell: Cell, method: str) -> dict[int, pd.DataFrame]:
        """Return `rows` by trial number, in order; trials without rows are left out."""
        rows = self.rows(frame, cell, method)
        return {int(trial): trial_rows for trial, trial_rows in rows.groupby("trial")} if len(rows) else {}

    def histories(self, cell: Cell, method: str) -> dict[int, pd.DataFrame]:
        """Return a method's histories in a cell, by trial number."""
        return self.by_trial(self.results.history, cell, method)

    def diverged(self, cell: Cell, method: str) -> set[int]:
        """Return the trials in which a method diverged."""
        runs = self.by_trial(self.results.metrics, cell, method)
        return {trial for trial, run in runs.items() if (run["status"] == DIVERGED).any()}

    def collapsed(self, cell: Cell, method: str) -> dict[int, float]:
        """Return the retain accuracy, in per cent, of each trial in which a method has collapsed by its last epoch."""
        last = {trial: float(history["ra"].iloc[-1]) for trial, history in self.histories(cell, method).items()}
        return {trial: ra for trial, ra in last.items() if self.results.collapsed(cell, trial, ra)}

    def collapsed_methods(self, methods: Iterable[str]) -> dict[Cell, set[str]]:
        """Return which of the methods collapsed in some trial, for each cell."""
        methods = list(methods)
        return {cell: {method for method in methods if self.collapsed(cell, method)} for cell in self.cells}

    # --- tables ---------------------------------------------------------------------------------------------------

    def blocks(
        self,
        data: pd.DataFrame,
        rows: Callable[[pd.DataFrame], Sequence[Row]],
        note: Callable[[pd.DataFrame], str] = lambda _: "",
    ) -> list[Block]:
        """Return one block per cell, with ``rows`` of its part of ``data``; several are headed by their cells."""
        parts = [(cell, in_cell(data, cell) if len(data) else data) for cell in self.cells]
        if len(parts) == 1:
            return [Block(rows(part)) for _, part in parts]
        return [Block(rows(part), cell_label(cell), note(part)) for cell, part in parts]

    def table(
        self, columns: Sequence[Column], blocks: Sequence[Block], notes: Iterable[str], data: pd.DataFrame
    ) -> Table:
        """Return the table, captioned by the study's own words, and the cell if there is only one.

        ``notes`` are sentences without the final full stop; empty ones are left out. The meaning of the mark of a
        collapsed method is added.
        """
        caption = " ".join(self.output.caption.split())
        subject = cell_label(self.cells[0]) if len(self.cells) == 1 else ""
        if any(DAGGER in str(entry) for block in blocks for row in block.rows for entry in row):
            notes = [*notes, METHOD_COLLAPSED]
        versions = facts.code(self.results.codes) if self.study.kind_of(self.name).shows_results else ""
        elsewhere = facts.elsewhere(method for method in self.methods if method in self.study.scored)
        return Table(columns, blocks, sentences([caption, subject]), sentences([*notes, elsewhere, versions]), data)
