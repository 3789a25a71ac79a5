"""Augmentation of a batch on one core, beside torchvision's per-image pipeline."""

from __future__ import annotations

import torch
from PIL import Image

from bench import reference, work
from bench.away import Pieces, process
from bench.rows import Options, Row, Wanted, faster, rate
from bench.timing import interleaved
from benchmark.data.augment import Transform
from benchmark.training.device import Device, prepare_process

BATCH = 256
WANTED: dict[str, tuple[Wanted, ...]] = {"CHN": (), "CHJGN": (Wanted("ratio", ">=", 5.0),)}


def rows(options: Options) -> list[Row]:
    """Return a row for each transform, at 32 and at 64 pixels. On a GPU ours runs there, the reference on a core."""
    return [_row(name, size, options) for size in (32, 64) for name in WANTED]


def _row(name: str, size: int, options: Options) -> Row:
    """Each in a process of its own, as jobs and scripts are: ours keeps the memory that it frees, as a job does."""
    device = Device.choose("auto", threads=1)
    count = options.size(BATCH, 4)
    given = name, size, count, device
    with process(ours, *given, wait=device.wait) as job, process(plain, *given, wait=device.wait) as script:
        seconds = interleaved({"ours": job["batch"], "reference": script["batch"]}, options.repeats, device.wait)
    mine, theirs = seconds["ours"], seconds["reference"]
    return Row(
        f"{name}, {size} x {size}, batch {count}, one thread",
        "images/s",
        rate(count, mine),
        rate(count, theirs),
        faster(mine, theirs),
        wanted=WANTED[name],
        seconds=seconds,
    )


def ours(name: str, size: int, count: int, device: Device) -> Pieces:
    """Return our augmentation of a batch of ``count`` images, as in a job's process."""
    prepare_process(threads=1)
    images = torch.from_numpy(work.arrays(count, size=size).train_images).to(device.device)
    transform = Transform(name, work.AUGMENTATION)
    generator = torch.Generator(device.device).manual_seed(0)
    return {"batch": lambda: transform(images, generator)}


def plain(name: str, size: int, count: int, device: Device) -> Pieces:
    """Return torchvision's, image by image, as in a script's process."""
    reference.prepare_process(threads=1)
    pictures = [Image.fromarray(image) for image in work.arrays(count, size=size).train_images]
    transform = reference.transform(name, work.AUGMENTATION, size)
    return {"batch": lambda: torch.stack([transform(picture) for picture in pictures])}
