"""Layers that compute what torch's do, at less cost to a processor.

A convolution in bfloat16: oneDNN falls behind its own matrix product where an output's rows are short, above all on a
processor with matrix instructions (AMX): the last stages of ResNet-18 and VGG-16 would take as long as all others.
Inputs are unfolded instead, and multiplied with the weights: the same operations in another order. The benchmark's
section ``alternatives`` sets the one beside the other. Dropout: torch draws 64 random bits a value, on one thread.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

BITS = 16  # of randomness a value: probabilities of dropout are rounded to multiples of 1/65536
# Pixels of an output's row up to which a product is faster: of any number of channels, and of many.
SHORT, LONGER, MANY = 2, 4, 512


def is_small(width: int, channels: int) -> bool:
    """Whether an output of so many channels and pixels in a row is one that a matrix product makes faster."""
    return width <= (LONGER if channels >= MANY else SHORT)


class Convolution(nn.Conv2d):
    """`torch.nn.Conv2d` of one stride and padding for both sides, a matrix product where that is faster."""

    def forward(self, images: Tensor) -> Tensor:
        """Return values, (B, channels, H', W'), of ``images``, (B, C, H, W)."""
        stride, padding = self.stride[0], int(self.padding[0])
        width = (images.shape[3] + 2 * padding - self.kernel_size[1]) // stride + 1
        in_bfloat16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
        here = in_bfloat16 and images.device.type == "cpu" and not torch.compiler.is_compiling()
        if not here or not is_small(width, self.out_channels):
            return super().forward(images)
        weight = self.weight.to(torch.bfloat16)
        values: Tensor = Unfolded.apply(images.to(torch.bfloat16), weight, stride, padding)  # type: ignore[no-untyped-call]
        return values if self.bias is None else values + self.bias.to(torch.bfloat16)[:, None, None]


def rebuild(part: nn.Module, channels: int, thinner: int = 1) -> None:
    """Replace every convolution and batch norm in a library's model of RGB images, weights being drawn in order.

    The model may be on the device ``meta``; its new layers, ``thinner`` times as thin, are on the default device, and
    the first convolution takes images of so many ``channels``.
    """
    for name, layer in part.named_children():
        if isinstance(layer, nn.Conv2d):
            side, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            before = channels if layer.in_channels == 3 else layer.in_channels // thinner
            after, bias = layer.out_channels // thinner, layer.bias is not None
            setattr(part, name, Convolution(before, after, side, stride, int(padding), bias=bias))
        elif isinstance(layer, nn.BatchNorm2d):
            setattr(part, name, nn.BatchNorm2d(layer.num_features // thinner))
        else:
            rebuild(layer, channels, thinner)


class Unfolded(torch.autograd.Function):
    """A convolution as the product of its unfolded input and its weights."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        """Return values, (B, channels, H', W') in channels_last, of images, (B, C, H, W), both in ``weight``'s type."""
        ctx.save_for_backward(images, weight)
        ctx.steps = stride, padding  # type: ignore[attr-defined]
        patches = _patches(images, weight.shape[2:], stride, padding)
        return (patches.flatten(3) @ _matrix(weight).T).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of images and weight."""
        (images, weight), steps = ctx.saved_tensors, ctx.steps  # type: ignore[attr-defined]
        of_images, of_weight = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        gradient = gradient.permute(0, 2, 3, 1)
        upon_images = upon_weight = None
        if of_images:
            patches = (gradient @ _matrix(weight)).unflatten(3, (*weight.shape[2:], -1))
            upon_images = _folded(patches, images, *steps)
        if of_weight:
            # Unfolded anew: kept, it would hold nine times the input's memory.
            patches = _patches(images, weight.shape[2:], *steps)
            product = gradient.flatten(0, 2).T @ patches.flatten(3).flatten(0, 2)
            upon_weight = product.unflatten(1, (*weight.shape[2:], -1)).permute(0, 3, 1, 2)
        return upon_images, upon_weight, None, None


def _matrix(weight: Tensor) -> Tensor:
    """Return weights, (channels, C, k, k), as (channels, k * k * C)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _patches(images: Tensor, kernel: torch.Size, stride: int, padding: int) -> Tensor:
    """Return what each output is made of, (B, H', W', k, k, C)."""
    padded = functional.pad(images, (padding, padding, padding, padding))
    patches = padded.unfold(2, kernel[0], stride).unfold(3, kernel[1], stride)  # a view, (B, C, H', W', k, k)
    return patches.permute(0, 2, 3, 4, 5, 1).contiguous()


def _folded(patches: Tensor, images: Tensor, stride: int, padding: int) -> Tensor:
    """Return, shaped as ``images``, the sum of patches, (B, H', W', k, k, C), where they came from."""
    size, channels, height, width = images.shape
    _, rows, columns, *kernel, _ = patches.shape
    padded = patches.new_zeros(size, height + 2 * padding, width + 2 * padding, channels)
    for down in range(kernel[0]):
        for right in range(kernel[1]):
            there = padded[:, down : down + stride * rows : stride, right : right + stride * columns : stride]
            there += patches[:, :, :, down, right]
    return padded[:, padding : padding + height, padding : padding + width].permute(0, 3, 1, 2)


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, its mask made of 16 random bits a value where it works on a processor.

    The expected value is that of the input, exactly so in float32: what is kept is scaled by the rounded probability.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values``, of any shape, with a share ``p`` of them set to 0 and the others scaled up."""
        dropped = round(self.p * 2**BITS)
        dear = values.device.type == "cpu" and not torch.compiler.is_compiling()  # a compiled mask is cheap
        if not self.training or not dear or dropped in (0, 2**BITS):
            return super().forward(values)
        # Compared into the values' own type: by way of booleans, which are not vectorised, it takes four times as long.
        kept = torch.ge(_bits(values.shape), dropped - 2 ** (BITS - 1), out=torch.empty_like(values))
        return values * kept.mul_(2**BITS / (2**BITS - dropped))


def _bits(shape: torch.Size) -> Tensor:
    """Return random numbers of 16 bits, int16 of that shape; torch's generator decides which.

    NumPy's small fast generator draws them in half the time of torch's.
    """
    seed = int(torch.empty((), dtype=torch.int64).random_())
    count = shape.numel()
    words = np.random.Generator(np.random.SFC64(seed)).integers(2**64, size=-(-count * BITS // 64), dtype=np.uint64)
    return torch.from_numpy(words.view(np.int16))[:count].view(shape)
