"""Compiling a model's training passes. It is off unless the environment variable BENCHMARK_COMPILE says otherwise.

On a processor most jobs end before compiling pays off: the benchmark's section ``alternatives`` measures cost and gain.
On a GPU it may pay off, above all for small networks, whose steps are many short kernels. torch caches what it has
compiled in a folder that all jobs of a user and machine share (TORCHINDUCTOR_CACHE_DIR).
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
    """Return ``off`` or the mode of `torch.compile` that the environment names; raise `BadInput` for another."""
    wanted = os.environ.get(COMPILE, OFF)
    if wanted not in (OFF, *MODES):
        raise unknown("way of compiling", wanted, (OFF, *MODES), COMPILE)
    return wanted


def compiled(model: nn.Module) -> Callable[..., Any]:
    """Return the model compiled, sharing its weights; the model itself where compiling is off."""
    return model if mode() == OFF else torch.compile(model, mode=mode())
