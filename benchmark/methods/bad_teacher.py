"""Bad teacher (BadT): imitate a random network on the forget data. Chundawat et al. 2023; Table 7.

An epoch is one shuffled pass over the forget data and a share of the retain data. A sample's loss is, without labels,
KL(teacher || student) at temperature 1. The teacher of forget data is a network with fresh random weights, that of
retain data the model that the run starts from. Both are in evaluation mode, the student in training mode.

The share of the retain data is drawn once, for all epochs: 30 % in the authors' code, which trains for one epoch. The
paper does not state its share, which can hardly be the same: 50 epochs over 73 batches cost 5.2 PFLOPs at the five
units below, while the printed 9.89 PFLOPs pay for 35 to 36 epochs on all of the retain data.

Differences from the authors' code (github.com/vikram2000b/bad-teaching-unlearning): their divergence is also averaged
over classes (``reduction: mean``), which divides SGD's learning rate by their number, but not the share of it that
decays weights, and leaves Adam's as it is. They run both teachers on every image, as the paper's counting charges;
here each image is shown to its own teacher alone.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from benchmark.methods.base import Batch, Method, Output, Part, Recipe, setting, torch
from benchmark.registry import METHODS


@dataclass(frozen=True)
class Mixed(Part):
    """``forget_count`` forget samples, then retain samples, in one forward pass."""

    forget_count: int = 0


@METHODS.register("bad-teacher", label="BadT", colour="#DDCC77")
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

    # The student's forward and backward pass, and the forward pass of both teachers, or of the one that runs.
    paper_units = {"both": 5}
    executed_units = {"both": 4}
    original: torch.nn.Module
    random: torch.nn.Module

    def prepare(self, model: torch.nn.Module) -> None:
        """Freeze a copy of the starting model as one teacher, and initialise the other."""
        self.original = deepcopy(model).eval().requires_grad_(False)
        self.random = self.context.fresh("random-teacher").eval().requires_grad_(False)

    def batches(self, epoch: int) -> list[Batch]:
        """Shuffle the forget data and the share of the retain data together."""
        streams, forget, retain = self.context.streams, self.context.forget, self.context.retain
        count = max(1, round(self.settings.retain_share * len(retain)))
        share = streams.permutation(len(retain), "retain-share")[:count].to(retain.device)
        samples = torch.cat([forget, retain[share]])
        steps: list[Batch] = []
        for order in streams.permutation(len(samples), "order-both", epoch).split(self.settings.batch_size):
            # Sorting puts forget samples first. They are counted on the CPU, where nothing waits for the count.
            index = samples[order.sort().values.to(samples.device)]
            forget_count = int((order < len(forget)).sum())
            steps.append({"both": Mixed(index, self.context.labels[index], forget_count=forget_count)})
        return steps

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Return the mean divergence of the student from each sample's teacher."""
        student, part = outputs["both"], batch["both"]
        assert isinstance(part, Mixed)
        forget, retain = student.images.tensor_split([part.forget_count])
        pairs = (self.random, forget), (self.original, retain)
        divergence = student.kl_from(torch.cat([teacher(images)[1] for teacher, images in pairs if len(images)]))
        return divergence / student.logits.shape[1] if self.settings.reduction == "mean" else divergence
