"""One pass over train and test data: all that any metric is computed from."""

from __future__ import annotations

from collections.abc import Callable

from bench import reference, work
from bench.away import process
from bench.rows import Options, Row, Wanted, faster, rate
from bench.timing import interleaved
from benchmark.data.arrays import Arrays
from benchmark.training.batches import Images
from benchmark.training.device import Device, prepare_process
from benchmark.training.evaluate import predict

ARCHITECTURES = ("resnet18", "vgg16", "vit", "convnet")
BATCH = 512
PARTS = 3  # of the data: two to train on, one to test


def rows(options: Options) -> list[Row]:
    """Return a row for each architecture."""
    device = Device.choose("auto", options.threads)
    part = options.size(BATCH, 4)
    count = PARTS * part
    found = []
    for arch in ARCHITECTURES:
        given = arch, device, part, options.threads
        with process(ours, *given, wait=device.wait) as jobs, process(plain, *given, wait=device.wait) as others:
            seconds = interleaved({**jobs, **others}, options.repeats, device.wait)
        mine, theirs = seconds["ours"], seconds["reference"]
        found.append(
            Row(
                f"{arch}, {device.precision}",
                "images/s",
                rate(count, mine),
                rate(count, theirs),
                faster(mine, theirs),
                wanted=(Wanted("ratio", ">=", 2.2),) if arch == "resnet18" else (),
                seconds=seconds,
            )
        )
    return found


def ours(arch: str, device: Device, part: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return our pass over the data, as in a job's process."""
    prepare_process(threads)
    data = _data(part)
    images = Images(data, work.AUGMENTATION, device.device)
    model = device.place(work.model(arch, data))
    return {"ours": lambda: predict(model, images, device)}


def plain(arch: str, device: Device, part: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return the reference's pass; its loaders are there before, as in a script that evaluates after every epoch."""
    reference.prepare_process(threads)
    data = _data(part)
    model = work.model(arch, data).to(device.device)
    loaders = reference.loaders(data, work.AUGMENTATION, BATCH, threads)
    return {"reference": lambda: reference.evaluate(model, loaders, device.device)}


def _data(part: int) -> Arrays:
    return work.arrays(train=(PARTS - 1) * part, test=part)
