"""What all commands share: the application, common arguments and options, and how a study is named and read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark import __version__, paths
from benchmark.errors import BadInput, unknown

if TYPE_CHECKING:
    from benchmark.study.study import Study

app = typer.Typer(
    help="Compare machine unlearning methods with Retrain. Snakemake runs these commands; so can you.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def argument(text: str, metavar: str | None = None, complete: Any = None) -> Any:
    """Return an argument with its help; ``complete`` tells the shell how to complete what was typed."""
    return typer.Argument(help=text, metavar=metavar, autocompletion=complete)


def choice(text: str, metavar: str, accepted: type[StrEnum]) -> Any:
    """Return an argument that takes one of a few words; another word is refused with a suggestion."""
    words = [str(word) for word in accepted]

    def parse(given: str) -> StrEnum:
        if given not in words:
            raise unknown("word", given, words, metavar)
        return accepted(given)

    return typer.Argument(help=text, metavar=metavar, parser=parse, autocompletion=lambda: words)


def flag(name: str, text: str) -> Any:
    """Return an option with its help."""
    return typer.Option(name, help=text)


def complete_study(incomplete: str) -> list[str]:
    """Return the studies whose names begin with what was typed."""
    return [name for name in paths.studies() if name.startswith(incomplete)]


def complete_output(context: typer.Context, incomplete: str) -> list[str]:
    """Return the study's tables, or for the command ``figure`` its figures, that begin with what was typed."""
    study = read(context.params["study"])
    outputs = study.figures if context.info_name == "figure" else study.tables | study.versus_tables
    return [name for name in outputs if name.startswith(incomplete)]


StudyName = Annotated[str, argument("the study, config/STUDY.yaml", "STUDY", complete_study)]
WithoutImages = Annotated[bool, flag("--without-images", "leave out the images, and write index.without-images.html")]
Listing = StrEnum(
    "Listing", ["studies", "outputs", "methods", "architectures", "datasets", "sources", "audits", "kinds", "settings"]
)
TERMINATED = 143  # 128 + SIGTERM


def read(name: str) -> Study:
    """Read and check a study."""
    from benchmark.study.study import Study

    return Study.load(name)


def require_top() -> None:
    """Raise `BadInput` unless this is the top of a checkout: elsewhere nobody would look for what is written."""
    if not paths.CONFIG.is_dir():
        raise BadInput(f"no folder {paths.CONFIG} here: accepted is a checkout, at its top")


def _version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


Version = typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")


@app.callback()
def _options(version: Annotated[bool, Version] = False) -> None:
    pass
