"""Sharing results: pools put together, two results side by side, and all that is behind a number."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.app import app, argument, flag

Beside = typer.Option(
    "--keep-both", metavar="NAME", help="keep runs that differ from those here in results/others/NAME, not in tables"
)


@app.command()
def merge(
    folders: Annotated[list[Path], argument("other checkouts, or their results folders", "FOLDER...")],
    keep_both: Annotated[str, Beside] = "",
    dry_run: Annotated[bool, flag("--dry-run", "only say what would be added")] = False,
) -> None:
    """Take the runs of other checkouts and machines into this one. Nothing here is overwritten.

    Every file is verified first. Runs of equal settings with unequal results are refused, all of them in one message,
    before anything is copied. The exit status is 1 if something there is damaged, and so left out.
    """
    from benchmark.workflow.merge import merge

    text, whole = merge(folders, keep_both, dry_run)
    print(text)
    raise typer.Exit(int(not whole))
