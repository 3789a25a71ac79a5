"""One pass over train and test data: all that any metric is computed from."""

from __future__ import annotations

from benchmark.bench import reference, work
from benchmark.bench.rows import Options, Row, Wanted, faster, rate
from benchmark.bench.timing import interleaved
from benchmark.training.device import Device
from benchmark.training.evaluate import predict
from benchmark.training.images import Images

ARCHITECTURES = ("resnet18", "vgg16", "vit", "convnet")
BATCH = 512


def rows(options: Options) -> list[Row]:
    """Return a row for each architecture."""
    device = Device.choose("auto", options.threads)
    data = work.arrays(train=options.size(2 * BATCH, 8), test=options.size(BATCH, 4))
    images = Images(data, work.AUGMENTATION, device.device)
    count = len(data.train_labels) + len(data.test_labels)
    found = []
    for arch in ARCHITECTURES:
        ours = device.place(work.model(arch, data))
        plain = work.model(arch, data).to(device.device)
        seconds = interleaved(
            {
                "ours": lambda net=ours: predict(net, images, device),  # type: ignore[misc]
                "reference": lambda net=plain: reference.evaluate(  # type: ignore[misc]
                    net, data, work.AUGMENTATION, BATCH, options.threads, device.device
                ),
            },
            options.repeats,
            device.wait,
        )
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
