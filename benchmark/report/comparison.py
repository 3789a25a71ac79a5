"""Two results side by side as text: what is identical, what differs in how they were made, and by how much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from benchmark.errors import BadInput, in_columns, number_of, some_of
from benchmark.metrics.evidence import of_runs_in
from benchmark.metrics.samples import METRICS
from benchmark.names import CELL_KEYS, DIVERGED, RETRAIN, RUN_KEYS
from benchmark.report.tabular import DASH, number
from benchmark.results.differences import AVERAGE, COST, differences, identical
from benchmark.results.provenance import STAMP
from benchmark.results.sides import Side

# What may change the last digit of a run's numbers, and so all digits by its end.
CHAOS = {"device", "precision", "threads", "system", "torch", "torchvision", "numpy"}
HEADS = {**{metric: metric.upper() for metric in METRICS}, AVERAGE: "Avg. Gap", COST: "Cost", DIVERGED: "Diverged"}


@dataclass(frozen=True)
class Comparison:
    """Two results to compare; if they are two methods, Retrain is there for the gaps alone."""

    first: Side
    second: Side
    of_methods: bool = False

    @cached_property
    def rows(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The compared runs of either side."""
        return self._compared(self.first.rows), self._compared(self.second.rows)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The runs that both sides have: `RUN_KEYS`, the columns of both with ``_first`` and ``_second``, ``same``."""
        first, second = self.rows
        columns = first.columns.union(second.columns, sort=False)  # versions of the code may differ in them
        first, second = (side.reindex(columns=columns) for side in (first, second))
        matched = first.merge(second, on=RUN_KEYS, suffixes=("_first", "_second"))
        if matched.empty:
            raise BadInput(f"{self.first.name} and {self.second.name} have no cell, method and trial in common")
        same = identical(first, second).rename("same").reset_index()
        return matched.merge(same, on=RUN_KEYS)

    @cached_property
    def data(self) -> pd.DataFrame:
        """A row for each cell, method and column: see `benchmark.results.differences.differences`."""
        return self._compared(differences(self.first.rows, self.second.rows))

    @cached_property
    def moved(self) -> pd.DataFrame:
        """The rows of ``data`` whose runs are not all identical."""
        moved = self.pairs.loc[~self.pairs["same"], [*CELL_KEYS, "method"]].drop_duplicates()
        return self.data.merge(moved, on=[*CELL_KEYS, "method"])

    @property
    def exact(self) -> bool:
        """Whether both have the same runs, all of them identical."""
        return bool(self.pairs["same"].all()) and len(self.pairs) == len(self.rows[0]) == len(self.rows[1])

    def written(self, form: str) -> str:
        """Return the comparison as text, markdown, csv or json; the first two also say how the sides were made."""
        pairs = self.pairs  # raises if there are none
        if form == "csv":
            return self.data.to_csv(index=False, lineterminator="\n").rstrip()
        if form == "json":
            summary = {"first": self.first.name, "second": self.second.name, "pairs": len(pairs)}
            finite = self.data.replace(np.inf, np.nan)  # JSON has neither, but null
            rows = finite.astype(object).where(finite.notna(), None).to_dict("records")
            return json.dumps(summary | {"identical": int(pairs["same"].sum()), "differences": rows}, indent=1)
        lines = [*self._heading(), *self._settings(), *self._origins()]
        return "\n".join([*lines, *self._tables(form == "markdown"), "", self._verdict()])

    # --- what is compared ---------------------------------------------------------------------------------------------

    def _compared(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["method"] != RETRAIN] if self.of_methods else rows

    def _heading(self) -> Iterator[str]:
        first, second = self.rows
        yield f"A  {self.first.name}: {number_of(first['fingerprint'].nunique(), 'run')}"
        yield f"B  {self.second.name}: {number_of(second['fingerprint'].nunique(), 'run')}"
        identical_pairs, pairs = int(self.pairs["same"].sum()), len(self.pairs)
        by_sample = self.pairs[["samples_first", "samples_second"]].notna().to_numpy().all()
        precision = "sample by sample, as recorded" if by_sample else "to the last digit of every metric"
        identical = f"{identical_pairs or 'none'} of them identical" + f", {precision}" * bool(identical_pairs)
        yield f"{number_of(pairs, 'pair')}, {identical}"
        if first["fingerprint"].duplicated().any() or second["fingerprint"].duplicated().any():
            yield "Original has a pair in every scenario"
        for letter, runs, other_runs in (("A", first, second), ("B", second, first)):
            if len(unmatched := runs[~of_runs_in(runs, other_runs)]):
                yield f"only in {letter}: {_counted(unmatched)}"

    def _settings(self) -> Iterator[str]:
        """Yield the hyperparameters that differ, each with the methods concerned."""
        changed = self.pairs[self.pairs["fingerprint_first"] != self.pairs["fingerprint_second"]]
        if changed.empty or self.of_methods:
            return
        names = [name.removesuffix("_first") for name in changed if re.fullmatch("setting_.*_first", name)]
        changes: dict[str, list[str]] = {}
        for name in names:
            columns = ["method", f"{name}_first", f"{name}_second"]
            for method, value_first, value_second in changed[columns].drop_duplicates().itertuples(index=False):
                if value_first != value_second and not (pd.isna(value_first) and pd.isna(value_second)):
                    change = f"{name.removeprefix('setting_')} {_value(value_first)} | {_value(value_second)}"
                    changes.setdefault(change, []).append(str(method))
        reason = "other settings (A | B), or start from what has" if changes else "other seeds, data or Originals"
        yield f"{len(changed)} pairs have {reason}"
        yield from (f"  {change}: {', '.join(dict.fromkeys(methods))}" for change, methods in changes.items())

    def _origins(self) -> Iterator[str]:
        """Yield how the making of paired runs differs, and what that means."""
        fields = [field for field in (*STAMP, "report_epoch") if _differ(self.pairs, field).any()]
        if fields:
            yield "made or reported differently (A | B)"
        for field in fields:
            differing = self.pairs[_differ(self.pairs, field)]
            yield f"  {field}: {_distinct(differing[f'{field}_first'])} | {_distinct(differing[f'{field}_second'])}"
        unequal = self.pairs[~self.pairs["same"]]
        if not unequal.empty and not CHAOS.isdisjoint(fields):
            yield (
                "Between kinds of processor, precisions or versions of torch, equal settings give other runs by chaos "
                "alone: judge by means over trials."
            )
        elif len(unequal) and (unequal["fingerprint_first"] == unequal["fingerprint_second"]).all() and not fields:
            yield "Settings, code and machine are the same, and results are not: what is not recorded moves them."

    # --- how far apart they are ---------------------------------------------------------------------------------------

    def _tables(self, markdown: bool) -> Iterator[str]:
        for cell, cell_rows in self.moved.groupby(CELL_KEYS, sort=False):
            trials = sorted(set(cell_rows.loc[cell_rows["column"] != DIVERGED, "trials"]))
            counts = f"{' or '.join(map(str, trials)) or 'no'} trial{'s' * (trials != [1])}"
            yield f"\n{'/'.join(cell)}: B − A, {counts}{_noise(cell_rows)}"
            heads = [column for column in HEADS if (cell_rows["column"] == column).any()]
            rows = [["", *(HEADS[column] for column in heads)]]
            for method, method_rows in cell_rows.groupby("method", sort=False):
                entries = {row.column: _entry(row) for row in method_rows.itertuples()}
                rows.append([str(method), *(entries.get(column, DASH) for column in heads)])
            yield from _pipes(rows) if markdown else (f"  {line}" for line in in_columns(rows, numbers=True))

    def _verdict(self) -> str:
        if self.pairs["same"].all():
            return "no difference: all pairs are identical"
        differs = self.moved["differs"]
        flagged, judged = int(differs.sum()), int(self.moved["low"].notna().sum())
        starred = f"{number_of(flagged, 'difference')} (*)"
        if not judged and not (differs & ~self.moved["column"].isin([COST, DIVERGED])).any():
            no_interval = "no interval to judge metrics by: trials are fewer than two, or all alike"
            return f"{starred} of computation or divergence; {no_interval}" if flagged else f"undecided: {no_interval}"
        if not flagged:
            return f"no difference: of {judged} intervals, none excludes 0 where the difference exceeds the noise"
        return (
            f"{starred}. A difference of a metric is starred if it is beyond the noise between two Retrains, and its "
            "95 % interval (±) excludes 0 or all trials differ by the same (no ±); one of computation or divergence "
            f"is starred if there is any. By chance alone, about {0.05 * judged:.1f} of {judged} intervals exclude 0"
        )


def _noise(rows: pd.DataFrame) -> str:
    """Give the noise of a cell's mean average gaps, if a difference is compared with it."""
    floor = rows.loc[rows["column"] == AVERAGE, "noise_floor"].max()
    if np.isfinite(floor):
        return f"; noise of mean average gaps {number(floor)}"
    no_floor = rows["low"].notna().any() and rows["noise_floor"].isna().all()
    return "; fewer than two trials of Retrain, so the interval alone decides" * bool(no_floor)


