"""What a section of the benchmark yields, and how it is written down."""

from __future__ import annotations

import operator
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

SENSES = {">=": operator.ge, "<=": operator.le}
SIGNS = {">=": "≥", "<=": "≤"}


@dataclass(frozen=True)
class Options:
    """How the benchmark is run.

    Attributes
    ----------
    repeats : how often each piece of work is timed, after a warm-up that is not counted.
    threads : processor threads.
    short : do far less work: to see that everything runs; the numbers mean nothing.
    """

    repeats: int = 5
    threads: int = 1
    short: bool = False

    def size(self, full: int, short: int) -> int:
        """Return how much work to do."""
        return short if self.short else full


@dataclass(frozen=True)
class Wanted:
    """A bound on one of a row's figures, such as a ratio of at least 2.5."""

    what: str
    sense: str
    value: float

    def __str__(self) -> str:
        return f"{self.what} {SIGNS[self.sense]} {self.value:g}"

    @classmethod
    def read(cls, text: str) -> Wanted:
        """Return the bound that was written as ``text``."""
        what, sign, value = text.rsplit(" ", 2)
        return cls(what, next(sense for sense in SIGNS if SIGNS[sense] == sign), float(value))

    def met(self, value: float) -> bool:
        """Whether the bound holds for a value."""
        return bool(SENSES[self.sense](value, self.value))


@dataclass(frozen=True)
class Row:
    """One measured thing.

    Attributes
    ----------
    work : what was done.
    unit : of ``ours`` and ``reference``.
    ours, reference : the reference may be missing.
    ratio : how many times better than the reference.
    share : of the hardware's ceiling, 0 to 1.
    figures : further numbers, by name.
    wanted : bounds on ``ours``, ``ratio``, ``share`` or one of the figures.
    seconds : every repeat, by who did it; ``ours`` and ``reference`` come from their medians.
    how : how ``ours`` and ``reference`` came about, where there are no seconds.
    """

    work: str
    unit: str
    ours: float
    reference: float | None = None
    ratio: float | None = None
    share: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()
    seconds: dict[str, list[float]] = field(default_factory=dict)
    how: str = "once"

    def value(self, what: str) -> float:
        """Return ``ours``, ``ratio``, ``share`` or one of the figures."""
        found = self.figures[what] if what in self.figures else getattr(self, what)
        return float(found)

    @property
    def met(self) -> bool | None:
        """Whether every bound holds; None where there is none."""
        if not self.wanted:
            return None
        return all(bound.met(self.value(bound.what)) for bound in self.wanted)

    def plain(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        told = {"wanted": [str(bound) for bound in self.wanted], "met": self.met, "how": how(self.seconds, self.how)}
        return asdict(self) | told


def how(seconds: dict[str, list[float]], otherwise: str) -> str:
    """Return how often something was timed, in words; ``otherwise`` where it was not."""
    times = max(map(len, seconds.values()), default=0)
    if not times:
        return otherwise
    return f"median of {times}" if times > 1 else "once"


def rate(amount: float, seconds: list[float]) -> float:
    """Return how much is done per second, by the median of the repeats."""
    return amount / statistics.median(seconds)


def faster(ours: list[float], reference: list[float]) -> float:
    """Return how many times faster, as the median over the pairs of repeats: what slows both falls out."""
    return statistics.median(theirs / mine for mine, theirs in zip(ours, reference, strict=True))


def number(value: float | None) -> str:
    """Return three significant digits, without exponents."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(heads: tuple[str, ...], rows: list[list[str]], texts: tuple[str, ...]) -> str:
    """Return rows as Markdown; columns are set to the right but for those of ``texts``."""
    lines = [list(heads), ["--" if head in texts else "--:" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
