"""What a method's tuning searches: the ranges that its settings declare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.methods.base import Recipe
from benchmark.methods.contrastive import ContrastiveSettings

DIGITS = 3  # significant ones of a value: more would only make names long


@dataclass(frozen=True)
class Range:
    """The values of one setting that are tried: from ``low`` to ``high``, whole numbers or not, by magnitude or not."""

    low: float
    high: float
    log: bool
    whole: bool

    def inside(self, value: float) -> float | int:
        """Return the nearest value that a candidate can have: within the range, to `DIGITS` significant digits."""
        value = min(max(value, self.low), self.high)
        if self.whole:
            return round(value)
        digits = DIGITS + 1 if self.high < 1 < 10 * self.low else DIGITS  # such as 0.95 to 0.9999
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)


def ranges(settings: Recipe) -> dict[str, Range]:
    """Return the ranges of the settings that are tuned, by name.

    A method with the contrastive term takes its base's own settings from the base's best candidate, and searches the
    term's and the learning rate. Where nothing is trained (SSD) the recipe's settings mean nothing.
    """
    model = type(settings)
    own = ContrastiveSettings if issubclass(model, ContrastiveSettings) else model
    among = own.model_fields.keys() - (Recipe.model_fields.keys() if settings.epochs == 0 else ())
    searched = {}
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        if name in among and (search := extra.get("search")):
            searched[field.alias or name] = Range(**search, whole=field.annotation is int)
    return searched
