"""The methods, one file each. Importing this package registers them all, a newly added file included."""

from __future__ import annotations

import importlib
import pkgutil

from benchmark.registry import METHODS

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["METHODS"]
