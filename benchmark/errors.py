"""Errors that a user's input can cause, and the wording of what is printed."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path


class BadInput(Exception):
    """Invalid input: the message is one line that names the value, its place and what is accepted.

    The command line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        # Names come from files and command lines: line breaks and terminal control sequences are escaped.
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in super().__str__())


class StaleOutput(BadInput):
    """A file on disk that is missing, damaged, or not of the study as it now stands."""


class DamagedFile(StaleOutput):
    """A file that is not what was written. Readers leave it in place; `benchmark.files.repairing` sets it aside."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is damaged: {problem}")
        self.path, self.problem = path, problem


class IncompletePlugin(BadInput):
    """A method, architecture or data source that does not meet its contract."""


def unknown(kind: str, value: object, accepted: Iterable[str], where: str) -> BadInput:
    """Return the error for a value outside a closed list, with a suggestion where one is close.

    ``kind`` names what was expected, such as ``"method"``; ``where`` the file and key, or part of the command line.
    """
    accepted = sorted(set(accepted))
    close = closest(str(value), accepted)
    hint = f"; did you mean {close!r}?" if close else "."
    return BadInput(f"{where}: unknown {kind} {str(value)!r}{hint} Accepted: {', '.join(accepted) or 'none'}")


def line_of(error: BaseException, module: str) -> str:
    """Return in parentheses the last line of a plugin's module that an error passed through; empty if there is none."""
    lines = [
        line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_globals.get("__name__") == module
    ]
    return f" (line {lines[-1]})" if lines else ""


def fault_of(error: BaseException, module: str) -> str:
    """Return an error's type and message, and where in a plugin's module it arose: see `line_of`."""
    return f"{type(error).__name__}: {error}{line_of(error, module)}"


def number_of(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def some_of(items: Sequence[object], most: int = 5, between: str = ", ") -> str:
    """Join the first of the items, and say how many more there are: ``a, b and 2 more``."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(map(str, items[:most])) + more


def in_columns(rows: Sequence[Sequence[str]], numbers: bool = False) -> list[str]:
    """Return rows of text as lines of aligned columns; with ``numbers``, all but the first are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    forms = [f"{'>' if numbers and place else '<'}{width}" for place, width in enumerate(widths)]
    return ["  ".join(map(format, row, forms)).rstrip() for row in rows]


def closest(text: str, accepted: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the accepted text most similar to ``text``; None if none reaches ``cutoff``, between 0 and 1."""
    return next(iter(difflib.get_close_matches(text, accepted, n=1, cutoff=cutoff)), None)
