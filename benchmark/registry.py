"""Names to code: the methods, architectures and data sources that a study can name.

A registry holds names and where their code is, never the code of torch: reading a study, drawing a table or
planning a workflow imports no deep-learning library. Built-in entries are registered by their package; further ones
come from the modules a study lists under ``plugins`` and from installed packages, by the entry-point group
``unlearning_benchmark.plugins``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from benchmark.errors import BadInput, unknown

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ENTRY_POINTS = "unlearning_benchmark.plugins"


class Registry:
    """An ordered map from a name to an object, or to ``"module:attribute"`` that is imported when first asked for."""

    def __init__(self, kind: str):
        self.kind = kind
        self._entries: dict[str, Any] = {}

    def add(self, name: str, target: Any) -> None:
        """Register ``target`` under ``name``; raise `BadInput` if the name is malformed or taken by other code."""
        if not NAME.fullmatch(name):
            raise BadInput(f"{self.kind} name {name!r}: accepted are lower-case words and digits joined by '-'")
        taken = self._entries.get(name)
        if taken is not None and _identity(taken) != _identity(target):
            raise BadInput(f"two {self.kind}s are called {name!r}: {_identity(taken)} and {_identity(target)}")
        self._entries[name] = target

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorate a class or function to register it under ``name``."""

        def decorate(target: Any) -> Any:
            self.add(name, target)
            return target

        return decorate

    def get(self, name: str, where: str = "name") -> Any:
        """Return the object called ``name``; raise `BadInput` with the accepted names if there is none."""
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries, where)
        target = self._entries[name]
        if isinstance(target, str):
            module, attribute = target.split(":")
            target = self._entries[name] = getattr(importlib.import_module(module), attribute)
        return target

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)


def _identity(target: Any) -> str:
    return target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"


METHODS = Registry("method")
ARCHITECTURES = Registry("architecture")
SOURCES = Registry("data source")
