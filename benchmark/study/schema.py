"""The JSON schema of a study file, for editors; a test compares it with ``config/schema.json``."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from benchmark.methods.base import GROUPS
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import name_with_term
from benchmark.registry import METHODS
from benchmark.study.kinds import KINDS
from benchmark.study.study import Study

BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def schema() -> str:
    """Return the schema as JSON text: the study's models, and under hyperparameters each method's own settings."""
    form: dict[str, Any] = Study.model_json_schema()
    form["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    form["title"] = "Study"
    form["properties"]["extends"] = {"type": "string", "description": "a study whose settings this one starts from"}
    recipes = dict(GROUPS)
    for name in METHODS:
        method = METHODS.get(name)
        recipes[name] = method.Settings
        if method.contrastive:
            recipes[name_with_term(name)] = with_contrastive_term(method).Settings
    settings = {name: recipe.model_json_schema() for name, recipe in recipes.items()}
    for model in (form, *form["$defs"].values(), *settings.values()):  # a study need not repeat what it inherits
        model.pop("required", None)
    form["properties"]["hyperparameters"]["additionalProperties"] = {
        "type": "object",
        "properties": settings,
        # Plugins bring methods that this file cannot know.
        "additionalProperties": {"type": "object"},
    }
    kinds: dict[str, list[str]] = {}
    for section, entries in KINDS.items():
        for name, kind in entries.items():
            kinds.setdefault(name, []).append(f"{section[:-1]}: {kind.description}")
    form["$defs"]["OutputSettings"]["properties"]["kind"] |= {
        "description": "what is drawn",
        "oneOf": [{"const": name, "description": "; ".join(shows)} for name, shows in kinds.items()],
    }
    return json.dumps(form, indent=1) + "\n"


def accepted(setting: dict[str, Any]) -> str:
    """Return in words which values a setting accepts, from its JSON schema."""
    if "$ref" in setting or "allOf" in setting:
        return "a mapping, see below"
    if "anyOf" in setting:
        return " or ".join(map(accepted, setting["anyOf"]))
    if "enum" in setting or "const" in setting:
        return ", ".join(f"`{value}`" for value in setting.get("enum", [setting.get("const")]))
    kind = setting.get("type")
    if kind in ("integer", "number"):
        bounds = [f"{word} {setting[key]:g}" for key, word in BOUNDS.items() if key in setting]
        return f"{'whole number' if kind == 'integer' else 'number'} {' and '.join(bounds)}".strip()
    if kind == "array":
        return f"list of: {accepted(setting['items'])}"
    if kind == "object":
        return "mapping"
    if kind == "string" and "pattern" in setting:
        return f"text matching `{setting['pattern']}`"
    return {"string": "text", "boolean": "`true`, `false`", "null": "`null`"}[str(kind)]


def default_of(setting: dict[str, Any]) -> str:
    """Return a setting's default as a study file would have it: empty if it is, or a mapping's; or 'required'."""
    if "default" not in setting:
        return "required"
    value = setting["default"]
    return "" if isinstance(value, dict) or value in ([], "") else f"`{json.dumps(value)}`".replace('"', "")


def mappings(model: Any, prefix: str = "") -> dict[Any, list[str]]:
    """Return the models within a model, each with its paths, such as ``datasets.NAME.augmentation``."""
    paths_of: dict[Any, list[str]] = {}
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                path = prefix + name + (".NAME" if get_origin(field.annotation) is dict else "")
                for inner, paths in {kind: [path], **mappings(kind, f"{path}.")}.items():
                    paths_of.setdefault(inner, []).extend(paths)
    return paths_of
