"""The parts of the manual that are generated from the code, as Markdown."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmark.methods.base import Recipe, TrainingRecipe
from benchmark.methods.contrastive import ContrastiveSettings
from benchmark.registry import ARCHITECTURES, METHODS, SOURCES, Registry
from benchmark.study.outputs import KINDS
from benchmark.study.schema import mappings
from benchmark.study.study import Study

DOCS = Path(__file__).parent
MARK = re.compile(r"<!-- generated: ([a-z-]+) -->")


def filled(text: str) -> str:
    """Return a page's text with every mark ``<!-- generated: NAME -->`` replaced by what is generated for it."""
    return MARK.sub(lambda mark: PARTS[mark[1]](), text)


# --- settings -----------------------------------------------------------------------------------------------------


def settings(model: Any, without: Any = None) -> str:
    """Return a table of a model's settings: name, accepted values, default, meaning.

    Parameters
    ----------
    without : a model whose settings are left out where they are the same.
    """
    told = model.model_json_schema(by_alias=True)
    known = without.model_json_schema(by_alias=True)["properties"] if without else {}
    required = set(told.get("required", []))
    rows = []
    for name, one in told["properties"].items():
        if known.get(name) == one:
            continue
        default = "required" if name in required else _default(one)
        paper = f"{one['paper_range'][0]:g} to {one['paper_range'][1]:g}" if "paper_range" in one else ""
        search = f"{one['search']['low']:g} to {one['search']['high']:g}" if "search" in one else ""
        meaning = _escaped(one.get("description", ""))
        rows.append([f"`{name}`", accepted(one, told.get("$defs", {})), default, paper, search, meaning])
    head = ["setting", "accepted", "default", "the paper searched", "`tune` searches", "meaning"]
    if not any(row[3] for row in rows):
        head, *rows = ([*line[:3], line[-1]] for line in (head, *rows))
    return table(head, rows) if rows else "No settings beside the common ones.\n"


def accepted(one: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say in words which values a property of a JSON schema accepts."""
    if "$ref" in one or "allOf" in one:
        return "a mapping, see below"
    if "anyOf" in one:
        return " or ".join(accepted(option, definitions) for option in one["anyOf"])
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    kind = one.get("type")
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(one)
    if kind == "array":
        return f"list of: {accepted(one['items'], definitions)}"
    if kind == "object":
        return "mapping"
    if kind == "string" and "pattern" in one:
        return f"text matching `{one['pattern']}`"
    return {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}[str(kind)]


def _bounds(one: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    found = [f"{word} {one[key]:g}" for key, word in words.items() if key in one]
    return f" {' and '.join(found)}" if found else ""


def _default(one: dict[str, Any]) -> str:
    value = one.get("default")
    if isinstance(value, dict) or value in ([], ""):
        return ""
    return f"`{json.dumps(value)}`".replace('"', "")


def study_settings() -> str:
    """Return the reference of a study file: a table for it and one for each of the mappings below it."""
    sections = [f"### The file\n\n{_first(Study)}\n\n{settings(Study)}"]
    for model, places in mappings(Study).items():
        where = " and ".join(f"`{place}`" for place in places)
        sections.append(f"### {where}\n\n{_first(model)}\n\n{settings(model)}")
    return "\n".join(sections)


def kinds() -> str:
    """Return the kinds of tables and figures, with what each must be told."""
    rows = []
    for section, entries in KINDS.items():
        for name, kind in entries.items():
            needs = ", ".join(f"`{need}`" for need in kind.needs)
            made = "samples and history" if kind.results else "settings"
            made = f"weights ({kind.derives})" if kind.derives else "gathered results" if kind.gathered else made
            made = "gathered results, of several studies" if kind.of_studies else made
            rows.append([section[:-1], f"`{name}`", kind.shows, needs, made, "yes" if kind.reported else ""])
    return table(
        ["", "kind", "shows", "must not be empty", "drawn from the runs'", "also beside the paper's numbers"], rows
    )


# --- what is registered -------------------------------------------------------------------------------------------


def methods() -> str:
    """Return a section for every method: its file's docstring, its own, and the settings that it adds."""
    sections = []
    for name in METHODS:
        method = METHODS.get(name)
        common = Recipe if method.starts_from_original else TrainingRecipe
        takes = "`+cl` may be added." if method.contrastive else ""
        told = [f"### {name}", f"**{_first(method)}** {takes}", _text(inspect.getmodule(method))]
        sections.append("\n\n".join([*told, settings(method.Settings, common)]))
    return "\n".join(sections)


def recipe() -> str:
    """Return the settings that every unlearning method has."""
    return settings(Recipe)


def training_recipe() -> str:
    """Return where Original and Retrain differ from them."""
    return settings(TrainingRecipe, Recipe)


def contrastive() -> str:
    """Return the settings that ``+cl`` adds."""
    return settings(ContrastiveSettings, Recipe)


def architectures() -> str:
    """Return the architectures, with what each is."""
    return _registered("architecture", ARCHITECTURES)


def sources() -> str:
    """Return the data sources, with what each is."""
    return _registered("source", SOURCES)


def _registered(what: str, registry: Registry) -> str:
    rows = [
        [f"`{name}`", _first(inspect.getmodule(registry.get(name))), _first(registry.get(name))] for name in registry
    ]
    return table([what, "where it is from", "what it returns"], rows)


# --- commands -----------------------------------------------------------------------------------------------------


def commands() -> str:
    """Return the commands of ``python -m benchmark``, with the arguments and options of each."""
    import typer

    from benchmark.__main__ import app

    group: Any = typer.main.get_command(app)
    rows = []
    for name, command in group.commands.items():
        pieces = command.collect_usage_pieces(command.make_context(name, [], resilient_parsing=True))
        options = [f"[{one.opts[0]}]" for one in command.params if one.param_type_name == "option"]
        words = [
            name,
            *(re.sub("[{}]", "", piece).upper() for piece in pieces if piece != "[OPTIONS]"),
            *(o for o in options if o != "[--help]"),
        ]
        # Examples, which a line with \b precedes, are for terminals.
        about = [part for part in (command.help or "").split("\n\n") if not part.startswith("\b")]
        rows.append([f"`{' '.join(words)}`", " ".join(" ".join(about).split())])
    return table(["command", "what it does"], rows)


def other_pages() -> str:
    """Return the pages that the table of contents does not name."""
    named = set((DOCS / "index.md").read_text(encoding="utf-8").split())
    return "\n".join(sorted(page.stem for page in DOCS.glob("*.md") if page.stem not in {*named, "index"}))


# --- Markdown -----------------------------------------------------------------------------------------------------


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table; what would end a cell early is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in line) + " |\n" for line in lines
    )


def _text(thing: Any) -> str:
    """Return a docstring as Markdown."""
    return _escaped(re.sub(r"``([^`]+)``", r"`\1`", inspect.getdoc(thing) or ""))


def _escaped(text: str) -> str:
    """Escape, outside code, what Markdown would take for its own."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[])", r"\\\1", part) for part in parts)


def _first(thing: Any) -> str:
    return _text(thing).split("\n\n")[0]


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
