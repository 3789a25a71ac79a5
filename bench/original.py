"""One Original of CIFAR-10 at the paper's 182 epochs, with ResNet-18: hours on a processor, so on a GPU only."""

from __future__ import annotations

import time

from bench import work
from bench.rows import Options, Row
from benchmark.methods.base import TrainingRecipe
from benchmark.training.device import Device

IMAGES, TESTED = 50_000, 10_000


def rows(options: Options) -> list[Row]:
    """Return a row with the seconds of all epochs and of the last evaluation; none without a GPU."""
    device = Device.choose("auto", options.threads)
    if device.device.type != "cuda" and not options.short:
        return []
    data = work.arrays(options.size(IMAGES, 8), options.size(TESTED, 4))
    epochs = options.size(TrainingRecipe().epochs, 2)
    arch = "resnet18" if not options.short else "convnet"
    trainer = work.trainer("original", arch, data, device, batch_size=options.size(256, 4), forget=0, epochs=epochs)
    before = time.perf_counter()
    trainer.train(lambda trainer: None)
    device.wait()
    seconds = time.perf_counter() - before
    name = f"{arch}, Original of {len(data.train_labels):,} images, {epochs} epochs, {device.precision}"
    figures = {"images/s": epochs * len(data.train_labels) / seconds}
    return [Row(name, "s", seconds, figures=figures, seconds={"ours": [seconds]})]
