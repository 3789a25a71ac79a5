"""A small network of three convolutions, for the quick study: trains in seconds."""

from __future__ import annotations

from torch import nn

from benchmark.models.classifier import Classifier


def convnet(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return three 3x3 convolutions (32, 64, 64 channels, batch norm, ReLU, the second with stride 2), mean, head."""
    layers: list[nn.Module] = []
    channels = image_shape[0]
    for width, stride in ((32, 1), (64, 2), (64, 1)):
        # No bias: the batch norm that follows has one.
        convolution = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Classifier(body, nn.Linear(channels, classes))
