"""How fast is training, beside plain code and beside the hardware's peak?

A step is that of a job, with loading, augmentation and optimiser; evaluation and attack take the rest of a run's time.
Ours and the reference take turns, each in a process of its own, as jobs and scripts are. In a shared process each would
reuse the memory that the other left and not have to get it from the system.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import torch

from bench import reference, work
from bench.rows import Options, Row, span, timed
from bench.timing import Clock, Process, clock, in_turns
from benchmark.data.arrays import Arrays
from benchmark.metrics.mia import membership_attack
from benchmark.models import forward_flops
from benchmark.registry import METHODS
from benchmark.training.batches import BATCH, Images, predict
from benchmark.training.device import Device, prepare_process

# Architecture, method, batch size: the paper's, but half of it for the ViT, whose two processes share the memory.
STEPS = (
    ("resnet18", "ft", 256),
    ("resnet18", "coun", 256),
    ("vgg16", "ft", 256),
    ("vit", "ft", 128),
    ("resnet18-w32", "ft", 64),
    ("convnet", "ft", 256),
    ("resnet18-w16-s2", "ft", 64),
)
# Timed as a workflow runs narrow models: one job per core, each of one thread.
SIDE_BY_SIDE = ("resnet18-w32", "resnet18-w16-s2")


def rows(options: Options) -> list[Row]:
    """Return a row for each peak and each step, and for evaluation and attack."""
    device = Device.choose("auto", options.threads)
    return [
        *_peaks(device, options),
        *[_step(*step, device, options) for step in options.pick(STEPS, STEPS[-2:])],
        _evaluation(options.pick("resnet18", "convnet"), device, options),
        _attack(options.pick(45_000, 1_000), options),
    ]


def answer(rows: list[Row]) -> str:
    """Return how fast steps are, in a sentence."""
    steps = [row for row in rows if row["share"] is not None]
    return (
        f"a training step is {span(steps, 'ratio')} times as fast as plain code, "
        f"at {span(steps, 'share')} of the hardware's peak."
    )


def matrix_size(device: Device, options: Options) -> int:
    """Return the side of the square matrices whose product measures the hardware's peak."""
    return options.pick(4096 if device.device.type == "cuda" else 2048, 128)


def matrix_product(device: Device, precision: str, n: int) -> Clock:
    """Return the clock of a product of two n x n matrices."""
    left, right, out = torch.randn(3, n, n).to(device.device, getattr(torch, precision))
    return clock(partial(torch.matmul, left, right, out=out))


def _peaks(device: Device, options: Options) -> list[Row]:
    n, peaks = matrix_size(device, options), []
    for precision in dict.fromkeys([device.precision, "float32"]):
        seconds = in_turns({"ours": matrix_product(device, precision, n)}, options.repeats)
        peaks.append(timed(f"matrix product, {n} x {n}, {precision}", seconds, 2 * n**3 / 1e9, "GFLOP/s"))
    return peaks


def _step(arch: str, method: str, full_batch: int, device: Device, options: Options) -> Row:
    jobs = options.threads if arch in SIDE_BY_SIDE and device.device.type == "cpu" else 1
    batch, n = options.pick(full_batch, 4), matrix_size(device, options)
    arguments = method, arch, device, batch, options.threads // jobs
    clocks: dict[str, Clock] = {"matrix product": matrix_product(device, device.precision, n)}
    with Process(step, *arguments, copies=jobs) as ours, Process(plain_step, *arguments, copies=jobs) as plain:
        seconds = in_turns(clocks | {"ours": ours, "reference": plain}, options.repeats, settle=True)
    passes = sum(METHODS.get(method).executed_units.values())
    flops = jobs * batch * passes * forward_flops(arch, work.CLASSES, (3, 32, 32))
    peak = 2 * n**3 / statistics.median(seconds["matrix product"])
    share = flops / statistics.median(seconds["ours"]) / peak
    name = f"{arch}, {method}, batch {batch}, {device.precision}" + f", {jobs} jobs side by side" * (jobs > 1)
    return timed(name, seconds, jobs * batch, "images/s", share)


def _use(device: Device) -> None:
    """Make the device's card this process's current one, for which its clock waits."""
    if device.device.type == "cuda":
        torch.cuda.set_device(device.device)


def step(method: str, arch: str, device: Device, batch: int, threads: int) -> Callable[[], None]:
    """Return our step of a method, as a job's process does it."""
    prepare_process(threads)
    _use(device)
    return work.steps(work.trainer(method, arch, work.arrays(train=5 * batch), device, batch, forget=batch))


def plain_step(method: str, arch: str, device: Device, batch: int, threads: int) -> Callable[[], None]:
    """Return the reference's step. Its loader fetches the next batches while a step computes."""
    reference.prepare_process(threads)
    _use(device)
    data = work.arrays(train=5 * batch)
    model = work.model(arch, data).to(device.device)
    reference.use_torchs_dropout(model)
    sgd = reference.optimiser(model)
    views = [reference.transform("CHN", work.AUGMENTATION, data.image_shape[1])] * (2 if method == "coun" else 1)
    batches = reference.endless(reference.Pictures(*data.split("train"), *views), batch, threads)

    def load() -> list[torch.Tensor]:
        return [part.to(device.device) for part in next(batches)]

    if method == "ft":
        return lambda: reference.ft(model, sgd, *load())
    return lambda: reference.coun(model, sgd, 1.0, 0.1, *load())


def _evaluation(arch: str, device: Device, options: Options) -> Row:
    """Time a pass over two batches of training images and one of test images: every metric is computed from it."""
    size = options.pick(BATCH, 4)
    arguments = arch, device, work.arrays(2 * size, size), options.threads
    with Process(evaluation, *arguments) as ours, Process(plain_evaluation, *arguments) as plain:
        seconds = in_turns({"ours": ours, "reference": plain}, options.repeats)
    return timed(f"evaluation, {arch}, {device.precision}", seconds, 3 * size, "images/s")


def evaluation(arch: str, device: Device, data: Arrays, threads: int) -> Callable[[], object]:
    """Return our pass over the data, as a job's process does it."""
    prepare_process(threads)
    _use(device)
    images = Images(data, work.AUGMENTATION, device.device)
    return partial(predict, device.place(work.model(arch, data)), images, device)


def plain_evaluation(arch: str, device: Device, data: Arrays, threads: int) -> Callable[[], object]:
    """Return the reference's pass. Its loaders exist already, as in a script that evaluates after every epoch."""
    reference.prepare_process(threads)
    _use(device)
    model = work.model(arch, data).to(device.device)
    view = reference.transform("N", work.AUGMENTATION, data.image_shape[1])
    pictures = [reference.Pictures(*data.split(name), view) for name in ("train", "test")]
    loaders = [reference.loader(split, BATCH, threads) for split in pictures]
    return lambda: [reference.evaluate(model, loader, device.device) for loader in loaders]


def _attack(size: int, options: Options) -> Row:
    """Time the attack on bins beside the exact SVC, trained on ``size`` samples, half of them members."""
    samples = work.confidences(work.SPREAD, size // 2, size // 10, seed=1)  # a tenth is judged, as in random-10
    attacks = {"ours": lambda: membership_attack(*samples), "reference": lambda: reference.membership_attack(*samples)}
    seconds = in_turns({name: clock(attack) for name, attack in attacks.items()}, options.repeats)
    return timed(f"attack, {size:,} samples, spread-out confidences", seconds)
