"""The most memory that training holds, ours and the reference's, each in a process of its own.

``python -m bench.memory WHO ARCH BATCH THREADS DEVICE`` does three steps of FT and prints MiB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.rows import Options, Row

ARCHITECTURES = ("resnet18", "vgg16", "vit", "convnet")
STEPS = 3


def rows(options: Options) -> list[Row]:
    """Return a row for each architecture."""
    from bench.project import project
    from bench.rows import Row
    from benchmark.training.device import Device

    batch = options.size(256, 4)
    device = str(Device.choose("auto", options.threads).device)
    found = []
    with project(options.threads) as small:
        for arch in ARCHITECTURES[: options.size(4, 1)]:
            given = arch, str(batch), str(options.threads), device
            told = {
                who: float(small.command(who, *given, module="bench.memory").split()[-1])
                for who in ("ours", "reference")
            }
            ratio = told["reference"] / told["ours"]
            found.append(Row(f"{arch}, FT, batch {batch}", "MiB", told["ours"], told["reference"], ratio))
    return found


def _peak(who: str, arch: str, batch: int, threads: int, on: str) -> float:
    import torch

    from bench import work
    from benchmark.training.device import Device

    data = work.arrays(train=3 * batch)
    steps: Callable[[], object]
    if who == "ours":
        device = Device.choose("auto", threads)
        steps = work.Steps(work.trainer("ft", arch, data, device, batch, forget=batch))
    else:
        from bench import reference
        from bench.train import Plain

        # Not chosen here: what chooses has the process keep the memory that it frees, as a plain script does not.
        reference.prepare_process(threads)
        device = Device(torch.device(on), "float32")
        steps = Plain(arch, data, device, batch, workers=0).step("ft")
    for _ in range(STEPS):
        steps()
    return device.peak_memory_mb()


if __name__ == "__main__":
    print(_peak(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
