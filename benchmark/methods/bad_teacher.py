"""Bad teacher (BadT): be taught at random what to forget. Chundawat et al. 2023; Table 7.

One shuffled pass over the forget data and a share of the retain data. A sample's loss is KL(teacher || student) at
temperature 1, where the teacher of forget data is a network with fresh random weights and that of retain data is the
model that the run starts from. Both are in evaluation mode, the student in training mode; no label is used.

The share of the retain data is drawn once and kept for all epochs: 30 % in the authors' code, which makes one epoch.
The paper does not say which share it takes, but hardly that one: it prints 9.89 PFLOPs, and 50 epochs over 73 batches
cost 5.2 at the five units below, while all of the retain data costs 9.89 in between 35 and 36 epochs.

Differences from the authors' code (github.com/vikram2000b/bad-teaching-unlearning): their divergence is a mean over
classes too (``reduction: mean``), which SGD feels as a learning rate divided by their number and their Adam does not.
They run both teachers on every image, and so the paper's counting charges; here each image is shown to its own.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from benchmark.methods.base import Batch, Method, Output, Part, Recipe, setting, torch
from benchmark.registry import METHODS


@dataclass(frozen=True)
class Mixed(Part):
    """So many forget samples, then retain samples, in one forward pass."""

    forgotten: int = 0


@METHODS.register("bad-teacher")
class BadTeacher(Method):
    """Distillation from a random network on the forget data and from Original on retain data."""

    class Settings(Recipe):
        """Hyperparameters of BadT."""

        retain_share: float = setting(
            0.3, "fraction of the retain data that is used, the same samples in every epoch", gt=0, le=1
        )
        reduction: Literal["sum", "mean"] = setting(
            "sum", "whether the divergence is summed over classes, or averaged as in the authors' code", added=True
        )

    # The student's forward and backward pass, and a forward pass of both teachers or of one.
    paper_units = {"both": 5}
    executed_units = {"both": 4}
    original: torch.nn.Module
    random: torch.nn.Module

    def prepare(self, model: torch.nn.Module) -> None:
        """Keep a frozen copy of the starting model as one teacher, and make the other."""
        self.original = deepcopy(model).eval().requires_grad_(False)
        self.random = self.context.fresh("random-teacher").eval().requires_grad_(False)

    def batches(self, epoch: int) -> list[Batch]:
        """Shuffle the forget data and the share of the retain data together."""
        streams, forget, retain = self.context.streams, self.context.forget, self.context.retain
        used = max(1, round(self.settings.retain_share * len(retain)))
        kept = streams.permutation(len(retain), "retain-share")[:used].to(retain.device)
        samples = torch.cat([forget, retain[kept]])
        steps: list[Batch] = []
        for order in streams.permutation(len(samples), "order-both", epoch).split(self.settings.batch_size):
            # Sorted, forget data come first. Both counts are taken on the CPU, where nothing waits for them.
            index = samples[order.sort().values.to(samples.device)]
            steps.append({"both": Mixed(index, self.context.labels[index], forgotten=int((order < len(forget)).sum()))})
        return steps

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Mean divergence of the student from each sample's teacher."""
        student, part = outputs["both"], batch["both"]
        assert isinstance(part, Mixed)
        forget, retain = student.images.tensor_split([part.forgotten])
        shown = (self.random, forget), (self.original, retain)
        divergence = student.kl_from(torch.cat([teacher(images)[1] for teacher, images in shown if len(images)]))
        return divergence / student.logits.shape[1] if self.settings.reduction == "mean" else divergence
