"""CU, contrastive unlearning: pull the forget features out of their class. Lee et al. 2024 (arXiv 2401.10458); Table 7.

An epoch is a pass over the forget data, with ``omega`` steps on each batch. A step passes the forget batch and as many
retain samples, drawn anew with replacement, through the model together. With s = cosine similarity of features /
temperature, P the retain samples of the anchor's class and N the others, its loss is

    scale * mean over forget anchors i of ( log sum_{p in P} exp(s_ip) - mean_{a in N} s_ia ) + CE(retain)

which is -1/|N| sum_{a in N} log( exp(s_ia) / sum_{p in P} exp(s_ip) ): a supervised contrastive loss with positives and
negatives exchanged. For an anchor with no retain sample of its class in the step (every anchor, where a class is
forgotten), |N| replaces the sum over P: a constant (theirs is another), so that it is pulled and not pushed. One with
an empty N adds 0.

The denominator |N|, and what else the text leaves out, is as in the authors' code (github.com/Hongkyu-Lee/
Contrastive-Unlearning), with these differences: they multiply the logarithm by the number of retain samples per
other-class sample (10/9 for ten balanced classes), and it is infinite for an anchor without a sample of its class; they
mean to draw the retain samples at random, but their loader gives every forget batch the same first ``omega`` batches;
they contrast a normalised and rectified projection of the features, which their classifier reads, too; they do not
augment; they have no weight decay; and they stop once the forget accuracy is at most the test accuracy (chance, where a
class is forgotten), while here the number of epochs is a setting. The printed cost, 3.36 PFLOPs, fits no number of
epochs at 6 units a step, whatever omega is; here both countings charge what runs.
"""

from __future__ import annotations

import math

from benchmark.methods.base import Batch, Method, Output, Part, Recipe, cosine_similarity, setting, torch
from benchmark.registry import METHODS


@METHODS.register("cu", label="CU", colour="#999933")
class CU(Method):
    """scale * contrastive(forget, retain) + CE(retain)."""

    class Settings(Recipe):
        """Hyperparameters of CU."""

        epochs: int = setting(50, "passes over the forget set", ge=0)
        scale: float = setting(1.0, "weight of the contrastive term", paper=(0.1, 2), scale="log", ge=0)
        temperature: float = setting(
            0.1, "temperature of the contrastive term", paper=(0, 0.2), search=(0.02, 0.2), scale="log", gt=0
        )
        omega: int = setting(4, "steps per forget batch, each with new retain samples", paper=(1, 5), ge=1)

    # Forward and backward pass of a forget batch and of a retain batch.
    paper_units = {"both": 6}
    executed_units = {"both": 3}

    def batches(self, epoch: int) -> list[Batch]:
        """Append as many retain samples to each forget batch, ``omega`` times, drawn anew each time."""
        retain, omega = self.context.retain, self.settings.omega
        anchors = [part.index for part in self.parts("forget", epoch) for _ in range(omega)]
        positions = self.context.streams.integers(len(retain), sum(map(len, anchors)), "order-others", epoch)
        contrasted = retain[positions.to(retain.device)].split([len(index) for index in anchors])
        indices = [torch.cat(pair) for pair in zip(anchors, contrasted, strict=True)]
        return [{"both": Part(index, self.context.labels[index])} for index in indices]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Contrast the step's first half, forget data, with its second, retain data; classify the second."""
        scale, temperature = self.settings.scale, self.settings.temperature
        output, label = outputs["both"], batch["both"].label
        half = len(label) // 2
        forget, retain = (Output(*(values[rows] for values in output)) for rows in (slice(half), slice(half, None)))
        term = contrast(forget.features, label[:half], retain.features, label[half:], temperature)
        return scale * term + retain.cross_entropy(label[half:])


def contrast(
    anchors: torch.Tensor, classes: torch.Tensor, retain: torch.Tensor, retain_classes: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return the contrastive unlearning loss of forget features (A, D) and retain features (R, D), a float32 scalar."""
    similarity = cosine_similarity(anchors, retain) / temperature
    same = classes[:, None] == retain_classes
    different = (~same).sum(1)
    pull = similarity.masked_fill(same, 0).sum(1) / different.clamp_min(1)
    # A row without its class keeps all its columns, whose sum is not used: log(0) has no gradient.
    unmatched = ~same.any(1)
    push = similarity.masked_fill(~same & ~unmatched[:, None], -math.inf).logsumexp(1)
    push = push.where(~unmatched, different.clamp_min(1).log())
    return ((push - pull) * (different > 0)).mean()
