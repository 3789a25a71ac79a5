"""What the hardware can do at most: a large matrix product in each precision, and a copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from bench.rows import Options, Row, timed
from bench.timing import clock, in_turns
from benchmark.training.device import Device


def side(device: Device, options: Options) -> int:
    """Return the side of the square matrices whose product is the hardware's peak."""
    return options.size(4096 if device.device.type == "cuda" else 2048, 128)


def product(device: Device, precision: str, side: int) -> Callable[[], object]:
    """Return their product."""
    left, right, out = torch.randn(3, side, side).to(device.device, getattr(torch, precision))
    return partial(torch.matmul, left, right, out=out)


def rows(options: Options) -> list[Row]:
    """Return a row for each precision, and one for the copy."""
    device = Device.choose("auto", options.threads)
    n, measured = side(device, options), []
    for precision in dict.fromkeys([device.precision, "float32"]):
        seconds = in_turns({"ours": clock(product(device, precision, n))}, options.repeats)
        measured.append(timed(f"matrix product, {n} x {n}, {precision}", seconds, 2 * n**3 / 1e9, "GFLOP/s"))
    source, target = torch.ones(2, options.size(256, 4) * 2**18, device=device.device)
    seconds, size = in_turns({"ours": clock(lambda: target.copy_(source))}, options.repeats), source.nbytes
    return [*measured, timed(f"copy of {size // 2**20} MiB, bytes read and written", seconds, 2 * size / 1e9, "GB/s")]
