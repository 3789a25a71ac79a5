"""Architectures of plugins on trial: two images show what one lacks, before anything is trained."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from benchmark.data import store
from benchmark.errors import IncompletePlugin, StaleOutput
from benchmark.names import MethodName
from benchmark.registry import ARCHITECTURES
from benchmark.study.checks import PIXELS
from benchmark.study.study import Study
from benchmark.workflow.plugin_trial import CLASSES, SIDE, check_call, refusing

if TYPE_CHECKING:
    import torch

    from benchmark.models.classifier import Classifier

Shape = tuple[int, int, int]


def check_architectures(study: Study) -> None:
    """Raise `BadInput` if a plugin's architecture fails, gives outputs of another shape, or cannot be repeated."""
    methods: dict[tuple[str, str], set[str]] = {}
    for run in study.runs():
        methods.setdefault((run.name.arch, run.name.dataset), set()).add(MethodName.parse(run.name.method).base)
    for (arch, dataset), bases in methods.items():
        if ARCHITECTURES.code(arch):
            where = f"{study.file}: plugins: {arch!r}"
            check_call(where, ARCHITECTURES.get(arch, where), "classes", "image_shape")
            classes, shape = _classes_and_shape(study, dataset)
            # Any error is a fault: training would fail in the same way.
            with refusing(where, f"images of shape {shape}", ARCHITECTURES.module(arch), lambda error: True):
                _try(arch, classes, shape, "not" in bases)


def _classes_and_shape(study: Study, dataset: str) -> tuple[int, Shape]:
    """Return the number of classes and the shape of an image; a stand-in's where the dataset is not prepared."""
    settings = study.datasets[dataset]
    with contextlib.suppress(StaleOutput):
        record = store.record(study.dataset_folder(dataset))
        _, height, width, channels = record["shapes"]["train_images"]
        return len(record["classes"]), (channels, height, width)
    side = settings.size or PIXELS.get(settings.source, SIDE)
    return len(settings.classes or range(CLASSES)), (len(settings.augmentation.mean), side, side)


def _try(arch: str, classes: int, shape: Shape, negates: bool) -> None:
    """Build an architecture, and run it on two images; ``negates`` says whether NoT will negate a part of it."""
    import torch

    from benchmark.models import build

    where, models = f"architecture {arch!r}", []
    with torch.device("meta"), torch.no_grad():  # where the computation is counted
        _, logits = build(arch, classes, shape).eval()(torch.zeros(2, *shape))
    _check_shape(where, logits, classes)
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            torch.manual_seed(0)
            models.append(build(arch, classes, shape))
        images = torch.randn(2, *shape)
        _check_repeated(where, models, images)
        _check_training(where, models[0], images, classes, negates)


def _check_repeated(where: str, models: list[Classifier], images: torch.Tensor) -> None:
    """Raise `IncompletePlugin` if two models of one seed differ, or two evaluations of one of them."""
    import torch

    weights = zip(*(model.state_dict().values() for model in models), strict=True)
    if not all(torch.equal(first, second) for first, second in weights):
        accepted = "accepted are weights that torch's generator draws"
        raise IncompletePlugin(f"{where} has other weights with the same seed: {accepted}")
    model = models[0].eval()
    with torch.no_grad():
        if not torch.equal(model(images)[1], model(images)[1]):
            accepted = "accepted are layers that follow the model's mode, such as torch.nn.Dropout"
            raise IncompletePlugin(f"{where} gives other logits for the same images in evaluation mode: {accepted}")


def _check_training(where: str, model: Classifier, images: torch.Tensor, classes: int, negates: bool) -> None:
    """Raise `IncompletePlugin` if logits have another shape in training, or depend on nothing that NoT negates."""
    import torch

    _, logits = model.train()(images)
    _check_shape(where, logits, classes)
    negated = [weights for weights in map(model.get_parameter, model.negated) if negates and weights.requires_grad]
    gradients = torch.autograd.grad(logits.square().sum(), negated, allow_unused=True) if negated else ()
    if negated and all(gradient is None for gradient in gradients):
        accepted = "accepted are the first layer's weights, as in Classifier(..., negated=(2,))"
        raise IncompletePlugin(f"{where}: NoT negates {', '.join(model.negated)}, which has no effect: {accepted}")


def _check_shape(where: str, logits: torch.Tensor, classes: int) -> None:
    if tuple(logits.shape) != (2, classes):
        given = f"logits of shape {tuple(logits.shape)} for 2 images and {classes} classes"
        raise IncompletePlugin(f"{where} gives {given}: accepted is {(2, classes)}")
