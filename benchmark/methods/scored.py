"""Predictions made elsewhere, by any code, as a method that trains nothing: a study names them under ``scored``."""

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

PLACES = ("dataset", "arch", "scenario", "trial")  # what may stand in braces in the name of a file


class Scored(Method):
    """A method of which only the predictions are known. What it cost is not a number."""

    class Settings(Recipe):
        """None: how the predictions came about, only their author knows."""

        epochs: int = setting(0, "nothing is trained", ge=0)

        @model_validator(mode="before")
        @classmethod
        def _none(cls, _: Any) -> dict[str, Any]:
            """Pass over what a study sets for all methods."""
            return {}

        @model_serializer
        def _nothing(self) -> dict[str, Any]:
            return {}

    files: str  # the name of a trial's file, with the `PLACES` in braces
    starts_from_original = False
    paper_units = executed_units = {}

    @classmethod
    def file(cls, name: RunName) -> Path:
        """Return the file with a run's predictions."""
        return Path(cls.files.format(**{place: getattr(name, place) for place in PLACES}))

    def prepare(self, model: torch.nn.Module) -> None:
        """Say that nobody knows what it cost."""
        meter = self.context.meter
        meter.paper = meter.executed = meter.seconds = meter.cpu_seconds = math.nan

    def batches(self, epoch: int) -> list[Batch]:
        """Return no step."""
        return []


def register(scored: dict[str, Any], where: str) -> None:
    """Register predictions as methods, by a mapping from names to files; raise `BadInput`, beginning with ``where``."""
    for name, files in scored.items():
        try:
            pattern = Path(glob.escape(str(files)).format(**dict.fromkeys(PLACES, "*")))
        except (LookupError, ValueError, AttributeError):
            pattern = Path()
        if "{trial}" not in str(files) or not pattern.name:
            accepted = "a file with {trial} in its name and, for several cells, {dataset}, {arch} or {scenario}"
            raise BadInput(f"{where}.{name}: {files!r}: accepted is {accepted}")
        if name in METHODS and not issubclass(METHODS.get(name), Scored):
            raise BadInput(f"{where}.{name}: there is a method of that name: call the predictions something else")
        found = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        version = digest([[str(path), sha256(path)] for path in found])  # other predictions are other results
        METHODS.add(name, type(name, (Scored,), {"files": files, "version": version, "__module__": __name__}))
