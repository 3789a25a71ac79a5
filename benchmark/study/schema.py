"""The JSON schema of a study file, for editors; a test compares it with ``config/schema.json``."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from benchmark.methods.base import GROUPS
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import MethodName
from benchmark.registry import METHODS
from benchmark.study.kinds import KINDS
from benchmark.study.study import Study


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
            recipes[MethodName(name, True, ()).head] = with_contrastive_term(method).Settings
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
