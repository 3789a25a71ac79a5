"""What ImageNet would take: sizes by arithmetic, rates as measured here. ``docs/speed.md`` plans with them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from bench import mia, work
from bench.rows import Options, Row, rate
from bench.timing import interleaved
from benchmark.data.augment import Transform
from benchmark.files import write_parquet
from benchmark.metrics.mia import mia_rate
from benchmark.models import forward_flops
from benchmark.training.batches import Images
from benchmark.training.device import Device
from benchmark.training.evaluate import predict

TRAIN, TEST, CLASSES, SIDE = 1_281_167, 50_000, 1000, 224
SMALL = 64
TERAFLOPS = 80.0  # what `cost` assumes of a card in training
ARITHMETIC = "by arithmetic"


def rows(options: Options) -> list[Row]:
    """Return the sizes, then the rates."""
    return [*_sizes(), *_rates(options), *_metrics(options)]


def _sizes() -> list[Row]:
    sizes = [
        Row(f"training images as uint8, {side} x {side}", "GB", TRAIN * side**2 * 3 / 1e9, how=ARITHMETIC)
        for side in (SIDE, SMALL, 32)
    ]
    for side in (SMALL, SIDE):
        flops = forward_flops("resnet18", CLASSES, (3, side, side))
        hours = 3 * flops * TRAIN / (TERAFLOPS * 1e12) / 3600
        work_ = f"an epoch of FT at {side} x {side}, resnet18 as it is, on a card that sustains {TERAFLOPS:g} TFLOP/s"
        sizes.append(Row(work_, "h", hours, figures={"forward GFLOPs an image": flops / 1e9}, how=ARITHMETIC))
    return sizes


def _rates(options: Options) -> list[Row]:
    """Return how many images a core decodes and crops, and how many it crops from an array."""
    Device.choose("auto", threads=1)
    count = options.size(64, 4)
    data = work.arrays(count, size=SIDE)
    images = torch.from_numpy(data.train_images)
    packed = [_jpeg() for _ in range(count)]
    crop = transforms.Compose([transforms.RandomResizedCrop(SIDE), transforms.RandomHorizontalFlip()])
    batched, generator = Transform("CHN", work.AUGMENTATION), torch.Generator().manual_seed(0)
    seconds = interleaved(
        {
            "decoded": lambda: [crop(Image.open(io.BytesIO(image)).convert("RGB")) for image in packed],
            "batched": lambda: batched(images, generator),
        },
        options.repeats,
    )
    decoded = f"JPEG of 500 x 375 decoded, cropped to {SIDE} x {SIDE} and flipped, a core"
    return [
        Row(decoded, "images/s", rate(count, seconds["decoded"]), seconds={"ours": seconds["decoded"]}),
        Row(
            f"CHN from a uint8 array of {SIDE} x {SIDE}, a core",
            "images/s",
            rate(count, seconds["batched"]),
            seconds={"ours": seconds["batched"]},
        ),
    ]


def _jpeg() -> bytes:
    """Return a smooth image of ImageNet's common size, as a JPEG of quality 90."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    coarse.save(file, "JPEG", quality=90)
    return file.getvalue()


def _metrics(options: Options) -> list[Row]:
    """Return what an evaluation leaves and what the attack takes: its sides are cut to the number of test images."""
    device = Device.choose("auto", options.threads)
    data = work.arrays(options.size(20_000, 50), test=10, size=8)
    frame = predict(device.place(work.model("convnet", data)), Images(data, work.AUGMENTATION, device.device), device)
    frame = frame.astype({"index": "int32", "label": "int16", "prediction": "int16"})
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        write_parquet(Path(folder) / "samples.parquet", frame)
        size = (Path(folder) / "samples.parquet").stat().st_size
    given = mia.confidences(mia.SATURATED, options.size(TEST, 50), options.size(TRAIN // 10, 50), seed=0)
    seconds = interleaved({"attack": lambda: mia_rate(*given)}, options.repeats)["attack"]
    return [
        Row("samples.parquet of all training and test images", "MB", size / len(frame) * (TRAIN + TEST) / 1e6),
        Row(
            f"attack with {TEST:,} members on a tenth of the training images",
            "s",
            float(np.median(seconds)),
            seconds={"ours": seconds},
        ),
    ]
