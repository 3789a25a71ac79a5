"""The optimiser and its learning rate, a pure function of progress: nothing of it has to be saved or restored."""

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
    part = progress / recipe.epochs
    if recipe.schedule == "steps":
        return recipe.lr * 0.1 ** ((part >= 0.5) + (part >= 0.75))
    end = recipe.final_lr
    if recipe.schedule == "one-cycle":
        end, part = (recipe.lr / START, 1 - part / RISE) if part < RISE else (end, (part - RISE) / (1 - RISE))
    return end + (recipe.lr - end) * (1 + math.cos(math.pi * part)) / 2


class SGD:
    """SGD with momentum and weight decay on every parameter, as `torch.optim.SGD` computes it.

    By torch's functional form: its class would import the compiler, which costs a short job a second. The learning rate
    ``lr`` is set at each step; a parameter without a gradient is left as it is.
    """

    def __init__(self, model: nn.Module, recipe: Recipe):
        self.lr = recipe.lr
        self._recipe = recipe
        self._weights = list(model.parameters())
        self._momenta: list[torch.Tensor | None] = [None] * len(self._weights)

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by one step."""
        gradients = {number: weight.grad for number, weight in enumerate(self._weights) if weight.grad is not None}
        momenta = [self._momenta[number] for number in gradients]
        sgd(
            [self._weights[number] for number in gradients],
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
        for number, momentum in zip(gradients, momenta, strict=True):
            self._momenta[number] = momentum

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on."""
        return {"lr": self.lr, "momenta": self._momenta}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.lr, pairs = state["lr"], zip(state["momenta"], self._weights, strict=True)
        self._momenta = [momentum if momentum is None else momentum.to(weight.device) for momentum, weight in pairs]
