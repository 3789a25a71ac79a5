"""The learning rate as a pure function of progress, so that nothing has to be saved or restored."""

from __future__ import annotations

import math

from benchmark.methods.base import Recipe


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after ``progress`` epochs, which may be a fraction: it changes at every step.

    ``steps`` is the paper's schedule for Original and Retrain, ``cosine`` its schedule for unlearning (Section 5).
    """
    if progress < recipe.warmup:
        return recipe.lr * progress / recipe.warmup
    part = progress / recipe.epochs
    if recipe.schedule == "steps":
        return recipe.lr * 0.1 ** ((part >= 0.5) + (part >= 0.75))
    return recipe.final_lr + (recipe.lr - recipe.final_lr) * (1 + math.cos(math.pi * part)) / 2
