"""Code from outside the package: a study's ``plugins`` and installed packages. Importing a plugin runs its code."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import benchmark.data
import benchmark.methods
import benchmark.models  # noqa: F401 (these imports fill the registries)
from benchmark.errors import BadInput, closest
from benchmark.files import digest
from benchmark.methods.base import Method, Recipe
from benchmark.methods.contrastive import with_contrastive_term
from benchmark.names import CL, MethodName
from benchmark.registry import ENTRY_POINTS, METHODS, code_digest
from benchmark.stamp import PACKAGE, stamp

REPLACED = "; "  # between the digest of the package and what a plugin put in the place of its parts


def load(names: Any, where: str) -> None:
    """Import installed plugins, then the modules or ``.py`` files in ``names``; raise `BadInput` where one fails."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        _guarded(entry.value, f"installed plugin {entry.name!r}", entry.load)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{where}: {names!r}: accepted is a list of modules or .py files")
    for name in names:
        _guarded(name, where, lambda name=name: _import(name, where))


def _guarded(name: str, where: str, action: Any) -> None:
    try:
        action()
    except BadInput as error:
        raise BadInput(str(error) if str(error).startswith(where) else f"{where}: {name!r}: {error}") from None
    except (Exception, SystemExit) as error:
        fault = f"{type(error).__name__}: {error}{_place(error, name)}"
        raise BadInput(f"{where}: {name!r} cannot be imported: {fault}") from error


def _place(error: BaseException, name: str) -> str:
    """Return where in the plugin's own file the error arose, where that is not already said."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if Path(frame.filename).stem == Path(name).stem.rpartition(".")[2]]
    return f" (line {own[-1]})" if own else ""


class _Source(SourceFileLoader):
    """Reads a file itself, never a compiled copy: of two texts of one length within a second, that may be the first."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(name: str, where: str) -> None:
    if not name.endswith(".py"):
        importlib.import_module(name)
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

    ``plugins`` names each with its digest, and the installed ones; ``code`` also what they replaced in the package.
    """
    modules = {_module(name): name for name in names}
    modules |= {entry.module: entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    files = (Path(str(sys.modules[module].__file__)) for module in modules if module in sys.modules)
    made = stamp(*(file for file in files if file.is_relative_to(PACKAGE.parent)))
    plugins = {module: f"{name} {code_digest(module)}" for module, name in modules.items()}
    replaced = [f"{what} by {plugins[module]}" for what, module in _replaced(modules)]
    code = REPLACED.join([made["code"], *sorted(replaced)])
    return made | {"code": code, "plugins": ", ".join(plugins.values())}


def _replaced(modules: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what of the package's modules, and of their classes, is now a plugin's, with the module of the plugin."""
    for name, module in list(sys.modules.items()):
        if name.startswith("benchmark."):
            own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
            for place, holder in [(name, module), *((f"{name}.{one.__name__}", one) for one in own)]:
                for key, value in vars(holder).items():
                    if (of := getattr(value, "__module__", None)) in modules:
                        yield f"{place}.{key}", str(of)


def code_version(method: Any) -> int | str:
    """Return what changes when a method's results do: a number for ours, the code's digest for a plugin's.

    A built-in method raises its ``version`` when its results change. Whoever writes a plugin edits it again and
    again, so there every change of code counts, comments and layout aside.
    """
    return code_digest(method.__module__) or method.version


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
