"""The most memory that training holds, ours and the reference's, each in a process of its own.

``python -m benchmark.bench.memory WHO ARCH BATCH THREADS`` does three steps of FT and prints MiB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.bench.rows import Options, Row

ARCHITECTURES = ("resnet18", "vgg16", "vit", "convnet")
STEPS = 3


def rows(options: Options) -> list[Row]:
    """Return a row for each architecture."""
    from benchmark.bench.project import project
    from benchmark.bench.rows import Row

    batch = options.size(256, 4)
    found = []
    with project(options.threads) as small:
        for arch in ARCHITECTURES[: options.size(4, 1)]:
            told = {
                who: float(
                    small.command(who, arch, str(batch), str(options.threads), module="benchmark.bench.memory").split()[
                        -1
                    ]
                )
                for who in ("ours", "reference")
            }
            ratio = told["reference"] / told["ours"]
            found.append(Row(f"{arch}, FT, batch {batch}", "MiB", told["ours"], told["reference"], ratio))
    return found


def _peak(who: str, arch: str, batch: int, threads: int) -> float:
    import torch

    from benchmark.bench import work
    from benchmark.training.device import Device

    data = work.arrays(train=3 * batch)
    steps: Callable[[], object]
    if who == "ours":
        device = Device.choose("auto", threads)
        steps = work.Steps(work.trainer("ft", arch, data, device, batch, forget=batch))
    else:
        from benchmark.bench.train import Plain

        torch.set_num_threads(threads)
        device = Device(torch.device("cuda" if torch.cuda.is_available() else "cpu"), "float32")
        steps = Plain(arch, data, device, batch, workers=0).step("ft")
    for _ in range(STEPS):
        steps()
    return device.peak_memory_mb()


if __name__ == "__main__":
    print(_peak(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
