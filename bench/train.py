"""A training step of four methods on four architectures: images per second, and share of the matrix-product peak."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from bench import ceiling, reference, work
from bench.away import Away, Pieces, process
from bench.rows import Options, Row, Wanted, faster, rate
from bench.timing import interleaved
from benchmark.data.arrays import Arrays
from benchmark.training.device import Device, prepare_process

ARCHITECTURES = ("resnet18", "vgg16", "vit", "convnet")
METHODS = ("ft", "neggrad-plus", "salun", "coun")
# The paper's, but for the ViT: our FT and CoUn and the reference's CoUn would not fit 24 GiB together.
BATCHES = {"resnet18": 256, "vgg16": 256, "vit": 128, "convnet": 256}
WANTED = {
    ("resnet18", "ft"): (Wanted("ratio", ">=", 2.5), Wanted("share", ">=", 0.75)),
    ("vgg16", "ft"): (Wanted("ratio", ">=", 2.0),),
    ("vit", "ft"): (Wanted("ratio", ">=", 2.5),),
}
OVER_FT = "time over FT's"
PEAK = "matrix product"
FT = "FT, ours"


def rows(options: Options) -> list[Row]:
    """Return a row for each method and architecture."""
    return [_row(arch, method, options) for arch in ARCHITECTURES for method in METHODS]


def _row(arch: str, method: str, options: Options) -> Row:
    """A method's step beside the reference's and beside FT's, each in a process of its own, as jobs and scripts are.

    One that shared a process with others would be left memory by them that it need not ask for.
    """
    device = Device.choose("auto", options.threads)
    batch = options.size(BATCHES[arch], 4)
    with contextlib.ExitStack() as processes:

        def apart(make: Callable[..., Pieces], method: str) -> Mapping[str, Away]:
            return processes.enter_context(process(make, arch, method, device, batch, options, wait=device.wait))

        job = apart(ours, method)
        pieces = {PEAK: job[PEAK], "ours": job["step"], "reference": apart(plain, method)["step"]}
        if method != "ft":
            pieces[FT] = apart(ours, "ft")["step"]
        seconds = interleaved(pieces, options.repeats, device.wait, settle=True)
        images, flops = job["step"].get("images"), job["step"].get("flops")
    peak = rate(ceiling.product_flops(ceiling.side_of(device, options)), seconds[PEAK])
    mine, theirs = seconds["ours"], seconds["reference"]
    figures, wanted = {}, WANTED.get((arch, method), ())
    if method != "ft":
        figures[OVER_FT] = statistics.median(one / other for one, other in zip(mine, seconds[FT], strict=True))
    if method == "coun":
        wanted += (Wanted(OVER_FT, "<=", 1.9),)
    return Row(
        f"{arch}, {method}, batch {batch}, {device.precision}",
        "images/s",
        rate(images, mine),
        rate(images, theirs),
        faster(mine, theirs),
        rate(flops, mine) / peak,
        figures,
        wanted,
        seconds,
    )


def ours(arch: str, method: str, device: Device, batch: int, options: Options) -> Pieces:
    """Return our step of a method, and a matrix product, as in a job's process."""
    prepare_process(options.threads)
    data = work.arrays(train=5 * batch)
    step = work.Steps(work.trainer(method, arch, data, device, batch, forget=batch))
    return {PEAK: ceiling.product(device, device.precision, ceiling.side_of(device, options))[0], "step": step}


def plain(arch: str, method: str, device: Device, batch: int, options: Options) -> Pieces:
    """Return the reference's step of a method."""
    reference.prepare_process(options.threads)
    data = work.arrays(train=5 * batch)
    return {"step": Plain(arch, data, device, batch, options.threads).step(method)}


@dataclass
class Plain:
    """The reference's steps on one architecture: its loader fetches the next batches while a step computes."""

    arch: str
    data: Arrays
    device: Device
    batch: int
    workers: int

    def step(self, method: str) -> Callable[[], float]:
        """Return a step of a method, on a model of its own."""
        makers = {"ft": self._ft, "neggrad-plus": self._neggrad_plus, "salun": self._salun, "coun": self._coun}
        return makers[method]()

    def _start(self, views: int = 1) -> tuple[torch.nn.Module, torch.optim.SGD, Callable[[], list[torch.Tensor]]]:
        model = work.model(self.arch, self.data).to(self.device.device)
        reference.use_torchs_dropout(model)
        view = reference.transform("CHN", work.AUGMENTATION, self.data.image_shape[1])
        images = reference.Plain(self.data.train_images, self.data.train_labels, *[view] * views)
        loader = reference.endless(images, self.batch, self.workers)
        return model, reference.optimiser(model), lambda: [part.to(self.device.device) for part in next(loader)]

    def _ft(self) -> Callable[[], float]:
        model, opt, batch = self._start()
        return lambda: reference.ft(model, opt, *batch())

    def _neggrad_plus(self) -> Callable[[], float]:
        model, opt, batch = self._start()
        return lambda: reference.neggrad_plus(model, opt, batch(), batch(), 0.99)

    def _salun(self) -> Callable[[], float]:
        model, opt, batch = self._start()
        mask = {name: (torch.rand_like(weight) < 0.5).float() for name, weight in model.named_parameters()}
        return lambda: reference.salun(model, opt, mask, *batch())

    def _coun(self) -> Callable[[], float]:
        model, opt, batch = self._start(views=2)
        return lambda: reference.coun(model, opt, 1.0, 0.1, *batch())
