"""The one place that sets files aside: what is damaged is renamed, so that the workflow makes it again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from benchmark.errors import DamagedFile, StaleOutput
from benchmark.files import set_aside


@contextlib.contextmanager
def repairing() -> Iterator[None]:
    """Set the file aside that something inside finds damaged, and raise `StaleOutput` that says so.

    The jobs of the workflow and ``verify`` run inside of this; whoever only looks does not.
    """
    try:
        yield
    except DamagedFile as error:
        if not error.path.exists():
            raise
        raise StaleOutput(f"{error}; set aside as {set_aside(error.path)}: run snakemake again") from None
