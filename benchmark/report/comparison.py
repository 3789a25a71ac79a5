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

from benchmark.errors import BadInput
from benchmark.metrics.gaps import CELL, DIVERGED, METRICS
from benchmark.names import RETRAIN
from benchmark.report.tabular import DASH, number
from benchmark.results.differences import AVERAGE, COST, KEYS, differences, identical
from benchmark.results.provenance import STAMP
from benchmark.results.sides import Side

# What may move a run's numbers in the last digit, and so all of them by its end.
CHAOS = {"device", "precision", "threads", "system", "torch", "torchvision", "numpy"}
HEADS = {**{metric: metric.upper() for metric in METRICS}, AVERAGE: "Avg. Gap", COST: "Cost", DIVERGED: "Diverged"}
NAMED = 5


@dataclass(frozen=True)
class Comparison:
    """Two results that are compared; of methods, Retrain is there for the gaps alone."""

    first: Side
    second: Side
    of_methods: bool = False

    @cached_property
    def rows(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The runs of both sides that are compared."""
        first, second = (
            side.rows[side.rows["method"] != RETRAIN] if self.of_methods else side.rows
            for side in (self.first, self.second)
        )
        return first, second

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The runs that both sides have: ``KEYS``, the columns of both with ``_first`` and ``_second``, ``same``."""
        first, second = self.rows
        columns = first.columns.union(second.columns, sort=False)  # of two versions of the code, one may have more
        first, second = (side.reindex(columns=columns) for side in (first, second))
        both = first.merge(second, on=KEYS, suffixes=("_first", "_second"))
        if both.empty:
            raise BadInput(f"{self.first.name} and {self.second.name} have no cell, method and trial in common")
        same = identical(first, second).rename("same").reset_index()
        return both.merge(same, on=KEYS)

    @cached_property
    def data(self) -> pd.DataFrame:
        """A row for each cell, method and column: see `benchmark.results.differences.differences`."""
        rows = differences(self.first.rows, self.second.rows)
        return rows[rows["method"] != RETRAIN] if self.of_methods else rows

    @cached_property
    def moved(self) -> pd.DataFrame:
        """The rows of ``data`` whose runs are not all identical."""
        moved = self.pairs.loc[~self.pairs["same"], [*CELL, "method"]].drop_duplicates()
        return self.data.merge(moved, on=[*CELL, "method"])

    @property
    def exact(self) -> bool:
        """Whether both have the same runs, all of them identical."""
        return bool(self.pairs["same"].all()) and len(self.pairs) == len(self.rows[0]) == len(self.rows[1])

    def written(self, form: str) -> str:
        """Return the comparison as text, markdown, csv or json; the first two also say how the sides were made."""
        pairs = self.pairs  # first, since without any there is nothing to compare
        if form == "csv":
            return self.data.to_csv(index=False, lineterminator="\n").rstrip()
        if form == "json":
            about = {"first": self.first.name, "second": self.second.name, "pairs": len(pairs)}
            rows = json.loads(self.data.to_json(orient="records"))
            return json.dumps(about | {"identical": int(pairs["same"].sum()), "differences": rows}, indent=1)
        lines = [*self._heading(), *self._settings(), *self._made()]
        return "\n".join([*lines, *self._tables(form == "markdown"), "", self._verdict()])

    # --- what is compared ---------------------------------------------------------------------------------------------

    def _heading(self) -> Iterator[str]:
        first, second = self.rows
        yield f"A  {self.first.name}: {first['fingerprint'].nunique()} runs"
        yield f"B  {self.second.name}: {second['fingerprint'].nunique()} runs"
        same, pairs = int(self.pairs["same"].sum()), len(self.pairs)
        by_sample = self.pairs[["samples_first", "samples_second"]].notna().to_numpy().all()
        how = "sample by sample" if by_sample else "to the last digit of every metric"
        yield f"{pairs} pairs, {same or 'none'} of them identical" + f", {how}" * bool(same)
        for letter, mine, other in (("A", first, second), ("B", second, first)):
            lacking = ~pd.MultiIndex.from_frame(mine[KEYS]).isin(pd.MultiIndex.from_frame(other[KEYS]))
            if lacking.any():
                yield f"only in {letter}: {_counted(mine[lacking])}"

    def _settings(self) -> Iterator[str]:
        """Yield the hyperparameters that differ, each with the methods it differs in."""
        changed = self.pairs[self.pairs["fingerprint_first"] != self.pairs["fingerprint_second"]]
        if changed.empty or self.of_methods:
            return
        names = [name.removesuffix("_first") for name in changed if re.fullmatch("setting_.*_first", name)]
        changes: dict[str, list[str]] = {}
        for name in names:
            columns = ["method", f"{name}_first", f"{name}_second"]
            for method, before, now in changed[columns].drop_duplicates().itertuples(index=False):
                if before != now and not (pd.isna(before) and pd.isna(now)):
                    what = f"{name.removeprefix('setting_')} {_value(before)} | {_value(now)}"
                    changes.setdefault(what, []).append(str(method))
        why = "other settings (A | B), or start from what has" if changes else "other seeds, data or Originals"
        yield f"{len(changed)} pairs have {why}"
        yield from (f"  {what}: {', '.join(dict.fromkeys(methods))}" for what, methods in changes.items())

    def _made(self) -> Iterator[str]:
        """Yield in what the making of pairs differs, and what that means."""
        differing = [name for name in STAMP if _apart(self.pairs, name).any()]
        if differing:
            yield "made differently (A | B)"
        for name in differing:
            mine = self.pairs[_apart(self.pairs, name)]
            yield f"  {name}: {_values(mine[f'{name}_first'])} | {_values(mine[f'{name}_second'])}"
        other = self.pairs[~self.pairs["same"]]
        if not other.empty and not CHAOS.isdisjoint(differing):
            yield (
                "Between kinds of processor, precisions or versions of torch, equal settings give other runs by chaos "
                "alone: judge by means over trials."
            )
        elif len(other) and (other["fingerprint_first"] == other["fingerprint_second"]).all() and not differing:
            yield "Settings, code and machine are the same, and results are not: what is not recorded moves them."

    # --- how far apart it is ------------------------------------------------------------------------------------------

    def _tables(self, markdown: bool) -> Iterator[str]:
        for place, cell in self.moved.groupby(CELL, sort=False):
            trials = sorted(set(cell.loc[cell["column"] != DIVERGED, "trials"]))
            counts = f"{' or '.join(map(str, trials)) or 'no'} trial{'s' * (trials != [1])}"
            yield f"\n{'/'.join(place)}: B − A, {counts}{_noise(cell)}"
            heads = [column for column in HEADS if (cell["column"] == column).any()]
            rows = [["", *(HEADS[column] for column in heads)]]
            for method, mine in cell.groupby("method", sort=False):
                entries = {row.column: _entry(row) for row in mine.itertuples()}
                rows.append([str(method), *(entries.get(column, DASH) for column in heads)])
            yield from _pipes(rows) if markdown else _aligned(rows)

    def _verdict(self) -> str:
        if self.pairs["same"].all():
            return "no difference: all pairs are identical"
        flagged, judged = int(self.moved["differs"].sum()), int(self.moved["low"].notna().sum())
        starred = f"{flagged} difference{'s' * (flagged != 1)} (*)"
        if not judged:
            nothing = "no interval to judge metrics by: trials are fewer than two, or all alike"
            return f"{starred} of computation or divergence; {nothing}" if flagged else f"undecided: {nothing}"
        if not flagged:
            return f"no difference: of {judged} intervals, none excludes 0 where the difference exceeds the noise floor"
        chance = f"by chance alone, about {0.05 * judged:.0f} of {judged} intervals exclude 0"
        return (
            f"{starred}: beyond the noise between two Retrains, and the 95 % interval (±) excludes 0; or another "
            f"computation, or number of diverged trials; {chance}"
        )


def _noise(cell: pd.DataFrame) -> str:
    """Say what the noise floor of a cell is, as far as a difference is compared with it."""
    floor = cell.loc[cell["column"] == AVERAGE, "noise_floor"].max()
    if np.isfinite(floor):
        return f"; noise floor of the average gap {number(floor)}"
    alone = cell["low"].notna().any() and cell["noise_floor"].isna().all()
    return "; no trials of Retrain, so the interval alone decides" * bool(alone)


def _entry(row: Any) -> str:
    """Return a difference with its sign, half of its interval, and the mark of one that noise does not explain."""
    if row.column == DIVERGED:
        text = f"{row.first:.0f} | {row.second:.0f}"
    else:
        text = number(row.difference, signed=True)
        text += f"±{number(row.high - row.difference)}" if np.isfinite(row.high) else ""
        text += " %" if row.column == COST else ""
    return text + "*" * row.differs


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))
        yield f"  {first:{widths[0]}}  {'  '.join(cells)}".rstrip()


