"""Commands for authors: start a plugin, test a method, make the leaderboard, score the predictions of other code."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmark import paths
from benchmark.commands.app import app, argument, choice, complete_study, read, require_top
from benchmark.commands.jobs import run, table
from benchmark.errors import BadInput, StaleOutput
from benchmark.registry import WORD

New = StrEnum("New", ["method", "dataset", "architecture", "audit"])
Plugins = typer.Option("--plugin", metavar="FILE", help="the module or .py file with the method; may be repeated")
Compared = typer.Option("--study", metavar="STUDY", autocompletion=complete_study, help="the study to compare with")
Name = typer.Option("--name", metavar="NAME", help="the name of the method  [default: the folder's]")


@app.command()
def new(
    kind: Annotated[New, choice("what to start: a method, a dataset, an architecture or an audit", "KIND", New)],
    name: Annotated[str, argument("its name, such as my-method", "NAME")],
) -> None:
    """Write a plugin to start from.

    A study that uses it and a test come with it. All three work as they are.
    """
    from benchmark.study.new_plugin import write

    require_top()
    plugin, study, test = write(kind, name)
    print(f"{plugin}, {study} and {test} are written. Edit the first, then run")
    if kind == New.method:
        print(f"  python -m benchmark test {name} --plugin {plugin}    to see which promises of a method it keeps")
    print(f"  python -m pytest {test}    to test it (needs pip install -e '.[test]')")
    print(f"  snakemake --cores {os.cpu_count()} all --config study={name}    to compare it")


@app.command()
def test(
    method: Annotated[str, argument("the method, such as ft or my-method", "METHOD")],
    plugin: Annotated[list[str], Plugins] = [],  # noqa: B006 (never changed)
) -> None:
    """Test whether a method keeps its promises.

    It must repeat and resume bit for bit, load no held-out data, and run in bfloat16. The test takes a few seconds.

    The exit status is 1 if a promise is broken.
    """
    from benchmark.contract.miniature import NAME
    from benchmark.contract.promises import examine
    from benchmark.names import MethodName
    from benchmark.registry import METHODS
    from benchmark.study import plugins

    plugins.load(plugin, "--plugin")  # first, so that their methods are suggested for a misspelt name
    name = MethodName.parse(method, "METHOD")
    if plugin and name.base not in METHODS and not any(map(METHODS.code, METHODS)):
        remedy = f'accepted is a class below @METHODS.register("{name.base}")'
        raise BadInput(f"--plugin: {', '.join(plugin)} registers no method: {remedy}")
    try:
        plugins.method_class(name, "METHOD")
    except BadInput as error:
        own = "" if plugin or name.base in METHODS else "; one of yours needs --plugin FILE"
        raise BadInput(f"{error}{own}") from None
    try:
        findings = examine(method, plugin)
    except BadInput as error:  # the study in which it is tested has no file that a message could name
        raise BadInput(str(error).replace(f"{paths.study_file(NAME)}: tables.table: ", "METHOD: ", 1)) from None
    for promise, breach, untested in findings:
        state = "broken" if breach else "not tested" if untested else "kept"
        print(f"{state:10}  {promise}", *([f"{'':12}{breach or untested}"] if breach or untested else []), sep="\n")
    raise typer.Exit(int(any(finding.instead for finding in findings)))


@app.command()
def leaderboard(
    study: Annotated[str | None, argument("a study whose results are gathered", "STUDY", complete_study)] = None,
) -> None:
    """Make the leaderboard from the rows of its methods.

    With a study, its rows and settings are first copied to its methods' folders, paper_tables/leaderboard/METHOD/.
    """
    from benchmark.report.leaderboard import refresh, write_board

    print(*(refresh(read(study)) if study else [write_board()]), sep="\n")


@app.command()
def score(
    folder: Annotated[Path, argument("the folder with trial-0.parquet, trial-1.parquet and so on", "FOLDER")],
    cell: Annotated[str, argument("the cell of the predictions, such as digits/convnet/random-10", "CELL")],
    study: Annotated[str, Compared] = "quick",
    name: Annotated[str | None, Name] = None,
) -> None:
    """Score the predictions of any other code.

    They are compared with a study's Retrain, beside its methods.

    A trial's file has a row for each training and test image: index, split, label, prediction, and loss or margin. The
    command writes the study config/NAME.yaml and draws a table of gaps and, with a file for every trial, one of audits.
    """
    from benchmark.results.predictions import check_files
    from benchmark.study.new_study import write_scored

    name = name or folder.resolve().name
    if not re.fullmatch(WORD, name):
        raise BadInput(f"--name {name!r}: accepted are lower-case words and digits joined by '-'")
    known = paths.study_file(name).is_file()
    file = write_scored(folder, study, cell, name)
    try:
        scored = read(name)
        check_files(scored)
        for scored_run in scored.runs():
            if scored_run.name.method == name:
                run(name, str(scored_run.name))
    except BaseException:
        if not known:  # so that the command can be given again with other files
            file.unlink()
        raise
    print(f"{file} is written")
    if "audit" not in scored.tables:
        print("no table of audits: it needs a file for every trial of the study")
    try:
        for output in scored.tables:
            table(name, output)
    except StaleOutput as error:
        remedy = f"'snakemake --cores {os.cpu_count()} all --config study={name}' trains it and draws the tables"
        raise StaleOutput(f"{error}: {remedy}") from None
    print(paths.table(name, "comparison", ".md").read_text(encoding="utf-8"))
