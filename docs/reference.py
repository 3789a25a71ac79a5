"""The parts of the manual that are generated from the code, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmark.methods.base import Recipe, TrainingRecipe
from benchmark.methods.contrastive import ContrastiveSettings
from benchmark.registry import ARCHITECTURES, METHODS, SOURCES, Registry
from benchmark.study.kinds import KINDS
from benchmark.study.schema import accepted, default_of, mappings
from benchmark.study.study import Study

DOCS = Path(__file__).parent
MARK = re.compile(r"<!-- generated: ([a-z-]+) -->")


def filled(text: str) -> str:
    """Return a page's text with every mark ``<!-- generated: NAME -->`` replaced by the generated part."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), text)


# --- settings -----------------------------------------------------------------------------------------------------


def settings(model: Any, without: Any = None) -> str:
    """Return a table of a model's settings: name, accepted values, default, meaning.

    Parameters
    ----------
    without : a model whose settings are left out where they are the same.
    """
    schema = model.model_json_schema(by_alias=True)
    common = without.model_json_schema(by_alias=True)["properties"] if without else {}
    rows = []
    for name, setting in schema["properties"].items():
        if common.get(name) == setting:
            continue
        paper = f"{setting['paper_range'][0]:g} to {setting['paper_range'][1]:g}" if "paper_range" in setting else ""
        search = f"{setting['search']['low']:g} to {setting['search']['high']:g}" if "search" in setting else ""
        meaning = _escaped(setting.get("description", ""))
        rows.append([f"`{name}`", accepted(setting), default_of(setting), paper, search, meaning])
    head = ["setting", "accepted", "default", "the paper searched", "`tune` searches", "meaning"]
    if not any(row[3] for row in rows):
        head, *rows = ([*line[:3], line[-1]] for line in (head, *rows))
    return table(head, rows) if rows else "No settings beside the common ones.\n"


def study_settings() -> str:
    """Return the reference of a study file: a table for it and one for each of the mappings below it."""
    sections = [f"### The file\n\n{_summary(Study)}\n\n{settings(Study)}"]
    for model, positions in mappings(Study).items():
        title = " and ".join(f"`{position}`" for position in positions)
        sections.append(f"### {title}\n\n{_summary(model)}\n\n{settings(model)}")
    return "\n".join(sections)


def kinds() -> str:
    """Return the kinds of tables and figures, with the settings that each needs."""
    rows = []
    for section, entries in KINDS.items():
        for name, kind in entries.items():
            needs = ", ".join(f"`{need}`" for need in kind.needs)
            source = "samples and history" if kind.shows_results else "settings"
            source = (
                f"weights ({kind.derives})" if kind.derives else "gathered results" if kind.from_gathered else source
            )
            source = "gathered results, of several studies" if kind.of_studies else source
            rows.append([section[:-1], f"`{name}`", kind.description, needs, source, "yes" if kind.reported else ""])
    return table(
        ["", "kind", "shows", "must not be empty", "drawn from the runs'", "also beside the paper's numbers"], rows
    )


# --- what is registered -------------------------------------------------------------------------------------------


def methods() -> str:
    """Return a section for every method: its docstring, that of its module, and the settings it adds."""
    sections = []
    for name in METHODS:
        method = METHODS.get(name)
        common = Recipe if method.starts_from_original else TrainingRecipe
        variant = "`+cl` may be added." if method.contrastive else ""
        parts = [f"### {name}", f"**{_summary(method)}** {variant}", _text(inspect.getmodule(method))]
        sections.append("\n\n".join([*parts, settings(method.Settings, common)]))
    return "\n".join(sections)


def recipe() -> str:
    """Return the settings that every unlearning method has."""
    return settings(Recipe)


def training_recipe() -> str:
    """Return the settings in which Original and Retrain differ from unlearning methods."""
    return settings(TrainingRecipe, Recipe)


def contrastive() -> str:
    """Return the settings that ``+cl`` adds."""
    return settings(ContrastiveSettings)


def architectures() -> str:
    """Return the architectures, each with its description."""
    return _registered("architecture", ARCHITECTURES)


def sources() -> str:
    """Return the data sources, each with its description."""
    return _registered("source", SOURCES)


def _registered(kind: str, registry: Registry) -> str:
    rows = [
        [f"`{name}`", _summary(inspect.getmodule(registry.get(name))), _summary(registry.get(name))]
        for name in registry
    ]
    return table([kind, "where it is from", "what it returns"], rows)


# --- commands -----------------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the commands of ``python -m benchmark``, with the arguments and options of each."""
    import typer

    from benchmark.__main__ import app

    group: Any = typer.main.get_command(app)
    rows = []
    for name, command in group.commands.items():
        pieces = command.collect_usage_pieces(command.make_context(name, [], resilient_parsing=True))
        arguments = [re.sub("[{}]", "", piece).upper() for piece in pieces if piece != "[OPTIONS]"]
        options = [option for option in command.params if option.param_type_name == "option" and not option.hidden]
        words = [name, *arguments, *(f"[{option.opts[0]}]" for option in options if option.name != "help")]
        # Examples, which follow a line with \b, are for terminals.
        paragraphs = [part for part in (command.help or "").split("\n\n") if not part.startswith("\b")]
        rows.append([f"`{' '.join(words)}`", " ".join(" ".join(paragraphs).split())])
    return table(["command", "what it does"], rows)


def other_pages() -> str:
    """Return the pages that the table of contents does not list."""
    listed = set((DOCS / "index.md").read_text(encoding="utf-8").split())
    return "\n".join(sorted(page.stem for page in DOCS.glob("*.md") if page.stem not in {*listed, "index"}))


# --- Markdown -----------------------------------------------------------------------------------------------------


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table; bars within an entry are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(" ".join(entry.split()).replace("|", r"\|") for entry in line) + " |\n" for line in lines
    )


def _text(documented: Any) -> str:
    """Return a docstring as Markdown."""
    return _escaped(re.sub(r"``([^`]+)``", r"`\1`", inspect.getdoc(documented) or ""))


def _escaped(text: str) -> str:
    """Escape characters outside code that Markdown would read as markup."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[])", r"\\\1", part) for part in parts)


def _summary(documented: Any) -> str:
    """Return the first paragraph of a docstring as Markdown."""
    return _text(documented).split("\n\n")[0]


PARTS: dict[str, Callable[[], str]] = {
    "study-settings": study_settings,
    "kinds": kinds,
    "methods": methods,
    "recipe": recipe,
    "training-recipe": training_recipe,
    "contrastive": contrastive,
    "architectures": architectures,
    "sources": sources,
    "commands": commands,
    "other-pages": other_pages,
}
