"""What was tried and left out, beside what is done instead: the reference here is the alternative."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from unittest import mock

import torch

from benchmark import processor
from benchmark.bench import work
from benchmark.bench.apart import keep_apart
from benchmark.bench.away import process
from benchmark.bench.reference import use_torchs_dropout
from benchmark.bench.rows import Options, Row, faster, rate
from benchmark.bench.timing import Piece, interleaved
from benchmark.methods.base import Output
from benchmark.models import convolution
from benchmark.training.compiled import COMPILE
from benchmark.training.device import Device, prepare_process
from benchmark.training.loop import Trainer

ARCHITECTURES = ("resnet18-w16-s2", "resnet18")  # a step of some ten milliseconds, and a long one
WITHOUT_NORM = ("vgg16", "vit")  # one pass over both views is then the same algorithm
BATCH = 64
SMALL_OUTPUTS = ("resnet18", "vgg16")  # whose last convolutions are matrix products, with matrix instructions
LARGE = {"resnet18": 256, "vit": 128}  # batches of a size at which memory that is freed goes back to the system
FORMS: dict[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def rows(options: Options) -> list[Row]:
    """Return a row for each alternative and architecture."""
    device = Device.choose("auto", options.threads)
    archs = ARCHITECTURES if not options.short else ("convnet",)
    found = [_compiled(arch, device, options) for arch in archs]
    found += [_one_pass(arch, apart, device, options) for arch in archs for apart in (False, True)]
    found += [_one_pass(arch, False, device, options) for arch in WITHOUT_NORM if not options.short]
    large = LARGE if not options.short else {"vit": 4}
    found += [_given_back(arch, batch, device, options) for arch, batch in large.items()]
    if processor.has(convolution.MATRICES):
        found += [_convolved(arch, options.size(LARGE["resnet18"], 4), device, options) for arch in SMALL_OUTPUTS]
    found.append(_dropout(options.size(BATCH, 4), device, options))
    return found + _optimisers(archs[-1], device, options)


def _compiled(arch: str, device: Device, options: Options) -> Row:
    """A step of FT, and one whose passes are compiled; the first of these tells what compiling costs."""
    batch = options.size(BATCH, 4)
    ours = work.Steps(_trainer("ft", arch, device, batch))
    with mock.patch.dict(os.environ, {COMPILE: "default"}):
        theirs = work.Steps(_trainer("ft", arch, device, batch))
    began = time.perf_counter()
    theirs()
    device.wait()
    first = time.perf_counter() - began
    return _compared(f"{arch}, FT, compiled", ours, theirs, device, options, {"seconds until its first step": first})


def _one_pass(arch: str, apart: bool, device: Device, options: Options) -> Row:
    """A step of CoUn, and one that sends both views through the model together.

    Batch norm then sees them as one, which is another algorithm, unless it is made to keep them ``apart``.
    """
    batch = options.size(BATCH, 4)
    ours = work.Steps(_trainer("coun", arch, device, batch))
    other = _trainer("coun", arch, device, batch)
    if apart:
        keep_apart(other.model, parts=2)
    what = f"{arch}, CoUn, both views in one pass" + ", each normalised apart" * apart
    return _compared(what, ours, together(other), device, options)


def together(of: Trainer) -> Callable[[], None]:
    """Return a step whose parts go through the model as one batch."""
    batch = of.method.batches(0)[0]
    generator = torch.Generator(of.device.device).manual_seed(0)

    def step() -> None:
        with of.device.autocast():
            images = [of.context.load(part, generator) for part in batch.values()]
            features, logits = (given.chunk(len(images)) for given in of.model(torch.cat(images)))
            outputs = {name: Output(*given) for name, *given in zip(batch, images, features, logits, strict=True)}
            loss = of.method.loss(outputs, batch, 0)
        of.optimiser.zero_grad()
        loss.backward()
        of.optimiser.step()

    return step


def _given_back(arch: str, batch: int, device: Device, options: Options) -> Row:
    """A step of FT where freed memory is kept, and one where it goes back to the system, as by default."""
    given = arch, batch, device, options.threads
    with (
        process(a_step, *given, True, wait=device.wait) as keeping,
        process(a_step, *given, False, wait=device.wait) as giving,
    ):
        what = f"{arch}, FT, batch {batch}, freed memory given back"
        return _compared(what, keeping["step"], giving["step"], device, options)


def a_step(arch: str, batch: int, device: Device, threads: int, keep: bool) -> dict[str, work.Steps]:
    """Return a step of FT, in a process that keeps what it frees or does not."""
    if keep:
        prepare_process(threads)
    else:
        torch.set_num_threads(threads)
    return {"step": work.Steps(_trainer("ft", arch, device, batch))}


def _convolved(arch: str, batch: int, device: Device, options: Options) -> Row:
    """A step of FT, and one whose small convolutions are left to oneDNN."""
    ours = work.Steps(_trainer("ft", arch, device, batch))
    other = work.Steps(_trainer("ft", arch, device, batch))
    theirs = mock.patch.object(convolution, "WIDEST", 0)(other)
    return _compared(f"{arch}, FT, batch {batch}, small convolutions by oneDNN", ours, theirs, device, options)


def _dropout(batch: int, device: Device, options: Options) -> Row:
    """A step of FT on the ViT, and one with torch's dropout."""
    ours = work.Steps(_trainer("ft", "vit", device, batch))
    other = _trainer("ft", "vit", device, batch)
    use_torchs_dropout(other.model)
    return _compared("vit, FT, torch's dropout", ours, work.Steps(other), device, options)


def _optimisers(arch: str, device: Device, options: Options) -> list[Row]:
    """The optimiser's step alone: ours, and the forms that torch offers."""
    data = work.arrays(train=2)
    trainer = work.trainer("ft", arch, data, device, 2, forget=1)
    settings = trainer.settings
    forms = {
        name: torch.optim.SGD(
            work.model(arch, data).to(device.device).parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            **form,
        )
        for name, form in FORMS.items()
    }
    for weights in (trainer.model.parameters(), *(form.param_groups[0]["params"] for form in forms.values())):
        for weight in weights:
            weight.grad = torch.ones_like(weight)
    return [
        _compared(f"{arch}, SGD alone, {name}", trainer.optimiser.step, form.step, device, options)
        for name, form in forms.items()
    ]


def _compared(
    what: str,
    ours: Piece,
    alternative: Piece,
    device: Device,
    options: Options,
    figures: dict[str, float] | None = None,
) -> Row:
    seconds = interleaved({"ours": ours, "reference": alternative}, options.repeats, device.wait, settle=True)
    mine, theirs = seconds["ours"], seconds["reference"]
    return Row(
        what, "steps/s", rate(1, mine), rate(1, theirs), faster(mine, theirs), figures=figures or {}, seconds=seconds
    )


def _trainer(method: str, arch: str, device: Device, batch: int) -> Trainer:
    return work.trainer(method, arch, work.arrays(train=5 * batch), device, batch, forget=batch)
