"""The optimiser, and its learning rate as a pure function of progress, of which nothing is saved or restored."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim.sgd import sgd

from benchmark.methods.base import Recipe

START, RISE = 25, 0.3  # of `one-cycle`: it begins at lr / START, and rises over this share of the epochs


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate after ``progress`` epochs, which may be a fraction: it changes at every step.

    ``steps`` is the paper's schedule for Original and Retrain, ``cosine`` its schedule for unlearning (Section 5);
    ``one-cycle`` is that of Smith and Topin (2019, *Super-Convergence*), with half a cosine up and half a cosine down,
    for training in few epochs.
    """
    if progress < recipe.warmup:
        return recipe.lr * progress / recipe.warmup
    share = progress / recipe.epochs
    if recipe.schedule == "steps":
        return recipe.lr * 0.1 ** ((share >= 0.5) + (share >= 0.75))
    lowest = recipe.final_lr
    if recipe.schedule == "one-cycle":
        lowest, share = (recipe.lr / START, 1 - share / RISE) if share < RISE else (lowest, (share - RISE) / (1 - RISE))
    return lowest + (recipe.lr - lowest) * (1 + math.cos(math.pi * share)) / 2


class SGD:
    """SGD with momentum and weight decay on every parameter, as `torch.optim.SGD` computes it.

    It calls torch's functional form: the class imports the compiler, which costs a short job a second. The learning
    rate ``lr`` is set at each step; a parameter without a gradient is left as it is.
    """

    def __init__(self, model: nn.Module, recipe: Recipe):
        self.lr = recipe.lr
        self._recipe = recipe
        self._weights = list(model.parameters())
        self._momenta: list[torch.Tensor | None] = [None] * len(self._weights)

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by one step."""
        gradients = {index: weight.grad for index, weight in enumerate(self._weights) if weight.grad is not None}
        momenta = [self._momenta[index] for index in gradients]
        sgd(
            [self._weights[index] for index in gradients],
            list(gradients.values()),
            momenta,
            foreach=self._weights[0].is_cuda,
            weight_decay=self._recipe.weight_decay,
            momentum=self._recipe.momentum,
            lr=self.lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for index, momentum in zip(gradients, momenta, strict=True):
            self._momenta[index] = momentum

    def state_dict(self) -> dict[str, Any]:
        """Return the state that the next step depends on."""
        return {"lr": self.lr, "momenta": self._momenta}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from what `state_dict` returned."""
        self.lr, pairs = state["lr"], zip(state["momenta"], self._weights, strict=True)
        self._momenta = [momentum if momentum is None else momentum.to(weight.device) for momentum, weight in pairs]
