"""The base of every architecture: a body that computes features, and a linear head that turns them into logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from benchmark.errors import IncompletePlugin


class Classifier(nn.Module):
    """A feature extractor f and a classifier head h, the paper's notation.

    Parameters
    ----------
    body : maps images, float32 (B, C, H, W), to features, (B, D) or a shape that flattens to it.
    head : maps features to logits, (B, classes).
    negated : positions, in the order of parameters, of those that NoT negates (Khalil et al. 2025): by default the
        first layer's weight. The attribute holds their names. Raises `IncompletePlugin` where there is no such one.
    """

    def __init__(self, body: nn.Module, head: nn.Linear, negated: Sequence[int] = (0,)):
        super().__init__()
        self.body = body
        self.head = head
        names = [name for name, _ in self.named_parameters()]
        for position in negated:
            if not 0 <= position < len(names):
                accepted = f"accepted are positions of the parameters, 0 to {len(names) - 1}"
                raise IncompletePlugin(f"a {type(self).__name__}: negated: {position}: {accepted}")
        self.negated: tuple[str, ...] = tuple(names[position] for position in negated)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, float32 (B, D), and logits, float32 (B, classes).

        The head works in float32 even where autocast runs the body in bfloat16: losses and confidences near 0 and 1 do
        not survive bfloat16's three digits.
        """
        features = self.body(images).flatten(1).float()
        # Autocast does not know the "meta" device, on which operations are counted without data.
        device = "cpu" if features.is_meta else features.device.type
        with torch.autocast(device, enabled=False):
            return features, self.head(features)
