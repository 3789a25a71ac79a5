"""Original and Retrain: training from scratch, on all data and on the retain data. Paper, Section 5."""

from __future__ import annotations

from benchmark.methods.base import Method, TrainingRecipe
from benchmark.registry import METHODS


@METHODS.register("original", label="Original", colour="#999999")
class Original(Method):
    """Training on all data: where unlearning starts, and the negative control in a table (it forgets nothing)."""

    Settings = TrainingRecipe
    starts_from_original = False


@METHODS.register("retrain", label="Retrain", colour="#000000")
class Retrain(Method):
    """Training from scratch on the retain data alone: the reference of every gap."""

    Settings = TrainingRecipe
    starts_from_original = False