def _pipes(rows: list[list[str]]) -> Iterator[str]:
    yield ""
    for place, row in enumerate(rows):
        cells = [re.sub("[|*]", r"\\\g<0>", text) for text in row]
        yield f"| {' | '.join(cells)} |"
        if not place:
            yield f"|---{'|---:' * (len(row) - 1)}|"


def _counted(runs: pd.DataFrame) -> str:
    """Name runs by cell and method, with how many trials there are; a few of them."""
    groups = [f"{'/'.join(key)} ({len(rows)})" for key, rows in runs.groupby([*CELL, "method"], sort=False)]
    return f"{len(runs)} runs: {', '.join(groups[:NAMED])}{', ...' * (len(groups) > NAMED)}"


def _apart(pairs: pd.DataFrame, name: str) -> pd.Series[bool]:
    """Return of which pairs both sides say something of how they were made, and not the same."""
    if not {f"{name}_first", f"{name}_second"} <= set(pairs):
        return pd.Series(False, index=pairs.index)
    before, now = pairs[f"{name}_first"], pairs[f"{name}_second"]
    return before.notna() & now.notna() & (before != now)


def _values(column: pd.Series[Any]) -> str:
    values = list(column.astype(str).unique())
    return f"{', '.join(values[:3])}{f' and {len(values) - 3} more' * (len(values) > 3)}"


def _value(value: Any) -> str:
    return DASH if pd.isna(value) else str(value).removesuffix(".0")
