"""The one kind of error that a user's input can cause, and how its message is worded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BadInput(Exception):
    """Input that cannot be accepted: the message is one line that names the value, its place and what is accepted.

    The command line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        # Names come from files and command lines: neither a line break nor a terminal's control sequence passes.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in super().__str__())


class StaleOutput(BadInput):
    """A file on disk that does not belong to the study as it stands now, or that is damaged."""


class DamagedFile(StaleOutput):
    """A file that is not what was written. Readers leave it where it is; `benchmark.files.repairing` sets it aside."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is damaged: {problem}")
        self.path, self.problem = path, problem


class IncompletePlugin(BadInput):
    """A method, an architecture or a data source that is not what the contract asks for."""


def unknown(what: str, value: object, accepted: Iterable[str], where: str) -> BadInput:
    """Return the error for a value outside a closed list, with a suggestion where one is close.

    ``what`` is the kind of thing, such as ``"method"``; ``where`` the file and key, or the part of the command line.
    """
    accepted = sorted(set(accepted))
    close = closest(str(value), accepted)
    hint = f"; did you mean {close!r}?" if close else "."
    return BadInput(f"{where}: unknown {what} {str(value)!r}{hint} Accepted: {', '.join(accepted) or 'none'}")


def closest(text: str, accepted: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return what is most like ``text`` among what is accepted, or None if nothing is as like as ``cutoff``, of 1."""
    return next(iter(difflib.get_close_matches(text, accepted, n=1, cutoff=cutoff)), None)
