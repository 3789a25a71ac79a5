"""ResNet-18 for small images: torchvision's (He et al. 2016) with the stem that CIFAR work uses.

The paper's cost fits a 3x3 stem with stride 1 and no max-pool, at 64 pixels too: 1110.8 MFLOPs forward at 32 pixels.
"""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from benchmark.models.classifier import Classifier
from benchmark.models.layers import rebuild


def resnet18(classes: int, image_shape: tuple[int, int, int], width: int = 64, stem_stride: int = 1) -> Classifier:
    """Return ResNet-18, by default the paper's: ``width`` channels in the first stage, 8 times as many features."""
    with torch.device("meta"):  # `rebuild` replaces every layer that has weights
        body = torchvision.models.resnet18()
        body.conv1 = nn.Conv2d(3, 64, 3, stem_stride, padding=1, bias=False)
    body.maxpool, body.fc = nn.Identity(), nn.Identity()
    rebuild(body, image_shape[0], divisor=64 // width)
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Classifier(body, nn.Linear(8 * width, classes))


def resnet18_w32(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return ResNet-18 of half the width: 256 features, a quarter of the work."""
    return resnet18(classes, image_shape, width=32)


def resnet18_w16(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return ResNet-18 of a quarter of the width: 128 features, a sixteenth of the work."""
    return resnet18(classes, image_shape, width=16)


def resnet18_w16_s2(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return ResNet-18 of a quarter of the width, with a stem of stride 2: a sixty-fourth of the work."""
    return resnet18(classes, image_shape, width=16, stem_stride=2)
