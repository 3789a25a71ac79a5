"""Timing several pieces of work in turns, so that what slows the machine for a while slows all of them."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

LEAST = 0.2  # seconds: shorter work is done several times a repeat
LONG = 30.0  # seconds: work that takes this long is warmed up once only


class Elsewhere(Protocol):
    """Work that is done, and timed, in another process."""

    def clocked(self, calls: int) -> float:
        """Do it so many times and return the seconds of one."""


Piece: TypeAlias = Callable[[], object] | Elsewhere


def interleaved(
    work: Mapping[str, Piece],
    repeats: int,
    wait: Callable[[], None] = lambda: None,
    least: float = LEAST,
    settle: bool = False,
) -> dict[str, list[float]]:
    """Return the seconds of every repeat of every piece of work, by name.

    Each is done once or twice before, which is not counted: it warms caches and says how often a repeat must do it to
    last ``least`` seconds. Every other round goes backwards through the work.

    Parameters
    ----------
    work : what is timed, by name.
    repeats : rounds.
    wait : called before a clock is read, to wait for a device.
    least : seconds of a repeat.
    settle : do each piece once, uncounted, at the start of its turn: what follows itself in real life, as a training
        step does, is otherwise charged for memory and caches that another piece has left.
    """
    calls = {}
    for name, do in work.items():
        first = clocked(do, 1, wait)
        # What is long at first, by compiling or importing something, may be short then.
        typical = first if first > LONG else clocked(do, 1, wait)
        calls[name] = max(1, math.ceil(least / max(typical, 1e-9)))
    found: dict[str, list[float]] = {name: [] for name in work}
    collected = gc.isenabled()
    gc.disable()
    try:
        for number in range(repeats):
            for name in list(work)[:: -1 if number % 2 else 1]:
                if settle:
                    clocked(work[name], 1, wait)
                found[name].append(clocked(work[name], calls[name], wait))
            gc.collect()
    finally:
        if collected:
            gc.enable()
    return found


def clocked(do: Piece, calls: int, wait: Callable[[], None]) -> float:
    """Do a piece of work so many times, ``wait``, and return the seconds of one."""
    if not callable(do):
        return do.clocked(calls)
    wait()
    before = time.perf_counter()
    for _ in range(calls):
        do()
    wait()
    return (time.perf_counter() - before) / calls
