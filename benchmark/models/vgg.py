"""VGG-16 for small images: Simonyan and Zisserman 2015, with the paper's "1024-dimensional encoder head".

The paper does not say what the head is; its printed costs nearly do. Retrain's cost in both tables fits 633.1 to 633.3
MFLOPs forward at 32 pixels, if ReLU counts as one operation a value and batch norm as two, which ResNet-18's cost
implies. Torchvision's own VGG with 2x2 in place of its 7x7 pooling and 1024 in place of 4096 has 632.9 in convolutions
and matrix products and 633.2 with ReLU; batch norm makes it 633.7, and a single layer 512 -> 1024 instead 627.6 (627.9
with ReLU). So this network pools to 2x2x512 and has two hidden layers of 1024; the features are the second.

The default has no batch norm, because of that cost and two more hints: the paper gives only VGG-16 a warm-up of 75
epochs, which networks without normalisation need, and its Retrain reaches 67 %, while VGG-16 with batch norm is usually
reported above 70 %.
"""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from benchmark.models.classifier import Classifier
from benchmark.models.layers import rebuild

FEATURES = 1024  # from 2 x 2 x 512 pooled ones


def _vgg(name: str, classes: int, image_shape: tuple[int, int, int], divisor: int = 1) -> Classifier:
    with torch.device("meta"):  # `rebuild` replaces every layer that has weights
        convolutions = torchvision.models.get_model(name).features
    rebuild(convolutions, image_shape[0], divisor)
    features = FEATURES // divisor
    hidden = [nn.Linear(2 * features, features), nn.ReLU(), nn.Linear(features, features), nn.ReLU()]
    body = nn.Sequential(convolutions, nn.AdaptiveAvgPool2d(2), nn.Flatten(), *hidden)
    # Torchvision's standard deviation of 0.01 for linear layers suits 4096 inputs and dropout: with fewer inputs and no
    # batch norm the signal would fade.
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return Classifier(body, nn.Linear(features, classes))


def vgg16(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return VGG-16 without batch norm, 1024 features; images of 32 pixels or more."""
    return _vgg("vgg16", classes, image_shape)


def vgg16_bn(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return VGG-16 with batch norm after every convolution, 1024 features; images of 32 pixels or more."""
    return _vgg("vgg16_bn", classes, image_shape)


def vgg16_w16(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return VGG-16 without batch norm, of a quarter of the width: 256 features, a sixteenth of the work."""
    return _vgg("vgg16", classes, image_shape, divisor=4)
