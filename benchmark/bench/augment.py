"""Augmentation of a batch on one core, beside torchvision's per-image pipeline."""

from __future__ import annotations

import torch
from PIL import Image

from benchmark.bench import reference, work
from benchmark.bench.rows import Options, Row, Wanted, faster, rate
from benchmark.bench.timing import interleaved
from benchmark.data.augment import Transform
from benchmark.training.device import Device

BATCH = 256
WANTED: dict[str, tuple[Wanted, ...]] = {"CHN": (), "CHJGN": (Wanted("ratio", ">=", 5.0),)}


def rows(options: Options) -> list[Row]:
    """Return a row for each transform, at 32 and at 64 pixels. On a GPU ours runs there, the reference on a core."""
    return [_row(name, size, options) for size in (32, 64) for name in WANTED]


def _row(name: str, size: int, options: Options) -> Row:
    device = Device.choose("auto", threads=1)
    data = work.arrays(options.size(BATCH, 4), size=size)
    images = torch.from_numpy(data.train_images).to(device.device)
    pictures = [Image.fromarray(image) for image in data.train_images]
    ours = Transform(name, work.AUGMENTATION)
    plain = reference.transform(name, work.AUGMENTATION, size)
    generator = torch.Generator(device.device).manual_seed(0)
    seconds = interleaved(
        {
            "ours": lambda: ours(images, generator),
            "reference": lambda: torch.stack([plain(picture) for picture in pictures]),
        },
        options.repeats,
        device.wait,
    )
    mine, theirs = seconds["ours"], seconds["reference"]
    return Row(
        f"{name}, {size} x {size}, batch {len(images)}, one thread",
        "images/s",
        rate(len(images), mine),
        rate(len(images), theirs),
        faster(mine, theirs),
        wanted=WANTED[name],
        seconds=seconds,
    )
