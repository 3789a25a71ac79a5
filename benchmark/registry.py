"""From names to code: the methods, architectures, data sources and own audits that a study can name.

A registry holds names and where their code is, and imports no code that needs torch: reading a study, drawing a table
or planning a workflow imports no deep-learning library. Built-in entries are registered by their package; further ones
come from the modules a study lists under ``plugins`` and from installed packages, by the entry-point group
``unlearning_benchmark.plugins``.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tokenize
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import BadInput, fault_of, unknown
from benchmark.stamp import source_digest

WORD = r"[a-z0-9]+(?:-[a-z0-9]+)*"
COLOUR = "#[0-9A-Fa-f]{6}"
LABEL = "one line of text that is not empty and does not begin with '_', as no legend shows such a label"
ENTRY_POINTS = "unlearning_benchmark.plugins"


class Registry:
    """An ordered map from a name to an object, or to ``"module:attribute"``, which is imported on first use."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.labels: dict[str, str] = {}
        self.colours: dict[str, str] = {}
        self._entries: dict[str, Any] = {}
        self._modules: dict[str, str] = {}

    def add(self, name: str, target: Any, label: str = "", colour: str = "") -> None:
        """Register ``target`` under ``name``; raise `BadInput` if that is malformed or taken by other code.

        Tables and figures print ``label`` for it; ``colour``, ``#RRGGBB``, is its colour in figures.
        """
        if not re.fullmatch(WORD, name):
            raise BadInput(f"{self.kind} name {name!r}: accepted are lower-case words and digits joined by '-'")
        if not (re.fullmatch(r"[^:]+:[^:]+", target) if isinstance(target, str) else hasattr(target, "__qualname__")):
            raise BadInput(f"{self.kind} {name!r}: {target!r}: accepted is a class, a function or 'module:name'")
        if label != "" and not is_label(label):
            raise BadInput(f"{self.kind} {name!r}: label {label!r}: accepted is {LABEL}")
        if colour and not re.fullmatch(COLOUR, colour):
            raise BadInput(f"{self.kind} {name!r}: colour {colour!r}: accepted is '#RRGGBB'")
        present = self._entries.get(name)
        if present is not None and _identity(present) != _identity(target):
            raise BadInput(f"two {self.kind}s are called {name!r}: {_identity(present)} and {_identity(target)}")
        self._entries[name] = target
        self._modules[name] = _identity(target).partition(":")[0]
        self.labels |= {name: label} if label else {}
        self.colours |= {name: colour} if colour else {}

    def register(self, name: str, label: str = "", colour: str = "") -> Callable[[Any], Any]:
        """Decorate a class or function to register it as `add` does; raise `BadInput` without a name."""
        if not isinstance(name, str):  # the decorator without parentheses gets what it decorates
            raise BadInput(f"{self.kind} name {name!r}: accepted is a name, as in register('my-name')")

        def decorate(target: Any) -> Any:
            self.add(name, target, label, colour)
            return target

        return decorate

    def get(self, name: str, where: str = "name") -> Any:
        """Return the object called ``name``; raise `BadInput` with the accepted names if there is none."""
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries, where)
        target = self._entries[name]
        if isinstance(target, str):
            module, attribute = target.split(":")
            try:
                target = self._entries[name] = getattr(importlib.import_module(module), attribute)
            except (Exception, SystemExit) as error:
                is_missing = isinstance(error, (ImportError, AttributeError))
                problem = "and there is none" if is_missing else "which cannot be imported"
                fault = fault_of(error, module)
                raise BadInput(f"{where}: {self.kind} {name!r} is {target!r}, {problem}: {fault}") from error
        return target

    def module(self, name: str) -> str:
        """Return the name of an entry's module, which need not have been imported."""
        return self._modules[name]

    def code(self, name: str) -> str | None:
        """Return `code_digest` of an entry's module."""
        return code_digest(self.module(name))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)


def is_label(label: object) -> bool:
    """Whether a value is a label, as `LABEL` says."""
    if not isinstance(label, str) or not label.strip() or label.startswith("_"):
        return False
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in label)


def _identity(target: Any) -> str:
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"


def code_digest(module: str) -> str | None:
    """Return `benchmark.stamp.source_digest` of a plugin's file; None for a module of this package.

    What the file imports does not count. Raises `BadInput` if there is no such module, or it cannot be read.
    """
    if module.startswith("benchmark."):
        return None
    loaded = sys.modules.get(module)
    try:
        file = loaded.__file__ if loaded else getattr(importlib.util.find_spec(module), "origin", None)
    except (ImportError, ValueError):
        file = None
    if not file:
        raise BadInput(f"module {module!r} of a plugin cannot be found: install it, or name its folder in PYTHONPATH")
    try:
        return source_digest([Path(file)])
    except (OSError, SyntaxError, tokenize.TokenError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}, a plugin's module, is not Python code: {type(error).__name__}: {error}") from None


METHODS = Registry("method")
ARCHITECTURES = Registry("architecture")
SOURCES = Registry("data source")
OWN_AUDITS = Registry("audit")  # functions of one run's samples; built-in audits need every trial of a cell
