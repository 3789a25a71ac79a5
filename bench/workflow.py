"""The quick study from nothing to all its tables and figures on two cores, and planning the paper study."""

from __future__ import annotations

import os
from unittest import mock

from bench.project import project
from bench.rows import Options, Row, timed
from benchmark.commands import warm


def rows(options: Options) -> list[Row]:
    """Return a row for the quick study, run once, one for the same again, and one for a dry run of the paper study."""
    measured = []
    with project() as fresh:
        if not options.short:
            whole, again = fresh.workflow("quick", "all"), fresh.workflow("quick", "all")
            with project() as other, mock.patch.dict(os.environ, {warm.SERVER: "off"}):
                apart = other.workflow("quick", "all")
            seconds = {"ours": whole, "reference": apart}
            measured.append(timed("quick study, all, 2 cores, once", seconds, wanted=["ours ≤ 240"]))
            measured.append(timed("the same again: nothing to be done", {"ours": again}))
        study = "quick" if options.short else "paper"
        dry = fresh.workflow(study, "all", "-n", "--quiet", repeats=options.repeats)
    return [*measured, timed(f"dry run of the {study} study, all", {"ours": dry}, wanted=["ours ≤ 10"])]
