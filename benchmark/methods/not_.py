"""NoT: negate the first layer, then fine-tune. Khalil et al. 2025; paper, Section 5.

The architecture says which parameters are negated: the first convolution's weight, or a ViT's positional embedding and
patch projection.
"""

from __future__ import annotations

from benchmark.methods.base import Method, torch
from benchmark.registry import METHODS


@METHODS.register("not", label="NoT", colour="#0072B2")
class NoT(Method):
    """Fine-tuning from weights whose first layer is multiplied by -1."""

    contrastive = True

    def prepare(self, model: torch.nn.Module) -> None:
        """Multiply the first layer's weights by -1, in place."""
        for name in tuple(model.negated):  # type: ignore[arg-type]
            model.get_parameter(name).neg_()
