"""ResNet-18 for small images: He et al. 2016, with the stem that CIFAR work uses.

The paper's cost fits a stem of 3x3 with stride 1 and no max-pool, at 64 pixels too: 1110.8 MFLOPs forward at 32 pixels.
Parameters are named and ordered as in torchvision's ResNet, whose import would cost a job a second and a half.
"""

from __future__ import annotations

from torch import Tensor, nn

from benchmark.models.classifier import Classifier
from benchmark.models.convolution import Convolution

BLOCKS = 2  # a stage


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input, (B, before, H, W).

    Parameters
    ----------
    before, width : channels that come in and go out.
    stride : of the first convolution; where it or the channels change the shape, a 1x1 convolution takes the input
        along.
    """

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.conv1 = Convolution(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = Convolution(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.downsample = nn.Sequential(Convolution(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return values, (B, width, H / stride, W / stride)."""
        added = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        added += self.downsample(x)
        result: Tensor = self.relu(added)
        return result


class ResNetBody(nn.Module):
    """ResNet-18 up to its pooled features, (B, 8 * width).

    Parameters
    ----------
    channels : channels of the images.
    width : channels of the first stage; 64 in the paper.
    stem_stride : stride of the first convolution; 2 makes everything after it four times cheaper.
    """

    def __init__(self, channels: int, width: int, stem_stride: int):
        super().__init__()
        self.conv1 = Convolution(channels, width, 3, stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return pooled features, (B, 8 * width), of images, (B, C, H, W)."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.avgpool(x).flatten(1)


def _stage(before: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(before, width, stride), *(Block(width, width, 1) for _ in range(BLOCKS - 1)))


def _resnet(classes: int, image_shape: tuple[int, int, int], width: int, stem_stride: int) -> Classifier:
    return Classifier(ResNetBody(image_shape[0], width, stem_stride), nn.Linear(8 * width, classes))


def resnet18(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return the paper's ResNet-18: width 64, 512 features."""
    return _resnet(classes, image_shape, width=64, stem_stride=1)


def resnet18_w16(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return ResNet-18 with a quarter of the width: 128 features, a sixteenth of the work."""
    return _resnet(classes, image_shape, width=16, stem_stride=1)


def resnet18_w16_s2(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return ResNet-18 with a quarter of the width and a stem of stride 2: a sixty-fourth of the work."""
    return _resnet(classes, image_shape, width=16, stem_stride=2)
