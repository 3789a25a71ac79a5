"""A check for operators that this build of torch runs far too slowly: some releases run one hundreds of times slow."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

# The least rate of each operator, as a share of that of NumPy's float32 matrix product: any sound build is far above.
LEAST = {"matrix product": 0.3, "convolution": 0.1, "gradients of a convolution": 0.1}
SIDE, BATCH, CHANNELS, PIXELS = 512, 64, 64, 16
REPEATS = 3  # the fastest counts, since other jobs can only slow one down


def slow_operators(precision: str, rate: Callable[[Callable[[], object], float], float] | None = None) -> list[str]:
    """Return a line for each operator that is slower in ``precision`` than a sound build would be on this processor.

    Takes about a second. ``rate`` returns operations a second from a function and the operations in a call of it.
    """
    rate = rate or _rate
    dtype = getattr(torch, precision)
    matrix = torch.rand(SIDE, SIDE)
    images = torch.rand(BATCH, CHANNELS, PIXELS, PIXELS).to(dtype, memory_format=torch.channels_last).requires_grad_()
    weight = torch.rand(CHANNELS, CHANNELS, 3, 3).to(dtype, memory_format=torch.channels_last).requires_grad_()
    output = F.conv2d(images, weight, padding=1)
    product, convolution = 2 * SIDE**3, 2 * 9 * output.numel() * CHANNELS  # operations
    array, matrix = matrix.numpy(), matrix.to(dtype)
    peak = rate(lambda: np.matmul(array, array), product)
    rates = {
        "matrix product": rate(lambda: matrix @ matrix, product),
        "convolution": rate(lambda: F.conv2d(images, weight, padding=1), convolution),
        "gradients of a convolution": rate(
            lambda: torch.autograd.grad(output, (images, weight), output, retain_graph=True), 2 * convolution
        ),
    }
    return [
        f"{name} in {precision}: {measured / peak:.2g} of the rate of NumPy's float32 matrix product, expected at "
        f"least {LEAST[name]} (torch {torch.__version__}): another release or `precision` may be faster"
        for name, measured in rates.items()
        if measured < LEAST[name] * peak
    ]


def _rate(operation: Callable[[], object], operations: float) -> float:
    operation()
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()  # not the clock's: other jobs may hold the processor meanwhile
        operation()
        seconds.append(time.process_time() - started)
    return operations / min(seconds)
