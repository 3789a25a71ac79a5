"""What the hardware can do at most: matrix products, convolutions, copies."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from bench.rows import Options, Row, rate
from bench.timing import interleaved
from benchmark.training.device import Device

# Channels in and out and side of the 3x3 convolutions that make up a ResNet-18 at 32 pixels.
CONVOLUTIONS = ((64, 64, 32), (128, 128, 16), (256, 256, 8), (512, 512, 4))
BATCH = 256
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def product(device: Device, precision: str, side: int) -> tuple[Callable[[], object], float]:
    """Return a square matrix product and its floating-point operations."""
    left, right = (torch.randn(side, side, device=device.device).to(PRECISIONS[precision]) for _ in range(2))
    out = torch.empty_like(left)
    return lambda: torch.matmul(left, right, out=out), product_flops(side)


def product_flops(side: int) -> float:
    """Return the floating-point operations of a product of square matrices."""
    return 2.0 * side**3


def convolution(
    device: Device, precision: str, shape: tuple[int, int, int], batch: int
) -> tuple[Callable[[], object], float]:
    """Return a 3x3 convolution, forward, in channels_last, and its floating-point operations."""
    before, after, side = shape
    images, weight = torch.randn(batch, before, side, side), torch.randn(after, before, 3, 3)
    images, weight = (
        part.to(device.device, PRECISIONS[precision], memory_format=torch.channels_last) for part in (images, weight)
    )
    return lambda: F.conv2d(images, weight, padding=1), 2.0 * batch * side**2 * before * after * 9


def side_of(device: Device, options: Options) -> int:
    """Return the side of the matrices whose product is the ceiling."""
    return options.size(4096 if device.device.type == "cuda" else 2048, 128)


def rows(options: Options) -> list[Row]:
    """Return the peak of each precision's matrix products and convolutions, and of copying memory."""
    device = Device.choose("auto", options.threads)
    found = []
    for precision in PRECISIONS:
        if precision == "bfloat16" and device.precision != "bfloat16":
            continue
        pieces = {f"matrix product, {n} x {n}": product(device, precision, n) for n in _sides(device, options)}
        for shape in CONVOLUTIONS[: options.size(4, 1)]:
            name = "convolution 3x3, {} to {} channels, {} x {}".format(*shape, shape[2])
            pieces[name] = convolution(device, precision, shape, options.size(BATCH, 2))
        seconds = interleaved({name: do for name, (do, _) in pieces.items()}, options.repeats, device.wait)
        for name, taken in seconds.items():
            speed = rate(pieces[name][1], taken) / 1e9
            found.append(Row(f"{name}, {precision}", "GFLOP/s", speed, seconds={"ours": taken}))
    source = torch.ones(options.size(64, 1) * 2**20, device=device.device)
    target = torch.empty_like(source)
    taken = interleaved({"copy": lambda: target.copy_(source)}, options.repeats, device.wait)["copy"]
    size = 2 * source.numel() * source.element_size()
    work = f"copy of {size // 2**21} MiB, bytes read and written"
    return [*found, Row(work, "GB/s", rate(size, taken) / 1e9, seconds={"ours": taken})]


def _sides(device: Device, options: Options) -> tuple[int, ...]:
    side = side_of(device, options)
    return side // 2, side, 2 * side
