"""Augmentation of a batch, beside torchvision's image by image. On a GPU ours runs there, the reference on a core."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from PIL import Image

from bench import reference, work
from bench.rows import Options, Row, timed
from bench.timing import Process, in_turns
from benchmark.data.augment import Transform
from benchmark.training.device import Device, prepare_process

WANTED = {"CHN": [], "CHJGN": ["ratio ≥ 5"]}


def rows(options: Options) -> list[Row]:
    """Return a row for each transform, at 32 and at 64 pixels."""
    device, count, measured = Device.choose("auto", threads=1), options.size(256, 4), []
    for size in (32, 64):
        for letters, wanted in WANTED.items():
            with Process(ours, letters, size, count, device) as job, Process(plain, letters, size, count) as script:
                seconds = in_turns({"ours": job, "reference": script}, options.repeats)
            name = f"{letters}, {size} x {size}, batch {count}, one thread"
            measured.append(timed(name, seconds, count, "images/s", wanted=wanted))
    return measured


def ours(letters: str, size: int, count: int, device: Device) -> Callable[[], object]:
    """Return our augmentation of a batch, as in a job's process."""
    prepare_process(threads=1)
    images = torch.from_numpy(work.arrays(count, size=size).train_images).to(device.device)
    return partial(Transform(letters, work.AUGMENTATION), images, torch.Generator(device.device).manual_seed(0))


def plain(letters: str, size: int, count: int) -> Callable[[], object]:
    """Return torchvision's, as in a script's process."""
    reference.prepare_process(threads=1)
    pictures = [Image.fromarray(image) for image in work.arrays(count, size=size).train_images]
    transform = reference.transform(letters, work.AUGMENTATION, size)
    return lambda: torch.stack([transform(picture) for picture in pictures])
