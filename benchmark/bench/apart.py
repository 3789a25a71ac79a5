"""Batch norm of each part of a batch on its own, for all parts in one pass: what several passes compute, but for order.

An alternative that is measured, and left out: see `benchmark.bench.alternatives`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

NATIVE = torch.ops.aten.native_batch_norm_backward


class _Apart(torch.autograd.Function):
    """As `torch.nn.functional.batch_norm` in training, on each of ``parts`` equal pieces of a batch in turn."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor, parts: int) -> Tensor:
        out = torch.empty_like(x)
        facts = []
        for piece, place in zip(x.chunk(parts), out.chunk(parts), strict=True):
            mean, scale = (torch.empty_like(weight) for _ in range(2))
            running = norm.running_mean, norm.running_var
            into = place, mean, scale
            torch.native_batch_norm(piece, weight, bias, *running, True, norm.momentum or 0.0, norm.eps, out=into)
            facts += [mean, scale]
        ctx.save_for_backward(x, weight, *facts)
        ctx.eps = norm.eps
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *facts = ctx.saved_tensors
        means, scales = facts[::2], facts[1::2]
        pieces = zip(gradients[0].chunk(len(means)), x.chunk(len(means)), means, scales, strict=True)
        found = [
            NATIVE(given, piece, weight, None, None, mean, scale, True, ctx.eps, [True, True, True])
            for given, piece, mean, scale in pieces
        ]
        of_x, of_weight, of_bias = zip(*found, strict=True)
        return torch.cat(of_x), None, sum(of_weight), sum(of_bias), None


def keep_apart(model: nn.Module, parts: int) -> None:
    """Have a model's batch norms take each of ``parts`` equal pieces of a batch on its own, in training."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.forward = partial(_forward, norm, parts)  # type: ignore[method-assign]


def _forward(norm: nn.BatchNorm2d, parts: int, x: Tensor) -> Tensor:
    return _Apart.apply(x, norm, norm.weight, norm.bias, parts)
