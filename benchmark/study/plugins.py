"""Code from outside the package: a study's ``plugins`` and installed packages. Importing a plugin runs its code."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import benchmark.data
import benchmark.methods
import benchmark.models  # noqa: F401 (these imports fill the registries)
from benchmark.errors import BadInput, closest, line_of
from benchmark.files import digest
from benchmark.methods.base import GROUPS, Method, Recipe
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import CL, MethodName
from benchmark.registry import ENTRY_POINTS, METHODS, code_digest
from benchmark.stamp import PACKAGE, stamp

REPLACED = "; "  # between the package's digest and the parts that plugins replaced


def load(names: Any, where: str) -> None:
    """Import installed plugins, then the modules or ``.py`` files in ``names``; raise `BadInput` if one fails."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        _guarded(entry.value, f"installed plugin {entry.name!r}", entry.load)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{where}: {names!r}: accepted is a list of modules or .py files")
    for name in names:
        _guarded(name, where, partial(_import, name, where))


def _guarded(name: str, where: str, action: Any) -> None:
    try:
        action()
    except BadInput as error:
        raise BadInput(str(error) if str(error).startswith(where) else f"{where}: {name!r}: {error}") from None
    except (Exception, SystemExit) as error:
        module = _module(name) if name.endswith(".py") else name.partition(":")[0]
        text = str(error).partition("\n\nFor further information")[0]  # what pydantic adds
        fault = f"{type(error).__name__}: {text}{line_of(error, module)}"
        raise BadInput(f"{where}: {name!r} cannot be imported: {fault}") from error


class _Source(SourceFileLoader):
    """Loader of source only: a compiled copy may be stale after an edit of equal length within the same second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(name: str, where: str) -> None:
    if not name.endswith(".py"):
        if not getattr(importlib.import_module(name), "__file__", None):
            raise BadInput(f"{where}: {name!r} is not a file of code: accepted is a module or a .py file")
        return
    path = Path(name).resolve()
    if not path.is_file():
        raise BadInput(f"{where}: {name!r}: no such file")
    module_name = _module(name)
    if module_name in sys.modules:
        return
    loader = _Source(module_name, str(path))
    spec = importlib.util.spec_from_file_location(module_name, path, loader=loader)
    assert spec
    module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise


def _module(name: str) -> str:
    path = Path(name).resolve()
    return f"benchmark_plugin_{path.stem}_{digest(str(path))}" if name.endswith(".py") else name


@cache
def stamp_with(*names: str) -> dict[str, str]:
    """Return `benchmark.stamp.stamp` of a study that loads these plugins.

    ``plugins`` lists them and the installed ones with their digests, ``code`` also what they replaced in the package.
    """
    modules = {_module(name): name for name in names}
    modules |= {entry.module: entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    files = (Path(str(sys.modules[module].__file__)) for module in modules if module in sys.modules)
    package_stamp = stamp(*(file for file in files if file.is_relative_to(PACKAGE.parent)))
    plugins = {module: f"{name} {code_digest(module)}" for module, name in modules.items()}
    replaced = [f"{part} by {plugins[module]}" for part, module in _replaced(modules)]
    code = REPLACED.join([package_stamp["code"], *sorted(replaced)])
    return package_stamp | {"code": code, "plugins": ", ".join(plugins.values())}


def _replaced(modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each attribute of the package's modules and classes that a plugin replaced, with the plugin's module."""
    for name, module in list(sys.modules.items()):
        if name.startswith("benchmark."):
            classes = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == name]
            for path, owner in [(name, module), *((f"{name}.{cls.__name__}", cls) for cls in classes)]:
                for key, value in vars(owner).items():
                    if (origin := getattr(value, "__module__", None)) in modules:
                        yield f"{path}.{key}", str(origin)


def code_version(method: Any) -> int | str:
    """Return what changes when a method's results do: a built-in method's version, or the digest of a plugin's code.

    A built-in method raises its ``version`` when its results change. A plugin is edited again and again, so every
    change of its code counts, comments and layout aside.
    """
    return code_digest(method.__module__) or method.version


def method_class(method: MethodName, where: str = "") -> Any:
    """Return a method's class, with the contrastive term if named; raise `BadInput`, beginning with ``where``."""
    where = where or f"method {str(method)!r}"
    method_type = METHODS.get(method.base, where)
    if method.base in GROUPS:  # its hyperparameters would be those of the group
        raise BadInput(f"{where}: method {method.base!r}: a group of hyperparameters has that name: call it otherwise")
    if fault := _fault(method_type):
        named = f"method {method.base!r}"
        raise BadInput(f"{where}{fault}" if where.endswith(named) else f"{where}: {named}{fault}")
    if not method.contrastive:
        return method_type
    if not method_type.contrastive:
        accepted = ", ".join(name + CL for name in METHODS if METHODS.get(name).contrastive)
        raise BadInput(f"{where}: {method.base!r} takes no contrastive term. Accepted: {accepted}")
    return with_contrastive_term(method_type)


@cache
def _fault(candidate: Any) -> str:
    """Say why something is no method; empty if it is one. Cached, since every run of a study asks."""
    if not (isinstance(candidate, type) and issubclass(candidate, Method)):
        return f" is {candidate!r}: accepted is a class derived from benchmark.methods.base.Method"
    if not (isinstance(candidate.Settings, type) and issubclass(candidate.Settings, Recipe)):
        return ": Settings: accepted is a class derived from benchmark.methods.base.Recipe"
    own, parts = vars(candidate), [name for name in vars(Method) if not name.startswith("_")]
    for name in own:
        # A misspelt part is never used: the method would train as plain fine-tuning.
        if not name.startswith("_") and name not in parts and (close := closest(name, parts, cutoff=0.8)):
            return f": {name!r} is not part of a method; did you mean {close!r}?"
    for name in (*parts, "__init__"):
        if inspect.isfunction(accepted := getattr(Method, name)) and inspect.isfunction(own.get(name)):
            given, hook = inspect.signature(own[name]), inspect.signature(accepted)
            try:
                given.bind(*(key for key, parameter in hook.parameters.items() if parameter.default is hook.empty))
            except TypeError:
                return f": {name}({', '.join(given.parameters)}): accepted is {name}({', '.join(hook.parameters)})"
    return ""
