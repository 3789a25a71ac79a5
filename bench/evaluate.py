"""One pass over train and test data: all that any metric is computed from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench import reference, work
from bench.rows import Options, Row, timed
from bench.timing import Process, in_turns
from benchmark.data.arrays import Arrays
from benchmark.training.batches import BATCH, Images, predict
from benchmark.training.device import Device, prepare_process

WANTED = {"resnet18": ["ratio ≥ 2.2"], "vgg16": [], "vit": [], "convnet": []}


def rows(options: Options) -> list[Row]:
    """Return a row for each architecture: two batches of training and one of test images."""
    device, size = Device.choose("auto", options.threads), options.size(BATCH, 4)
    data, measured = work.arrays(2 * size, size), []
    for arch in WANTED if not options.short else ["convnet"]:
        given = arch, device, data, options.threads
        with Process(ours, *given) as job, Process(plain, *given) as script:
            seconds = in_turns({"ours": job, "reference": script}, options.repeats)
        measured.append(timed(f"{arch}, {device.precision}", seconds, 3 * size, "images/s", wanted=WANTED[arch]))
    return measured


def ours(arch: str, device: Device, data: Arrays, threads: int) -> Callable[[], object]:
    """Return our pass over the data, as in a job's process."""
    prepare_process(threads)
    images = Images(data, work.AUGMENTATION, device.device)
    return partial(predict, device.place(work.model(arch, data)), images, device)


def plain(arch: str, device: Device, data: Arrays, threads: int) -> Callable[[], object]:
    """Return the reference's pass; its loaders are there before, as in a script that evaluates after every epoch."""
    reference.prepare_process(threads)
    model = work.model(arch, data).to(device.device)
    view = reference.transform("N", work.AUGMENTATION, data.image_shape[1])
    pictures = [reference.Pictures(*data.split(name), view) for name in ("train", "test")]
    loaders = [reference.loader(split, BATCH, threads) for split in pictures]
    return lambda: [reference.evaluate(model, loader, device.device) for loader in loaders]
