"""SalUn: train the forget data towards random labels, moving salient weights only. Fan et al. 2024; paper, Section 5.

The mask keeps the fraction ``threshold`` of all parameters, ranked together, whose gradient of the forget loss (summed
over the forget batches, in evaluation mode) is largest in magnitude. Random labels are drawn anew every epoch, over
all classes, as in the public code; SalUn's paper excludes the true one. With ``threshold: 1`` every weight may change,
which is plain random labelling. An earlier version of the public code (github.com/OPTML-Group/Unlearn-Saliency,
2b0a8a1) and its copies change the weights while summing, and keep the fraction whose gradient is smallest.
"""

from __future__ import annotations

from typing import Literal

from benchmark.methods.base import Batch, Method, Output, Part, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("salun", label="SalUn", colour="#CC79A7")
class SalUn(Method):
    """Cross-entropy to random labels on the forget data, to true ones on the retain data, under a weight mask."""

    class Settings(Recipe):
        """Hyperparameters of SalUn."""

        threshold: float = setting(0.5, "fraction of the weights that may change", paper=(0.1, 1.0), gt=0, le=1)
        order: Literal["forget-first", "shuffled"] = setting(
            "forget-first",
            "`forget-first`: a forget pass, then a retain pass, per epoch (later versions of the authors' code, on "
            "CIFAR-10); `shuffled`: one pass over both (their code elsewhere, and earlier versions)",
        )
        freeze: bool = setting(
            True, "keep masked weights exactly fixed; without, momentum and weight decay still move them"
        )

    paper_units = executed_units = {"forget": 3, "retain": 3, "both": 3}
    masks: list[torch.Tensor]
    start: list[torch.Tensor]

    def prepare(self, model: torch.nn.Module) -> None:
        """Mask the salient weights of the starting model."""
        saliency = self.saliency(model)
        mask = torch.zeros_like(saliency, dtype=torch.bool)
        mask[saliency.topk(int(self.settings.threshold * len(saliency))).indices] = True
        weights = list(model.parameters())
        pieces = mask.split([weight.numel() for weight in weights])
        self.masks = [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
        self.start = [weight.detach().clone() for weight in weights] if self.settings.freeze else []

    def saliency(self, model: torch.nn.Module) -> torch.Tensor:
        """Return |sum over batches of the gradient of the mean forget loss|, all parameters in one row, (P,)."""
        generator = self.context.streams.generator("augment-mask", device=self.context.labels.device)
        total = torch.zeros(())
        for part in self.parts("forget", 0):
            total = total + torch.cat([gradient.flatten() for gradient in self.gradients(model, part, generator)])
            self.context.meter.count(len(part.index), paper=3, executed=3)
        return total.abs()

    def batches(self, epoch: int) -> list[Batch]:
        """Give the forget data fresh random labels; the order of the passes is a setting."""
        label = self.context.labels.clone()
        forget = self.context.forget
        label[forget] = self.context.streams.integers(self.context.classes, len(forget), "labels", epoch).to(label)
        if self.settings.order == "shuffled":
            present = self.context.present
            order = self.context.streams.permutation(len(present), "order-both", epoch).to(present.device)
            return [{"both": Part(index, label[index])} for index in present[order].split(self.settings.batch_size)]
        return [{"forget": part} for part in self.parts("forget", epoch, label)] + super().batches(epoch)

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Return the cross-entropy of the step's only part."""
        ((name, part),) = batch.items()
        return outputs[name].cross_entropy(part.label)

    def after_backward(self, model: torch.nn.Module) -> None:
        """Zero the gradient of every weight outside the mask."""
        for weight, mask in zip(model.parameters(), self.masks, strict=True):
            if weight.grad is not None:
                weight.grad.mul_(mask)

    def after_step(self, model: torch.nn.Module) -> None:
        """Restore frozen weights: momentum and weight decay move a weight even if its gradient is zero."""
        for weight, mask, start in zip(model.parameters(), self.masks, self.start, strict=False):
            weight.copy_(weight.where(mask, start))
