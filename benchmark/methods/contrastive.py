"""The contrastive term: InfoNCE between two augmented views of the retain batch. Paper, Section 4 and code listing.

Added to a method as ``+cl``; CoUn is this term on FT. At lambda 0 the second view is not made at all, since its
forward pass would move the batch-norm statistics: CoUn at lambda 0 *is* FT.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from benchmark.methods.base import Batch, Method, Output, Recipe, setting

if TYPE_CHECKING:
    from torch import Tensor

VIEW = "view"

# The paper counts the second view's forward pass only; what runs is forward and backward.
PAPER_UNITS = {VIEW: 1}
EXECUTED_UNITS = {VIEW: 3}


def info_nce(first: Tensor, second: Tensor, tau: float) -> Tensor:
    """Sum of the mean InfoNCE losses of both directions, computed in float32: a scalar.

    Similarity is the cosine over ``tau``. The denominator for a sample runs over the other view's samples alone, its
    own positive included (not SimCLR's 2N - 1), and there is no factor 1/2: the paper's code listing.

    Parameters
    ----------
    first, second : (N, D) features of the two views, row n of both from the same image.
    tau : temperature. Small ones are safe: the log-sum-exp never forms exp(1/tau).
    """
    import torch

    first, second = (z.float() / z.float().norm(dim=1, keepdim=True).clamp_min(1e-12) for z in (first, second))
    # Autocast would compute the product in bfloat16.
    with torch.autocast(first.device.type, enabled=False):
        similarity = first @ second.T / tau
    return -similarity.log_softmax(1).diagonal().mean() - similarity.T.log_softmax(1).diagonal().mean()


class ContrastiveSettings(Recipe):
    """Hyperparameters of the contrastive term."""

    lambda_: float = setting(1.0, "weight of the contrastive term", paper=(0.1, 6), log=True, ge=0, alias="lambda")
    tau: float = setting(0.1, "temperature of InfoNCE", paper=(0, 0.3), least=0.03, log=True, gt=0)
    cl_transform: str = setting(
        "CHN",
        "second view's augmentation: C crop, H flip, J colour jitter, G greyscale, N normalise, in this order",
        pattern="^C?H?J?G?N?$",
        min_length=1,
    )


class ContrastiveTerm(Method):
    """Mixed in before a method, adds lambda * InfoNCE to each step that has a retain batch."""

    Settings = ContrastiveSettings
    contrastive = False  # one such term is enough

    def batches(self, epoch: int) -> list[Batch]:
        """Add the second view of the same retain images to each step."""
        steps = super().batches(epoch)
        if self.settings.lambda_ == 0:
            return steps
        second = {"transform": self.settings.cl_transform}
        return [step | {VIEW: replace(step["retain"], **second)} if "retain" in step else step for step in steps]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> Tensor:
        """Add the term to the method's own loss."""
        loss = super().loss(outputs, batch, epoch)
        if VIEW in outputs:
            pair = (outputs["retain"].features, outputs[VIEW].features)
            loss = loss + self.settings.lambda_ * info_nce(*pair, self.settings.tau)
        return loss


def with_contrastive_term(method: Any) -> Any:
    """Return the class of ``<method>+cl``: the method, the term, and the settings of both."""
    name = f"{method.__name__}CL"
    # Where the method has no settings of its own, Recipe is already among the term's bases.
    own = () if method.Settings is Recipe else (method.Settings,)
    return type(
        name,
        (ContrastiveTerm, method),
        {
            "__module__": method.__module__,
            "__doc__": f"{method.__name__} with the contrastive term.",
            "Settings": create_model(f"{name}Settings", __base__=(ContrastiveSettings, *own)),
            "paper_units": method.paper_units | PAPER_UNITS,
            "executed_units": method.executed_units | EXECUTED_UNITS,
        },
    )
