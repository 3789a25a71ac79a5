"""l1-sparse: fine-tuning with a penalty that drives weights to zero. Jia et al. 2023; paper, Section 5.

The penalty's weight falls linearly from alpha to 0 over the first ``l1_epochs`` epochs, or stays at alpha for them with
``l1_decay: false``; the rest is FT.
"""

from __future__ import annotations

import math

from benchmark.methods.base import Batch, Method, Output, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("l1-sparse", label="l1-sparse", colour="#009E73")
class L1Sparse(Method):
    """CE(retain) + alpha_e * ||theta||_1."""

    class Settings(Recipe):
        """Hyperparameters of l1-sparse."""

        alpha: float = setting(5e-4, "weight of the l1 norm in the first epoch", paper=(1e-4, 1e-1), scale="log", ge=0)
        l1_epochs: int = setting(4, "epochs after which the weight of the l1 norm is 0", ge=1)
        l1_decay: bool = setting(True, "whether that weight decays linearly until then, or stays constant", added=True)

    contrastive = True
    weights: list[torch.nn.Parameter]

    def prepare(self, model: torch.nn.Module) -> None:
        """Remember the tensors that the norm is taken over: every parameter, as in the authors' code."""
        self.weights = list(model.parameters())

    def alpha(self, epoch: int) -> float:
        """Return the weight of the l1 norm in an epoch, counted from 0."""
        remaining = max(0.0, 1 - epoch / self.settings.l1_epochs)
        return self.settings.alpha * (remaining if self.settings.l1_decay else math.ceil(remaining))

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Add the penalty to the cross-entropy."""
        loss = super().loss(outputs, batch, epoch)
        if alpha := self.alpha(epoch):
            loss = loss + alpha * sum(weight.abs().sum() for weight in self.weights)
        return loss
