"""Timing pieces of work in turns, so that what slows the machine for a while slows all of them alike."""

from __future__ import annotations

import gc
import math
import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

LEAST = 0.2  # seconds: shorter work is done several times a repeat

Clock: TypeAlias = Callable[[int], float]  # does a piece of work so many times and returns the seconds of one


def in_turns(clocks: Mapping[str, Clock], repeats: int, settle: bool = False) -> dict[str, list[float]]:
    """Return the seconds of every repeat of every piece of work, by name.

    Each is done twice before, uncounted: to warm caches, and to see how often a repeat must do it to last `LEAST`
    seconds. Every other round goes through the work backwards.

    Parameters
    ----------
    settle : begin each turn with an uncounted call. What follows itself in real life, as a training step does, would
        otherwise pay for memory and caches that another piece has left.
    """
    for seconds in clocks.values():
        seconds(1)
    calls = {name: max(1, math.ceil(LEAST / max(seconds(1), 1e-9))) for name, seconds in clocks.items()}
    taken: dict[str, list[float]] = {name: [] for name in clocks}
    gc.disable()
    try:
        for repeat in range(repeats):
            for name in list(clocks)[:: -1 if repeat % 2 else 1]:
                if settle:
                    clocks[name](1)
                taken[name].append(clocks[name](calls[name]))
            gc.collect()
    finally:
        gc.enable()
    return taken


def clock(work: Callable[[], object]) -> Clock:
    """Return the clock of work in this process."""

    def seconds(calls: int) -> float:
        _wait()
        before = time.perf_counter()
        for _ in range(calls):
            work()
        _wait()
        return (time.perf_counter() - before) / calls

    return seconds


def _wait() -> None:
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


class Process(ProcessPoolExecutor):
    """A clock of work in a process of its own, which shares neither memory nor allocator with what it is compared to.

    Parameters
    ----------
    make : called there with ``given``, returns the work; a function of a module.
    copies : processes that do the same side by side; the slowest counts.
    """

    def __init__(self, make: Callable[..., Callable[[], object]], *given: object, copies: int = 1):
        context = multiprocessing.get_context("spawn")
        super().__init__(copies, context, _make, (make, given, context.Barrier(copies)))
        self.copies = copies
        for _ in range(copies):
            self.submit(abs, 0)  # starts a process now, while others start

    def __call__(self, calls: int) -> float:
        """Do the work so many times and return the seconds of one."""
        pending = [self.submit(_seconds, calls) for _ in range(self.copies)]
        return max(seconds.result() for seconds in pending)


_work: Callable[[], object]  # of this process, if it is a `Process`
_together: Barrier  # where it waits for its copies


def _make(make: Callable[..., Callable[[], object]], given: tuple[object, ...], together: Barrier) -> None:
    global _work, _together
    # What this process starts, such as the workers of a loader, starts as it would from the command line.
    multiprocessing.set_start_method(None, force=True)
    _work, _together = make(*given), together


def _seconds(calls: int) -> float:
    _together.wait()
    return clock(_work)(calls)
