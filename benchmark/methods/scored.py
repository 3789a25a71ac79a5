"""Predictions of other code, as a method that trains nothing: a study names their files under ``scored``."""

from __future__ import annotations

import glob
import math
from pathlib import Path
from typing import Any

from pydantic import model_serializer, model_validator

from benchmark.errors import BadInput
from benchmark.files import digest, sha256
from benchmark.methods.base import Batch, Method, Recipe, setting, torch
from benchmark.names import RunName
from benchmark.registry import METHODS

FIELDS = ("dataset", "arch", "scenario", "trial")  # what may stand in braces in the name of a file


class Scored(Method):
    """A method of which only the predictions are known; its cost is NaN."""

    class Settings(Recipe):
        """None: only the author of the predictions knows how they were made."""

        epochs: int = setting(0, "nothing is trained", ge=0)

        @model_validator(mode="before")
        @classmethod
        def _ignore(cls, _: Any) -> dict[str, Any]:
            """Ignore what a study sets for all methods."""
            return {}

        @model_serializer
        def _as_empty(self) -> dict[str, Any]:
            return {}

    files: str  # the name of a trial's file, with `FIELDS` in braces
    starts_from_original = False
    paper_units = executed_units = {}

    @classmethod
    def file(cls, name: RunName) -> Path:
        """Return the file with a run's predictions."""
        return Path(cls.files.format(**{field: getattr(name, field) for field in FIELDS}))

    def prepare(self, model: torch.nn.Module) -> None:
        """Set the cost to NaN: nobody knows it."""
        meter = self.context.meter
        meter.paper = meter.executed = meter.seconds = meter.cpu_seconds = math.nan

    def batches(self, epoch: int) -> list[Batch]:
        """Return no steps."""
        return []


def register(scored: dict[str, Any], where: str) -> None:
    """Register a mapping from names to files of predictions as methods; raise `BadInput`, beginning with ``where``."""
    for name, files in scored.items():
        try:
            pattern = Path(glob.escape(str(files)).format(**dict.fromkeys(FIELDS, "*")))
        except (LookupError, ValueError, AttributeError, TypeError):
            pattern = Path()
        if "{trial}" not in str(files) or not pattern.name:
            accepted = "a file with {trial} in its name and, for several cells, {dataset}, {arch} or {scenario}"
            raise BadInput(f"{where}.{name}: {files!r}: accepted is {accepted}")
        if name in METHODS and Scored not in getattr(METHODS.get(name), "__mro__", ()):
            raise BadInput(f"{where}.{name}: there is a method of that name: call the predictions something else")
        matches = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        version = digest([[str(path), sha256(path)] for path in matches])  # other predictions are other results
        METHODS.add(name, type(name, (Scored,), {"files": files, "version": version, "__module__": __name__}))
