"""SSD, selective synaptic dampening: shrink the weights that matter to the forget data. Foster et al. 2024; Table 7.

There is no training. A weight's importance to a set of images is the mean over batches of the squared gradient of the
batch's mean cross-entropy, in evaluation mode. Where its importance to the forget data I_u exceeds alpha times that to
the whole training data I_D, the weight is multiplied by

    min(lambda * I_D / I_u, 1)

Batches are strided through the dataset: of equal size to within one image, and of all classes where a dataset is
sorted by class. Nothing is augmented and no random number drawn: all trials from one Original come out the same, as the
paper's do (Table 7 prints standard deviations of exactly 0). The authors' code
(github.com/if-loops/selective-synaptic-dampening) takes retain data then forget data in their order, in batches of 128,
the last of them smaller but of equal weight.

The printed cost, 0.06 PFLOPs, is one unit on each of 196 batches of the training data and 20 of the forget data: the
paper charges the forward passes alone, and its counting here does too. What runs is three times that, 0.18.
"""

from __future__ import annotations

from benchmark.methods.base import Batch, Method, Part, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("ssd")
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
        """Measure both importances and dampen the starting model: all that there is to the method."""
        forget = self.importance(model, self.context.forget)
        every = self.importance(model, self.context.present)
        for weight, i_forget, i_every in zip(model.parameters(), forget, every, strict=True):
            dampen(weight, i_forget, i_every, self.settings.alpha, self.settings.lambda_)

    def batches(self, epoch: int) -> list[Batch]:
        """Return no step, whatever number of epochs a study gives all its methods."""
        return []

    def importance(self, model: torch.nn.Module, samples: torch.Tensor) -> list[torch.Tensor]:
        """Return the mean squared batch gradient over samples (M,), a tensor for each parameter of the model."""
        count = -(-len(samples) // self.settings.batch_size)
        generator = self.context.streams.generator("augment-importance", device=samples.device)  # nothing is drawn
        means = [torch.zeros_like(weight) for weight in model.parameters()]
        for start in range(count):
            index = samples[start::count]
            gradients = self.gradients(model, Part(index, self.context.labels[index], "N"), generator)
            for mean, gradient in zip(means, gradients, strict=True):
                mean += gradient.square() / count
            self.context.meter.count(len(index), paper=1, executed=3, batch_size=self.settings.batch_size)
        return means


def dampen(weight: torch.Tensor, forget: torch.Tensor, every: torch.Tensor, alpha: float, lambda_: float) -> None:
    """Shrink, in place, each weight whose importance to the forget data exceeds ``alpha`` times that to every image."""
    # An importance of 0 to the forget data gives no number here, and is never above a threshold.
    factor = (lambda_ * every / forget).clamp(max=1)
    weight.mul_(factor.where(forget > alpha * every, 1.0))
