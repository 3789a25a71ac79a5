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

Clock: TypeAlias = Callable[[int], float]  # does work as many times as it is told and returns the seconds of one time


def in_turns(clocks: Mapping[str, Clock], repeats: int, settle: bool = False) -> dict[str, list[float]]:
    """Return the seconds of every repeat of every piece of work, by name.

    Each is first done twice, uncounted: to warm caches, and to learn how often a repeat must do it to last `LEAST`
    seconds. Every other round goes through the work backwards.

    Parameters
    ----------
    settle : begin each turn with an uncounted call. Work that follows itself in real life, as a training step does,
        would otherwise pay for the memory and caches that other work left behind.
    """
    for seconds in clocks.values():
        seconds(1)
    calls = {name: max(1, math.ceil(LEAST / max(seconds(1), 1e-9))) for name, seconds in clocks.items()}
    timings: dict[str, list[float]] = {name: [] for name in clocks}
    gc.disable()
    try:
        for repeat in range(repeats):
            for name in list(clocks)[:: -1 if repeat % 2 else 1]:
                if settle:
                    clocks[name](1)
                timings[name].append(clocks[name](calls[name]))
            gc.collect()
    finally:
        gc.enable()
    return timings


def clock(work: Callable[[], object]) -> Clock:
    """Return the clock of work in this process."""

    def seconds(calls: int) -> float:
        _wait()
        started = time.perf_counter()
        for _ in range(calls):
            work()
        _wait()
        return (time.perf_counter() - started) / calls

    return seconds


def _wait() -> None:
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


class Process(ProcessPoolExecutor):
    """A clock of work in a process of its own, which shares neither memory nor allocator with what it is compared to.

    Parameters
    ----------
    make : a function of a module that returns the work; the process calls it with ``arguments``.
    copies : processes that do the same work side by side; the slowest counts.
    """

    def __init__(self, make: Callable[..., Callable[[], object]], *arguments: object, copies: int = 1):
        context = multiprocessing.get_context("spawn")
        super().__init__(copies, context, _make, (make, arguments, context.Barrier(copies)))
        self.copies = copies
        for _ in range(copies):
            self.submit(abs, 0)  # starts a process now, while others start

    def __call__(self, calls: int) -> float:
        """Do the work ``calls`` times and return the seconds of one."""
        pending = [self.submit(_seconds, calls) for _ in range(self.copies)]
        return max(seconds.result() for seconds in pending)


_work: Callable[[], object]  # of this process, if it is a `Process`
_barrier: Barrier  # where it waits for its copies


def _make(make: Callable[..., Callable[[], object]], arguments: tuple[object, ...], barrier: Barrier) -> None:
    global _work, _barrier
    # This process starts others, such as the workers of a loader, as it would from the command line.
    multiprocessing.set_start_method(None, force=True)
    _work, _barrier = make(*arguments), barrier


def _seconds(calls: int) -> float:
    _barrier.wait()
    return clock(_work)(calls)
