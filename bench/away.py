"""Work that is timed in a process of its own: it shares neither memory nor allocator with what it is compared to."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from bench.timing import clocked

Pieces = Mapping[str, Callable[[], object]]


@dataclass(frozen=True)
class Away:
    """A piece of work in another process; what it is asked is done there, and the answer waited for."""

    name: str
    connection: Connection

    def clocked(self, calls: int) -> float:
        """Do the work so many times and return the seconds of one."""
        return float(self._ask(calls))

    def get(self, attribute: str) -> Any:
        """Return an attribute of the piece of work, such as how many images it goes through."""
        return self._ask(attribute)

    def _ask(self, what: int | str) -> Any:
        self.connection.send((self.name, what))
        try:
            return self.connection.recv()
        except EOFError:
            raise RuntimeError(f"the process that does {self.name} ended; it said why above") from None


@contextlib.contextmanager
def process(make: Callable[..., Pieces], *given: object, wait: Callable[[], None]) -> Iterator[dict[str, Away]]:
    """Let another process make pieces of work, and end it on leaving.

    Parameters
    ----------
    make : called there with ``given``; a function of a module.
    wait : called there before a clock is read.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_serve, args=(there, make, given, wait))
    child.start()
    there.close()
    try:
        try:
            names = here.recv()
        except EOFError:
            raise RuntimeError("the process could not make its work; it said why above") from None
        yield {name: Away(name, here) for name in names}
    finally:
        here.close()
        child.join()


def _serve(
    connection: Connection, make: Callable[..., Pieces], given: tuple[object, ...], wait: Callable[[], None]
) -> None:
    # What this process starts, such as the workers of a loader, starts as it would from the command line.
    multiprocessing.set_start_method(None, force=True)
    pieces = make(*given)
    connection.send(list(pieces))
    with contextlib.suppress(EOFError):
        while True:
            name, what = connection.recv()
            if isinstance(what, str):
                connection.send(getattr(pieces[name], what))
            else:
                connection.send(clocked(pieces[name], what, wait))
