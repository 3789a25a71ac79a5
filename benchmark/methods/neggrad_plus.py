"""NegGrad+: descend on the retain loss, climb on the forget loss. Kurmanji et al. 2023; paper, Section 5.

A step takes a retain batch and a forget batch. The forget batches are cycled over the epoch and augmented anew each
time; the authors' code (github.com/meghdadk/SCRUB) repeats the first tensors all epoch, and does not augment. The
paper's cost counts the forget batch's forward pass alone.
"""

from __future__ import annotations

from itertools import cycle

from benchmark.methods.base import Batch, Method, Output, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("neggrad-plus", label="NegGrad+", colour="#56B4E9")
class NegGradPlus(Method):
    """beta * CE(retain) - (1 - beta) * CE(forget)."""

    class Settings(Recipe):
        """Hyperparameters of NegGrad+."""

        beta: float = setting(
            0.99,
            "weight of the retain loss",
            paper=(0.95, 0.9999),
            search=(0.9, 0.9999),
            scale="log-complement",
            gt=0,
            le=1,
        )

    contrastive = True
    paper_units = {"retain": 3, "forget": 1}
    executed_units = {"retain": 3, "forget": 3}

    def batches(self, epoch: int) -> list[Batch]:
        """Pair each retain batch with the next forget batch."""
        forget = cycle(self.parts("forget", epoch))
        return [{"retain": retain, "forget": next(forget)} for retain in self.parts("retain", epoch)]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Return the weighted difference of the retain loss and the forget loss."""
        beta = self.settings.beta
        retain = outputs["retain"].cross_entropy(batch["retain"].label)
        forget = outputs["forget"].cross_entropy(batch["forget"].label)
        return beta * retain - (1 - beta) * forget