def _entry(row: Any) -> str:
    """Return a difference with its sign and half its interval, starred if noise does not explain it."""
    if row.column == DIVERGED:
        text = f"{row.first:.0f} | {row.second:.0f}"
    else:
        text = number(row.difference, signed=True)
        text += f"±{number(row.high - row.difference)}" if np.isfinite(row.high) else ""
        text += " %" if row.column == COST and not np.isnan(row.difference) else ""
    return text + "*" * row.differs


def _pipes(rows: list[list[str]]) -> Iterator[str]:
    yield ""
    for index, row in enumerate(rows):
        entries = [re.sub("[|*]", r"\\\g<0>", text) for text in row]
        yield f"| {' | '.join(entries)} |"
        if not index:
            yield f"|---{'|---:' * (len(row) - 1)}|"


def _counted(runs: pd.DataFrame) -> str:
    """Count runs, and name the first by cell and method, with their numbers of trials."""
    groups = [f"{'/'.join(key)} ({len(rows)})" for key, rows in runs.groupby([*CELL_KEYS, "method"], sort=False)]
    return f"{number_of(len(runs), 'run')}: {some_of(groups)}"


def _differ(pairs: pd.DataFrame, name: str) -> pd.Series[bool]:
    """Return which pairs differ in a field that both sides record."""
    if not {f"{name}_first", f"{name}_second"} <= set(pairs):
        return pd.Series(False, index=pairs.index)
    first, second = pairs[f"{name}_first"], pairs[f"{name}_second"]
    return first.notna() & second.notna() & (first != second)


def _distinct(column: pd.Series[Any]) -> str:
    return some_of(column.astype(str).unique(), 3)


def _value(value: Any) -> str:
    return DASH if pd.isna(value) else str(value).removesuffix(".0")
