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

    where = f"architecture {arch!r}"
    with torch.device("meta"), torch.no_grad():  # where the computation is counted
        _check_shapes(where, build(arch, classes, shape).eval()(torch.zeros(2, *shape)), classes)
    models: list[Classifier] = []
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            torch.manual_seed(0)
            models.append(build(arch, classes, shape))
        weights = zip(*(model.state_dict().values() for model in models), strict=True)
        if not all(torch.equal(first, second) for first, second in weights):
            accepted = "accepted are weights that torch's generator draws"
            raise IncompletePlugin(f"{where} has other weights with the same seed: {accepted}")
        model, images = models[0], torch.randn(2, *shape)
        with torch.no_grad():
            features, logits = model.eval()(images)
            if not torch.equal(logits, model(images)[1]):
                accepted = "accepted is dropout, for example, that depends on the model's mode"
                raise IncompletePlugin(f"{where} gives other logits for the same images in evaluation mode: {accepted}")
        trained_features, logits = model.train()(images)
    _check_shapes(where, (trained_features, logits), classes)
    if trained_features.shape != features.shape:
        given = (
            f"features of shape {tuple(trained_features.shape)} in training and {tuple(features.shape)} in evaluation"
        )
        raise IncompletePlugin(f"{where} gives {given} mode: accepted are the same")
    negated = [weights for weights in map(model.get_parameter, model.negated) if negates and weights.requires_grad]
    if negated and not any(
        gradient is not None for gradient in torch.autograd.grad(logits.square().sum(), negated, allow_unused=True)
    ):
        accepted = "accepted are the first layer's weights, as in Classifier(..., negated=(2,))"
        raise IncompletePlugin(f"{where}: NoT negates {', '.join(model.negated)}, which has no effect: {accepted}")


def _check_shapes(where: str, outputs: tuple[torch.Tensor, torch.Tensor], classes: int) -> None:
    logits = outputs[1]
    if tuple(logits.shape) != (2, classes):
        given = f"logits of shape {tuple(logits.shape)} for 2 images and {classes} classes"
        raise IncompletePlugin(f"{where} gives {given}: accepted is {(2, classes)}")
