"""The range in which a setting is searched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from benchmark.methods.base import Recipe

EDGE = 0.05  # share of a range at either end; a best value there suggests that the range is too narrow
DIGITS = 3  # significant digits of a value: more would only lengthen names


@dataclass(frozen=True)
class Range:
    """The values of a setting that are tried: from ``low`` to ``high``, spread by ``scale``; see `setting`."""

    low: float
    high: float
    scale: str
    whole: bool

    def inside(self, value: float) -> float | int:
        """Return the nearest value that a candidate can have: within the range, to `DIGITS` significant digits.

        Where the orders of magnitude of 1 - x are searched, 1 - x is rounded instead.
        """
        value = min(max(value, self.low), self.high)
        if self.whole:
            return round(value)
        if self.scale == "log-complement":
            value = round(1 - float(f"{1 - value:.{DIGITS}g}"), 12)
        else:
            value = float(f"{value:.{DIGITS}g}")
        return min(max(value, self.low), self.high)

    @property
    def long(self) -> float | int:
        """A value within the range whose text is about as long as any other's."""
        values = [math.pi * self.low, self.high / math.pi]
        if self.scale == "log-complement":
            values = [1 - math.pi * (1 - self.high)]
        return max(map(self.inside, values), key=lambda value: len(str(value)))

    def suggested(self, trial: optuna.Trial, name: str) -> float | int:
        """Return the value that Optuna suggests to a candidate."""
        if self.whole:
            return self.inside(trial.suggest_int(name, int(self.low), int(self.high)))
        if self.scale == "log-complement":
            return self.inside(1 - trial.suggest_float(name, 1 - self.high, 1 - self.low, log=True))
        return self.inside(trial.suggest_float(name, self.low, self.high, log=self.scale == "log"))

    def as_parameter(self, value: float) -> float | int:
        """Return a value as Optuna's own parameter, which `suggested` turns back into the value."""
        return 1 - value if self.scale == "log-complement" and not self.whole else value

    def edge(self, value: float) -> str:
        """Return ``low`` or ``high`` if a value lies within the outer twentieth of the range, else nothing."""
        points = [self.low, value, self.high]
        if self.scale == "linear":
            low, position, high = points
        else:
            low, position, high = (-math.log(1 - x) if self.scale == "log-complement" else math.log(x) for x in points)
        share = (position - low) / (high - low)
        return "low" if share < EDGE else "high" if share > 1 - EDGE else ""


def ranges(settings: Recipe, own_ranges: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Range]:
    """Return the ranges of the settings that are tuned, by name; the study's ``own_ranges`` replace the method's.

    Where nothing is trained (SSD), the settings of the recipe are left out: they have no effect.
    """
    model = type(settings)
    tunable = model.model_fields.keys() - (Recipe.model_fields.keys() if settings.epochs == 0 else ())
    searched = {}
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        key = field.alias or name
        search = extra.get("search", {})
        if limits := (own_ranges or {}).get(key):
            search = {"scale": "linear"} | search | dict(zip(("low", "high"), limits, strict=True))
        if name in tunable and search:
            searched[key] = Range(**search, whole=field.annotation is int)
    return searched
