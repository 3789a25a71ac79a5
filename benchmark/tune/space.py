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
        return round(value) if self.whole else rounded(value, self.low, self.high)


def rounded(value: float, low: float, high: float) -> float:
    """Return a value to `DIGITS` significant digits, one more where its range ends close to 1: 0.95 to 0.9999."""
    digits = DIGITS + 1 if high < 1 < 10 * low else DIGITS
    return min(max(float(f"{value:.{digits}g}"), low), high)


def ranges(settings: Recipe) -> dict[str, Range]:
    """Return the ranges of the settings that are tuned, by name.

    A method with the contrastive term takes its base's own settings from the base's best candidate, and searches the
    term's and the learning rate. Where nothing is trained (SSD) the recipe's settings mean nothing.

    Parameters
    ----------
    settings : the method's, as the study has them.
    """
    model = type(settings)
    among = set(model.model_fields)
    if issubclass(model, ContrastiveSettings):
        among = set(ContrastiveSettings.model_fields)
    if settings.epochs == 0:
        among -= set(Recipe.model_fields)
    found = {}
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra or {}
        if name in among and (search := extra.get("search")):
            found[field.alias or name] = Range(**search, whole=field.annotation is int)
    return found
