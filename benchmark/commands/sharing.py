"""Commands for sharing results: merge pools, compare two results, show and cite what is behind a number."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark import paths
from benchmark.commands.app import WithoutImages, app, argument, flag, require_top

ComparisonFormat = StrEnum("ComparisonFormat", ["text", "markdown", "csv", "json"])
FactsFormat = StrEnum("FactsFormat", ["text", "json"])
KeepBoth = typer.Option(
    "--keep-both", metavar="NAME", help="keep runs that differ from those here in results/others/NAME, not in tables"
)


@app.command()
def merge(
    folders: Annotated[list[Path], argument("other checkouts, or their results folders", "FOLDER")],
    keep_both: Annotated[str, KeepBoth] = "",
    dry_run: Annotated[bool, flag("--dry-run", "only say what would be added")] = False,
) -> None:
    """Merge runs of other checkouts and machines into this one. Nothing here is overwritten.

    Every file is verified first. Runs with equal settings and unequal results are refused, all in one message, before
    anything is copied. The exit status is 1 if something was damaged and therefore left out.
    """
    from benchmark.workflow.merge import merge

    require_top()
    text, complete = merge(folders, keep_both, dry_run)
    print(text)
    raise typer.Exit(int(not complete))


@app.command()
def compare(
    first: Annotated[str, argument("STUDY, STUDY@COMMIT or STUDY@FOLDER; with --study a method", "A")],
    second: Annotated[str, argument("the same, or @COMMIT or FOLDER alone, for the study of A; or a method", "B")],
    study: Annotated[str, typer.Option(metavar="STUDY", help="compare two methods, A and B, within this study")] = "",
    form: Annotated[ComparisonFormat, typer.Option("--format", help="the output format")] = ComparisonFormat.text,
    exact: Annotated[bool, flag("--exact", "count every run that is not identical as a difference")] = False,
) -> None:
    """Compare two results, trial by trial. They may be of two studies, commits, checkouts, machines or methods.

    \b
    compare quick my-study               two studies
    compare quick @HEAD~1                a study as it stands, and as a commit has its gathered results
    compare quick ../other-checkout      the same study in another folder
    compare --study quick coun ft        two methods of a study; STUDY@COMMIT and STUDY@FOLDER are accepted too

    A difference counts if it exceeds the noise between two Retrains over as many trials and, besides, its 95 %
    interval over trials excludes 0, or it is the same in all trials. The exit status is 0 without a difference, 1 with
    one, and 2 if the input is wrong.
    """
    from benchmark.report.comparison import Comparison
    from benchmark.results.sides import read_sides, within

    sides = within(study, first, second) if study else read_sides(first, second)
    comparison = Comparison(*sides, of_methods=bool(study))
    print(comparison.written(form))
    raise typer.Exit(int(not comparison.exact if exact else comparison.data["differs"].any()))


Named = Annotated[
    list[str], argument("a run's folder, fingerprint or name; or STUDY RUN, STUDY TABLE or STUDY TABLE METHOD", "WHAT")
]


@app.command()
def show(
    what: Named, form: Annotated[FactsFormat, typer.Option("--format", help="the output format")] = FactsFormat.text
) -> None:
    """Show everything behind a number. It shows settings, seeds, commit, versions, hardware, files and the command.

    \b
    show digits/convnet/random-10/coun/trial-0      a run by its name, or its folder or fingerprint
    show quick table2 coun                          the runs behind a method's row
    show quick table2                               what a table or figure is drawn from
    """
    import json

    from benchmark.report import cite
    from benchmark.results.provenance import behind

    runs = behind(what)
    print(cite.text(runs) if form == FactsFormat.text else json.dumps(cite.data(runs), indent=1))


@app.command()
def cite(what: Named) -> None:
    """Cite a run or a table in BibTeX. The paper, the software and the methods have entries as well."""
    from benchmark.report.cite import bibtex
    from benchmark.results.provenance import behind

    print(bibtex(behind(what)))


@app.command()
def overview(without_images: WithoutImages = False) -> None:
    """Write a page on all studies with results. It is figures/index.html, and needs neither server nor network."""
    from benchmark.report.overview import draw_overview

    print(draw_overview(paths.studies(), images=not without_images))
