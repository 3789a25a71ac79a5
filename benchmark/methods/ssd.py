"""SSD, selective synaptic dampening: shrink the weights that matter to the forget data. Foster et al. 2024; Table 7.

There is no training. A weight's importance to a set of images is the mean over batches of the squared gradient of the
batch's mean cross-entropy, in evaluation mode. Where its importance to the forget data I_u exceeds alpha times that to
the whole training data I_D, the weight is multiplied by

    min(lambda * I_D / I_u, 1)

Batches are strided through the dataset: their sizes differ by at most one image, and each has all classes even where a
dataset is sorted by class. Nothing is augmented and no random number is drawn: all trials from one Original end alike,
as the paper's do (Table 7 prints standard deviations of exactly 0). The authors' code
(github.com/if-loops/selective-synaptic-dampening) takes the retain data and then the forget data in their order, in
batches of 128, of which the last is smaller but has equal weight.

The printed cost, 0.06 PFLOPs, is one unit on each of 196 batches of the training data and 20 of the forget data: the
paper, and its counting here, charge the forward passes alone. What runs is three times that, 0.18.
"""

from __future__ import annotations

from benchmark.methods.base import Batch, Method, Part, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("ssd", label="SSD", colour="#882255")
class SSD(Method):
    """Dampening of the weights that matter more to the forget data than to all data."""

    class Settings(Recipe):
        """Hyperparameters of SSD; of the recipe it uses the batch size alone."""

        epochs: int = setting(0, "SSD trains nothing; more epochs only repeat the evaluation", ge=0)
        alpha: float = setting(
            10.0,
            "how many times more important to the forget data a dampened weight is",
            paper=(0.1, 100),
            scale="log",
            ge=0,
        )
        lambda_: float = setting(
            1.0, "factor on the dampening: the smaller, the stronger", paper=(0.1, 5), scale="log", ge=0, alias="lambda"
        )

    paper_units = executed_units = {}

    def prepare(self, model: torch.nn.Module) -> None:
        """Measure both importances and dampen the starting model, which is the whole method."""
        forget_importance = self.importance(model, self.context.forget)
        data_importance = self.importance(model, self.context.present)
        for weight, i_u, i_d in zip(model.parameters(), forget_importance, data_importance, strict=True):
            dampen(weight, i_u, i_d, self.settings.alpha, self.settings.lambda_)

    def batches(self, epoch: int) -> list[Batch]:
        """Return no steps, however many epochs a study sets for all methods."""
        return []

    def importance(self, model: torch.nn.Module, samples: torch.Tensor) -> list[torch.Tensor]:
        """Return the mean squared batch gradient over samples (M,), a tensor for each parameter of the model."""
        batch_count = -(-len(samples) // self.settings.batch_size)
        generator = self.context.streams.generator("augment-importance", device=samples.device)  # nothing is drawn
        means = [torch.zeros_like(weight) for weight in model.parameters()]
        for start in range(batch_count):
            index = samples[start::batch_count]
            gradients = self.gradients(model, Part(index, self.context.labels[index], "N"), generator)
            for mean, gradient in zip(means, gradients, strict=True):
                mean += gradient.square() / batch_count
            self.context.meter.count(len(index), paper=1, executed=3, batch_size=self.settings.batch_size)
        return means


def dampen(weight: torch.Tensor, i_u: torch.Tensor, i_d: torch.Tensor, alpha: float, lambda_: float) -> None:
    """Shrink, in place, each weight whose importance to the forget data, ``i_u``, exceeds ``alpha * i_d``."""
    # Where i_u is 0 the factor may be NaN, but is not used: i_u exceeds no threshold.
    factor = (lambda_ * i_d / i_u).clamp(max=1)
    weight.mul_(factor.where(i_u > alpha * i_d, 1.0))
