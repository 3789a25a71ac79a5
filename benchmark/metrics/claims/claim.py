"""Claims and their tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmark.metrics.bootstrap import Floats, Statistic
from benchmark.metrics.evidence import Evidence, Trials
from benchmark.metrics.samples import METRICS
from benchmark.names import Cell

OURS = "coun"
OTHERS = ("ft", "neggrad-plus", "l1-sparse", "salun", "not")
MAIN = (*OTHERS, OURS)
FURTHER = ("bad-teacher", "ssd", "scrub", "cu")
BASES = ("ft", "neggrad-plus", "l1-sparse", "not")

ALL_ELSE_SAME = "all else the same"


class Tested(NamedTuple):
    """A claim in one cell, ready to be computed by `benchmark.metrics.bootstrap.estimate`.

    ``subject`` says in words what is compared; ``statistic`` is in ``unit``. For each method compared, ``diverged``
    counts the trials left out because it diverged, and ``collapsed`` those in which it lost what it had learnt.
    ``method`` is the one that the test is about, where a claim is tested for several in a cell; ``also`` says in which
    settings the two sides differ beside that, or `ALL_ELSE_SAME` where runs were made that differ in nothing else.
    """

    cell: Cell
    subject: str
    statistic: Statistic
    trials: int
    diverged: dict[str, int]
    collapsed: dict[str, int]
    unit: str = "points"
    method: str = ""
    also: str = ""

    @classmethod
    def of(
        cls, cell: Cell, subject: str, statistic: Statistic, trials: Trials, unit: str = "points", **about: str
    ) -> Tested:
        """Return a test of a cell's trials; ``about`` may have ``method`` and ``also``."""
        return cls(cell, subject, statistic, len(trials), trials.diverged, trials.collapsed, unit, **about)


class Claim(NamedTuple):
    """One of the paper's claims, in a sentence, and ``find``, which yields a test in each cell that allows one.

    Claims of the paper's abstract are ``primary``; the others are exploratory. Those ``of_means`` take nothing but the
    means that Tables 2, 3, 7, 9 and 10 print, and can be tested on these too: `benchmark.metrics.claims.printed`.
    """

    key: str
    text: str
    where: str
    find: Callable[[Evidence], Iterator[Tested]]
    needs: str
    primary: bool = False
    of_means: bool = False


def lead(trials: Trials, ours: list[str], others: list[str]) -> Statistic:
    """Return by how much our smallest average gap lies below the others' smallest."""
    return lambda drawn: trials.gaps(others, drawn).min(axis=0) - trials.gaps(ours, drawn).min(axis=0)


def within(trials: Trials, method: str, margin: float) -> Statistic:
    """Return by how much a gap to Retrain lies below a margin beyond the noise floor of as many trials."""
    return lambda drawn: trials.noise_floor + margin - trials.gap(method, drawn)


def against(methods: list[str]) -> str:
    """Return in words the methods that ours is compared with."""
    return f"against {', '.join(f'`{method}`' for method in methods)}"


def with_term(base: str, also: str = "") -> str:
    """Return in words that a method with the contrastive term is compared with itself, and what differs ``also``."""
    joined = ", " if also == ALL_ELSE_SAME else " and "
    return f"`{base}` with the term" + f"{joined}{also}" * bool(also)


def mean_of(values: Floats) -> Statistic:
    """Return the mean of one number per trial."""
    return lambda drawn: values[drawn].mean(axis=1)


def signed(differences: Floats) -> str:
    """Return differences of the four metrics with their signs: ``RA −1.34, UA 0.00``."""
    texts = (f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00" for value in differences)
    return ", ".join(f"{name.upper()} {text}" for name, text in zip(METRICS, texts, strict=True))
