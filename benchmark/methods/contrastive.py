"""CoUn, and the contrastive term that turns fine-tuning into it. Paper, Section 4 and code listing.

On the retain data alone, with two augmented views of every image, their features z and z', and labels y:

    CoUn = CE(first view, y) + lambda * InfoNCE(z, z')

Any method whose steps hold a retain batch can take the term, as ``<method>+cl``; ``coun`` is the name of ``ft+cl``. At
lambda 0 there is no second view, since its forward pass would move the batch-norm statistics: CoUn at lambda 0 *is* FT.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

from pydantic import create_model

from benchmark.errors import IncompletePlugin
from benchmark.methods.base import Batch, Method, Output, cosine_similarity, setting, torch
from benchmark.methods.ft import FT
from benchmark.registry import METHODS
from benchmark.settings import Strict


def info_nce(first: torch.Tensor, second: torch.Tensor, tau: float) -> torch.Tensor:
    """Return the sum of both directions' mean InfoNCE loss between two views' features (N, D), in float32: a scalar.

    Similarity is the cosine over ``tau``, which may be small: exp(1/tau) is never formed. As in the paper's code
    listing, the denominator for a sample runs over the other view's samples alone, its own positive included (not
    SimCLR's 2N - 1), and there is no factor 1/2.
    """
    similarity = cosine_similarity(first, second) / tau
    return -similarity.log_softmax(1).diagonal().mean() - similarity.T.log_softmax(1).diagonal().mean()


class ContrastiveSettings(Strict):
    """Hyperparameters of the contrastive term, beside those of the method that takes it."""

    lambda_: float = setting(1.0, "weight of the contrastive term", paper=(0.1, 6), scale="log", ge=0, alias="lambda")
    tau: float = setting(0.1, "temperature of InfoNCE", paper=(0, 0.3), search=(0.03, 0.3), scale="log", gt=0)
    cl_transform: str = setting(
        "CHN",
        "second view's augmentation: C crop, H flip, J colour jitter, G greyscale, N normalise, in this order",
        pattern="^C?H?J?G?N?$",
        min_length=1,
    )


class ContrastiveTerm(Method):
    """A mixin before a method: adds lambda * InfoNCE to each step that has a retain batch."""

    def __init_subclass__(cls) -> None:
        """Give the class the settings and the costs of the method and of the term."""
        method = cls.__bases__[1]
        assert issubclass(method, Method)
        if clashes := sorted(method.Settings.model_fields.keys() & ContrastiveSettings.model_fields.keys()):
            raise IncompletePlugin(
                f"method {method.__name__}: Settings: {', '.join(clashes)}: the contrastive term has a setting of that "
                "name: accepted is another name, or contrastive = False"
            )
        if "view" in method.executed_units:
            raise IncompletePlugin(
                f"method {method.__name__}: executed_units: view: the contrastive term has a part of that name: "
                "accepted is another name, or contrastive = False"
            )
        bases: Any = (ContrastiveSettings, method.Settings)
        cls.Settings = create_model(f"{cls.__name__}Settings", __base__=bases)
        # The paper counts only the forward pass of the second view; its backward pass runs too.
        cls.paper_units = method.paper_units | {"view": 1}
        cls.executed_units = method.executed_units | {"view": 3}
        cls.contrastive = False  # one term is enough

    def batches(self, epoch: int) -> list[Batch]:
        """Add the second view of the same retain images to each step."""
        steps = super().batches(epoch)
        if self.settings.lambda_ == 0:
            return steps
        second_view = partial(replace, transform=self.settings.cl_transform)
        return [step | {"view": second_view(step["retain"])} if "retain" in step else step for step in steps]

    def loss(self, outputs: dict[str, Output], batch: Batch, epoch: int) -> torch.Tensor:
        """Add the term to the method's own loss."""
        loss = super().loss(outputs, batch, epoch)
        if "view" in outputs:
            first, second = outputs["retain"].features, outputs["view"].features
            loss = loss + self.settings.lambda_ * info_nce(first, second, self.settings.tau)
        return loss


@METHODS.register("coun", label="CoUn", colour="#D55E00")
class CoUn(ContrastiveTerm, FT):
    """CE(first view) + lambda * InfoNCE(first view, second view), on the retain data only."""


@cache
def with_contrastive_term(method: type[Method]) -> type[Method]:
    """Return the class of ``<method>+cl``, the same at every call; that of FT is `CoUn`."""
    attributes = {"__module__": method.__module__, "__doc__": f"{method.__name__} with the contrastive term."}
    return CoUn if method is FT else type(f"{method.__name__}CL", (ContrastiveTerm, method), attributes)
