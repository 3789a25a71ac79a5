"""FT: fine-tuning on the retain data, and forgetting by not being reminded. Paper, Section 5."""

from __future__ import annotations

from benchmark.methods.base import Method
from benchmark.registry import METHODS


@METHODS.register("ft", label="FT", colour="#E69F00")
class FT(Method):
    """Cross-entropy on the retain data."""

    contrastive = True
