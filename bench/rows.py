"""Rows of measurements: computed from seconds, held to bounds, written as tables."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

Row: TypeAlias = dict[str, Any]  # as it is written to JSON: see `timed`
T = TypeVar("T")
SIGNS = {"≥": operator.ge, "≤": operator.le}
# Beginning of the name of work -> bounds on ``ours``, ``ratio`` or ``share``.
BOUNDS = {
    "resnet18, ft": ["ratio ≥ 2.5", "share ≥ 0.75"],
    "vgg16, ft": ["ratio ≥ 2"],
    "vit, ft": ["ratio ≥ 2.5"],
    "resnet18-w32, ft": ["share ≥ 0.65"],
    "resnet18-w16-s2, ft": ["share ≥ 0.65"],
    "evaluation, resnet18": ["ratio ≥ 2.2"],
    "attack, 45,000 samples": ["ratio ≥ 100"],
    "first batch of a CoUn job, convnet, started by itself": ["ours ≤ 1.5"],
    "first batch of a CoUn job, resnet18, started by itself": ["ours ≤ 3"],
    "quick study": ["ours ≤ 240"],
    "dry run of the paper study": ["ours ≤ 6"],
    "cost of the paper study": ["ours ≤ 20"],
    "audits of cifar10-small": ["ours ≤ 60"],
}


@dataclass(frozen=True)
class Options:
    """How the bench is run: repeats of each piece of work, processor threads, and whether the run is short."""

    repeats: int = 5
    threads: int = 1
    short: bool = False

    def pick(self, full: T, short: T) -> T:
        """Return ``short`` in a short run, else ``full``."""
        return short if self.short else full


def timed(
    work: str,
    seconds: Mapping[str, list[float]],
    amount: float | None = None,
    unit: str = "s",
    share: float | None = None,
) -> Row:
    """Return the row of a piece of work.

    Parameters
    ----------
    seconds : every repeat of ``ours`` and, if it was timed, of the ``reference``.
    amount : how much was done; ``ours`` and ``reference`` are then amounts a second, in ``unit``.
    share : of the hardware's peak, 0 to 1.
    """
    medians = {piece: statistics.median(repeats) for piece, repeats in seconds.items()}
    values = medians if amount is None else {piece: amount / median for piece, median in medians.items()}
    return {
        "work": work,
        "unit": unit,
        "ours": values["ours"],
        "reference": values.get("reference"),
        "ratio": _ratio(seconds["reference"], seconds["ours"]) if "reference" in seconds else None,
        "share": share,
        "seconds": dict(seconds),
    }


def _ratio(reference: list[float], ours: list[float]) -> float:
    # The median over pairs of repeats: what slows both cancels out.
    return statistics.median(plain / own for plain, own in zip(reference, ours, strict=True))


def bounds_of(work: str) -> list[str]:
    """Return the bounds of a piece of work, such as ``ratio ≥ 2.5``."""
    return [bound for prefix, bounds in BOUNDS.items() if work.startswith(prefix) for bound in bounds]


def missed(row: Row) -> list[str]:
    """Return which of ``ours``, ``ratio`` and ``share`` miss a bound."""
    bounds = [bound.split() for bound in bounds_of(row["work"])]
    return [name for name, sign, limit in bounds if not SIGNS[sign](row[name], float(limit))]


def span(rows: Sequence[Row], name: str) -> str:
    """Return the least and the greatest ``ours``, ``ratio`` or ``share`` of rows."""
    values = sorted(row[name] for row in rows)
    return " to ".join(dict.fromkeys(number(value) for value in (values[0], values[-1])))


def number(value: float | None) -> str:
    """Return a value to three significant digits, without an exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def table(heads: Sequence[str], rows: list[list[str]], texts: Sequence[str]) -> str:
    """Return rows as Markdown; the columns named in ``texts`` are aligned left, the others right."""
    lines = [list(heads), ["--" if head in texts else "--:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
