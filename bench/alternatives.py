"""What was tried and left out, beside what is done instead: the reference here is the alternative."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from unittest import mock

import torch
from torch import nn

from bench import train, work
from bench.away import Pieces, process
from bench.reference import use_torchs_dropout
from bench.rows import Options, Row, faster, rate
from bench.timing import Piece, interleaved
from benchmark.methods.base import Output
from benchmark.models import convolution
from benchmark.training.compiled import COMPILE
from benchmark.training.device import Device, prepare_process
from benchmark.training.loop import Trainer

ARCHITECTURES = ("resnet18-w16-s2", "resnet18")  # a step of some ten milliseconds, and a long one
VIEWS = ("convnet", "resnet18-w16-s2", "resnet18", "vgg16", "vit")  # through which two views go
LARGE = ("resnet18", "vit")  # whose memory, freed, goes back to the system
SMALL_OUTPUTS = ("resnet18-w16-s2", "resnet18", "vgg16")  # whose last convolutions are matrix products
BATCH = 64
BATCHES = train.BATCHES | {"convnet": BATCH}
COMPILER_CACHE = "TORCHINDUCTOR_CACHE_DIR"  # empty at first: what ran before does not make compiling cheaper
FORMS: dict[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def rows(options: Options) -> list[Row]:
    """Return a row for each alternative and architecture."""
    device = Device.choose("auto", options.threads)
    archs = ARCHITECTURES if not options.short else ("convnet",)
    some = 2 if options.short else None
    first = "seconds until its first step"
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, {COMPILER_CACHE: cache}):
        found = [_in_processes(compiled_step, "FT, compiled", arch, device, options, first) for arch in archs]
    in_one_pass = "CoUn, both views in one pass, each normalised by itself"
    found += [_in_processes(views_step, in_one_pass, arch, device, options) for arch in VIEWS[:some]]
    given_back = "FT, freed memory given back"
    found += [_in_processes(memory_step, given_back, arch, device, options) for arch in LARGE[:some]]
    if device.device.type == "cpu" and device.precision == "bfloat16":
        by_library = "FT, small convolutions by oneDNN"
        found += [_in_processes(convolved_step, by_library, arch, device, options) for arch in SMALL_OUTPUTS[:some]]
    found.append(_in_processes(dropout_step, "FT, torch's dropout", "vit", device, options))
    return found + _optimisers(archs[-1], device, options)


def compiled_step(arch: str, batch: int, device: Device, threads: int, otherwise: bool) -> Pieces:
    """Return a step of FT; ``otherwise`` its passes are compiled."""
    if otherwise:
        os.environ[COMPILE] = "default"
    prepare_process(threads)
    return {"step": work.Steps(_trainer("ft", arch, device, batch))}


def views_step(arch: str, batch: int, device: Device, threads: int, otherwise: bool) -> Pieces:
    """Return a step of CoUn; ``otherwise`` both views go through in one pass, each normalised by itself as in two."""
    prepare_process(threads)
    trainer = _trainer("coun", arch, device, batch)
    if not otherwise:
        return {"step": work.Steps(trainer)}
    normalise_apart(trainer.model, parts=2)
    return {"step": together(trainer)}


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


def normalise_apart(model: nn.Module, parts: int) -> None:
    """Have a model's batch norms take each of so many equal parts of a batch by itself, one after the other."""
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.forward = partial(_each, norm.forward, parts)  # type: ignore[method-assign]


def _each(normalise: Callable[[torch.Tensor], torch.Tensor], parts: int, values: torch.Tensor) -> torch.Tensor:
    return torch.cat([normalise(part) for part in values.chunk(parts)])


def memory_step(arch: str, batch: int, device: Device, threads: int, otherwise: bool) -> Pieces:
    """Return a step of FT, in a process that keeps what it frees; ``otherwise`` it goes back to the system."""
    if otherwise:
        torch.set_num_threads(threads)
    else:
        prepare_process(threads)
    return {"step": work.Steps(_trainer("ft", arch, device, batch))}


def convolved_step(arch: str, batch: int, device: Device, threads: int, otherwise: bool) -> Pieces:
    """Return a step of FT whose small convolutions are matrix products; ``otherwise`` they are left to oneDNN."""
    prepare_process(threads)
    if otherwise:
        convolution.is_small = lambda width, channels: False
    return {"step": work.Steps(_trainer("ft", arch, device, batch))}


def dropout_step(arch: str, batch: int, device: Device, threads: int, otherwise: bool) -> Pieces:
    """Return a step of FT; ``otherwise`` it drops out by torch's dropout."""
    prepare_process(threads)
    trainer = _trainer("ft", arch, device, batch)
    if otherwise:
        use_torchs_dropout(trainer.model)
    return {"step": work.Steps(trainer)}


def _in_processes(
    make: Callable[..., Pieces], what: str, arch: str, device: Device, options: Options, first: str | None = None
) -> Row:
    """A step that ``make`` returns, and one made ``otherwise``, each in a process of its own as a job's is.

    Under the name ``first``, if given, the row says how many seconds the first step of the latter took.
    """
    given = arch, options.size(BATCHES.get(arch, BATCH), 4), device, options.threads
    with (
        process(make, *given, False, wait=device.wait) as ours,
        process(make, *given, True, wait=device.wait) as other,
    ):
        figures = {first: other["step"].clocked(1)} if first else {}
        return _compared(f"{arch}, batch {given[1]}, {what}", ours["step"], other["step"], device, options, figures)


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
