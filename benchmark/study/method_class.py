"""From the name of a method to its class, after a check that it is one."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmark.errors import BadInput, closest
from benchmark.methods.base import Method, Recipe
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import CL, MethodName
from benchmark.registry import METHODS


def method_class(method: MethodName, where: str = "") -> Any:
    """Return a method's class, with the contrastive term if named; raise `BadInput`, beginning with ``where``."""
    where = where or f"method {str(method)!r}"
    kind = METHODS.get(method.base, where)
    if fault := _fault(kind):
        raise BadInput(f"{where}: method {method.base!r}{fault}")
    if not method.contrastive:
        return kind
    if not kind.contrastive:
        accepted = ", ".join(name + CL for name in METHODS if METHODS.get(name).contrastive)
        raise BadInput(f"{where}: {method.base!r} takes no contrastive term. Accepted: {accepted}")
    return with_contrastive_term(kind)


@cache
def _fault(kind: Any) -> str:
    """Say what keeps something from being a method, or nothing; once, since every run of a study asks."""
    if not (isinstance(kind, type) and issubclass(kind, Method)):
        return f" is {kind!r}: accepted is a class derived from benchmark.methods.base.Method"
    if not (isinstance(kind.Settings, type) and issubclass(kind.Settings, Recipe)):
        return ": Settings: accepted is a class derived from benchmark.methods.base.Recipe"
    hooks = [name for name in vars(Method) if not name.startswith("_")]
    for name, value in vars(kind).items():
        own = callable(value) and not name.startswith("_") and name not in hooks
        # A hook that is misspelt is never called, and the method trains as plain fine-tuning.
        if own and (close := closest(name, hooks, cutoff=0.8)):
            return f": {name!r} is no part of a method; did you mean {close!r}?"
    return ""
