"""Models: architectures by name. Importing this package does not import torch.

An architecture is a function ``make(classes, image_shape) -> Classifier``, registered as a string.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from benchmark.errors import BadInput, IncompletePlugin
from benchmark.registry import ARCHITECTURES

if TYPE_CHECKING:
    from benchmark.models.classifier import Classifier

ARCHITECTURES.add("convnet", "benchmark.models.convnet:convnet", "ConvNet")
ARCHITECTURES.add("resnet18", "benchmark.models.resnet:resnet18", "ResNet-18")
ARCHITECTURES.add("resnet18-w32", "benchmark.models.resnet:resnet18_w32", "ResNet-18 (width 32)")
ARCHITECTURES.add("resnet18-w16", "benchmark.models.resnet:resnet18_w16", "ResNet-18 (width 16)")
ARCHITECTURES.add("resnet18-w16-s2", "benchmark.models.resnet:resnet18_w16_s2", "ResNet-18 (width 16, stride 2)")
ARCHITECTURES.add("vgg16", "benchmark.models.vgg:vgg16", "VGG-16")
ARCHITECTURES.add("vgg16-bn", "benchmark.models.vgg:vgg16_bn", "VGG-16 (batch norm)")
ARCHITECTURES.add("vgg16-w16", "benchmark.models.vgg:vgg16_w16", "VGG-16 (width 16)")
ARCHITECTURES.add("vit", "benchmark.models.vit:vit", "ViT")

# What an architecture takes, known without importing torch: the least side of an image in pixels, and what divides it.
SIDES = {"vgg16": (32, 1), "vgg16-bn": (32, 1), "vgg16-w16": (32, 1), "vit": (4, 4)}


def check_sides(arch: str, width: int, height: int) -> None:
    """Raise `BadInput` if a built-in architecture cannot take images of ``width`` x ``height`` pixels."""
    least, divisor = SIDES.get(arch, (1, 1))
    if min(width, height) < least or width % divisor or height % divisor:
        accepted = f"sides of {least} pixels or more" + f" that {divisor} divides" * (divisor > 1)
        raise BadInput(f"{ARCHITECTURES.labels[arch]}: images of {width}x{height} pixels: accepted are {accepted}")


def build(arch: str, classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return a freshly initialised model; seed torch's global generator first to get the same weights each time.

    ``image_shape`` is channels, height and width of one image. Raises `BadInput` if the architecture cannot take it,
    `IncompletePlugin` if the architecture returns anything but a `Classifier`.
    """
    import torch

    from benchmark.models.classifier import Classifier

    with torch.device("cpu"):  # torchvision 0.21 computes while it is imported, which "meta" cannot
        make = ARCHITECTURES.get(arch, f"model {arch!r}")
    check_sides(arch, image_shape[2], image_shape[1])
    model = make(classes, image_shape)
    if not isinstance(model, Classifier):
        accepted = "a benchmark.models.classifier.Classifier, whose forward pass gives features and logits"
        raise IncompletePlugin(f"architecture {arch!r} returns {type(model).__name__}: accepted is {accepted}")
    return model


@functools.lru_cache(maxsize=64)
def forward_flops(arch: str, classes: int, image_shape: tuple[int, int, int]) -> int:
    """Return the floating-point operations of one image's forward pass, in evaluation mode.

    A multiply-accumulate counts as two; only convolutions and matrix products count, as in `torch.utils.flop_counter`.
    The rest (batch norm, activations) is 0.2 % of a ResNet-18. Nothing is computed but shapes.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(arch, classes, image_shape).eval()(torch.empty(1, *image_shape))
    return int(counter.get_total_flops())
