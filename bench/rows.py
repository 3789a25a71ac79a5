"""Rows of measurements: made from seconds, checked against bounds, written as tables."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]  # as it is written to JSON: see `timed`
SIGNS = {"≥": operator.ge, "≤": operator.le}


@dataclass(frozen=True)
class Options:
    """How the bench is run: repeats of each piece of work, processor threads, and whether to do next to nothing."""

    repeats: int = 5
    threads: int = 1
    short: bool = False

    def size(self, full: int, short: int) -> int:
        """Return how much work to do."""
        return short if self.short else full


def timed(
    work: str,
    seconds: Mapping[str, list[float]],
    amount: float | None = None,
    unit: str = "s",
    share: float | None = None,
    figures: Mapping[str, float] | None = None,
    wanted: Sequence[str] = (),
) -> Row:
    """Return the row of a piece of work.

    Parameters
    ----------
    seconds : every repeat of ``ours`` and, if it was timed, of the ``reference``.
    amount : how much was done; ``ours`` and ``reference`` are then amounts a second, in ``unit``.
    share : of the hardware's peak, 0 to 1.
    figures : further numbers, by name.
    wanted : bounds on ``ours``, ``ratio``, ``share`` or a figure, such as ``"ratio ≥ 2.5"``.
    """
    medians = {piece: statistics.median(taken) for piece, taken in seconds.items()}
    values = medians if amount is None else {piece: amount / median for piece, median in medians.items()}
    times = len(seconds["ours"])
    row: Row = {
        "work": work,
        "unit": unit,
        "ours": values["ours"],
        "reference": values.get("reference"),
        "ratio": _ratio(seconds["reference"], seconds["ours"]) if "reference" in seconds else None,
        "share": share,
        "figures": dict(figures or {}),
        "wanted": list(wanted),
        "seconds": dict(seconds),
        "how": f"median of {times}" if times > 1 else "once",
    }
    return row | {"met": all(meets(row, bound) for bound in wanted) if wanted else None}


def _ratio(reference: list[float], ours: list[float]) -> float:
    # The median over pairs of repeats: what slows both falls out.
    return statistics.median(theirs / mine for theirs, mine in zip(reference, ours, strict=True))


def value(row: Row, name: str) -> float:
    """Return ``ours``, ``ratio``, ``share`` or a figure of a row."""
    return float(row["figures"].get(name, row.get(name)))


def meets(row: Row, bound: str) -> bool:
    """Return whether a bound holds for a row."""
    name, sign, limit = bound.rsplit(" ", 2)
    return bool(SIGNS[sign](value(row, name), float(limit)))


def number(value: float | None) -> str:
    """Return three significant digits, without exponents."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(heads: Sequence[str], rows: list[list[str]], texts: Sequence[str]) -> str:
    """Return rows as Markdown; columns are aligned to the right except those of ``texts``."""
    lines = [list(heads), ["--" if head in texts else "--:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
