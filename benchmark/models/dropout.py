"""Dropout that costs a processor little: torch draws 64 random bits a value there, on one thread."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BITS = 16  # of randomness a value: probabilities are rounded to multiples of 1/65536


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, its mask made of 16 random bits a value where it works on a processor.

    The expected value is that of the input exactly: what is kept is scaled by the probability that was rounded.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values``, of any shape, with a share ``p`` of them set to 0 and the others scaled up."""
        dropped = round(self.p * 2**BITS)
        if not self.training or values.device.type != "cpu" or dropped in (0, 2**BITS):
            return super().forward(values)
        words = torch.empty(-(-values.numel() * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: values.numel()].view(values.shape)
        kept = bits >= dropped - 2 ** (BITS - 1)
        return values * kept.to(values.dtype).mul_(2**BITS / (2**BITS - dropped))
