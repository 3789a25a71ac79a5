"""SCRUB: move away from Original on the forget data, stay with it on the retain data. Kurmanji et al. 2023; Table 7.

Epochs 1 to ``msteps`` begin with a pass over the forget data; every epoch has a pass over the retain data. With the
teacher t, which is the model that the run starts from, and the student s, which is trained, they minimise

    forget  -KL(t || s)
    retain  gamma * CE(s) + alpha * KL(t || s)

The teacher is in evaluation mode and the student in training mode, as in the authors' code. A student that still has
the teacher's weights differs from it by batch statistics or dropout alone; without either, it gets no gradient from the
forget data until something else has moved it.

Differences from the authors' code (github.com/meghdadk/SCRUB): temperature 1, as in this paper, while they divide
logits by a temperature and multiply the divergence by its square; one batch size for both passes; no rewinding to an
earlier epoch. Their packaged version counts epochs from 0 but compares with ``<=``, and so makes ``msteps`` + 1 forget
passes; here there are ``msteps``. The printed cost, 8.93 PFLOPs, is 4 units on all 196 batches in 40 epochs,
as if each had a forget pass; here only the passes made are charged.
"""

from __future__ import annotations

from copy import deepcopy

from benchmark.methods.base import Batch, Method, Output, Recipe, setting, torch
from benchmark.registry import METHODS


@METHODS.register("scrub", label="SCRUB", colour="#332288")
class SCRUB(Method):
    """Distillation from Original on the retain data, and away from it on the forget data."""

    class Settings(Recipe):
        """Hyperparameters of SCRUB."""

        msteps: int = setting(5, "number of epochs, from the first, that begin with a forget pass", paper=(1, 10), ge=0)
        gamma: float = setting(1.0, "weight of the retain cross-entropy", paper=(0.1, 3), scale="log", ge=0)
        alpha: float = setting(0.5, "weight of the retain divergence from Original", paper=(0.1, 3), scale="log", ge=0)

    contrastive = True
    # The student's forward and backward pass, and the teacher's forward pass.
    paper_units = executed_units = {"forget": 4, "retain": 4}
    teacher: torch.nn.Module

    def prepare(self, model: torch.nn.Module) -> None:
        """Freeze a copy of the starting model as the teacher."""
        self.teacher = deepcopy(model).eval().requires_grad_(False)

    def batches(self, epoch: int) -> list[Batch]:
        """Return the forget pass, in the first ``msteps`` epochs, and the retain pass."""
        forget = self.parts("forget", epoch) if epoch < self.settings.msteps else []
        return [{"forget": part} for part in forget] + super().batches(epoch)

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Maximise the divergence on a forget batch; minimise it and the cross-entropy on a retain batch."""
        gamma, alpha = self.settings.gamma, self.settings.alpha
        if "forget" in outputs:
            return -self.divergence(outputs["forget"])
        retain = outputs["retain"]
        return gamma * retain.cross_entropy(batch["retain"].label) + alpha * self.divergence(retain)

    def divergence(self, output: Output) -> torch.Tensor:
        """Return the mean KL(teacher || student)."""
        _, teacher_logits = self.teacher(output.images)
        return output.kl_from(teacher_logits)
