"""Compiling a model's training passes, where the environment asks for it. It is off unless it does.

On a processor most jobs end before compiling has paid: the benchmark's section ``alternatives`` measures its cost and
its gain. On a GPU it may pay, above all for small networks, whose steps are many short kernels. What is compiled
torch keeps in a folder that all jobs of a user and machine share (TORCHINDUCTOR_CACHE_DIR).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmark.errors import unknown

COMPILE = "BENCHMARK_COMPILE"
OFF = "off"
# torch.compile's; `reduce-overhead` records CUDA graphs.
MODES = ("default", "reduce-overhead", "max-autotune")


def mode() -> str:
    """Return ``off`` or how models are compiled, as the environment says; raise `BadInput` for anything else."""
    wanted = os.environ.get(COMPILE, OFF)
    if wanted not in (OFF, *MODES):
        raise unknown("way of compiling", wanted, (OFF, *MODES), COMPILE)
    return wanted


def compiled(model: nn.Module) -> Callable[..., Any]:
    """Return what computes as the model does, with its weights; the model itself, unless the environment asks."""
    if mode() == OFF:
        return model
    return torch.compile(model, mode=mode())
