"""FT2: fine-tuning on two augmented views of the retain data. A control for CoUn, not a method of the paper.

It has CoUn's two views and cost, but no contrastive term: what FT2 gains over FT is not that term's doing.
"""

from __future__ import annotations

from benchmark.methods.base import Batch, Method, Output, torch
from benchmark.registry import METHODS


@METHODS.register("ft2", label="FT2", colour="#B8860B")
class FT2(Method):
    """Mean cross-entropy of two views of each retain image."""

    # Counted as for the contrastive term: by the paper's counting, the second view costs its forward pass alone.
    paper_units = {"retain": 3, "view": 1}
    executed_units = {"retain": 3, "view": 3}

    def batches(self, epoch: int) -> list[Batch]:
        """Add the second view of the same retain images to each step."""
        return [step | {"view": step["retain"]} for step in super().batches(epoch)]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Return the mean of the two views' cross-entropy."""
        first = outputs["retain"].cross_entropy(batch["retain"].label)
        second = outputs["view"].cross_entropy(batch["view"].label)
        return (first + second) / 2
