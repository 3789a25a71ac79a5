"""A training step of FT and CoUn on four architectures: images per second, and share of the matrix-product peak."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable

import torch

from bench import ceiling, reference, work
from bench.rows import Options, Row, timed
from bench.timing import Clock, Process, clock, in_turns
from benchmark.models import forward_flops
from benchmark.registry import METHODS
from benchmark.training.device import Device, prepare_process

# The paper's, halved for the ViT: our CoUn and the reference's are in memory together.
BATCHES = {"resnet18": 256, "vgg16": 256, "vit": 128, "convnet": 256}
WANTED = {
    ("resnet18", "ft"): ["ratio ≥ 2.5", "share ≥ 0.75"],
    ("vgg16", "ft"): ["ratio ≥ 2"],
    ("vit", "ft"): ["ratio ≥ 2.5"],
}


def rows(options: Options) -> list[Row]:
    """Return a row for each method and architecture.

    Each step has a process of its own, as jobs and scripts have: in a shared one it would find memory that the other
    has left, and need not get it from the system.
    """
    device = Device.choose("auto", options.threads)
    side, measured = ceiling.side(device, options), []
    product = clock(ceiling.product(device, device.precision, side))
    for arch, method in itertools.product(BATCHES if not options.short else ["convnet"], ("ft", "coun")):
        batch = options.size(BATCHES[arch], 4)
        given = method, arch, device, batch, options.threads
        with Process(ours, *given) as job, Process(plain, *given) as script:
            clocks: dict[str, Clock] = {"ours": job, "reference": script, "matrix product": product}
            seconds = in_turns(clocks, options.repeats, settle=True)
        flops = (
            batch * sum(METHODS.get(method).executed_units.values()) * forward_flops(arch, work.CLASSES, (3, 32, 32))
        )
        peak = 2 * side**3 / statistics.median(seconds["matrix product"])
        share = flops / statistics.median(seconds["ours"]) / peak
        name, wanted = f"{arch}, {method}, batch {batch}, {device.precision}", WANTED.get((arch, method), [])
        measured.append(timed(name, seconds, batch, "images/s", share, wanted=wanted))
    return measured


def ours(method: str, arch: str, device: Device, batch: int, threads: int) -> Callable[[], None]:
    """Return our step of a method, as in a job's process."""
    prepare_process(threads)
    return work.steps(work.trainer(method, arch, work.arrays(train=5 * batch), device, batch, forget=batch))


def plain(method: str, arch: str, device: Device, batch: int, threads: int) -> Callable[[], None]:
    """Return the reference's step; its loader fetches the next batches while a step computes."""
    reference.prepare_process(threads)
    data = work.arrays(train=5 * batch)
    model = work.model(arch, data).to(device.device)
    reference.use_torchs_dropout(model)
    opt = reference.optimiser(model)
    views = [reference.transform("CHN", work.AUGMENTATION, data.image_shape[1])] * (2 if method == "coun" else 1)
    batches = reference.endless(reference.Pictures(*data.split("train"), *views), batch, threads)

    def load() -> list[torch.Tensor]:
        return [part.to(device.device) for part in next(batches)]

    if method == "ft":
        return lambda: reference.ft(model, opt, *load())
    return lambda: reference.coun(model, opt, 1.0, 0.1, *load())
