"""Layers that compute the same as torch's, faster on a processor.

Convolution: where an output's rows are short, oneDNN's is slower than its own matrix product, and the last stages of
ResNet-18 and VGG-16 would take as long as all others. If every output sees the whole image, as with 2x2 pixels, the
weights are laid out as one matrix: fewer operations, since no padding is multiplied. In bfloat16, other small images
are unfolded and multiplied with the weights: the same operations in another order. Dropout: torch draws 64 random bits
a value, on one thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

BITS = 16  # random bits a value: probabilities of dropout are rounded to multiples of 1/65536
# Longest rows of an output, in pixels, for which a product is faster: with any number of channels, and with many.
SHORT, LONGER, MANY = 2, 4, 256


def is_small(width: int, channels: int) -> bool:
    """Return whether a matrix product is faster, for an output of ``width`` pixels in a row and ``channels``."""
    return width <= (LONGER if channels >= MANY else SHORT)


class Convolution(nn.Conv2d):
    """`torch.nn.Conv2d` with equal stride and padding on both axes, computed as a matrix product if that is faster."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the convolution, (B, channels, H', W'), of ``images``, (B, C, H, W)."""
        stride, padding = self.stride[0], int(self.padding[0])
        width = (images.shape[3] + 2 * padding - self.kernel_size[1]) // stride + 1
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype
        covers = max(images.shape[2:]) <= min(self.kernel_size) - padding
        unfolds = dtype is torch.bfloat16 and is_small(width, self.out_channels)
        faster = (covers or unfolds) and dtype is not torch.float16
        if not faster or images.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(images)
        product = Covering if covers else Unfolded
        values: Tensor = product.apply(images.to(dtype), self.weight.to(dtype), stride, padding)  # type: ignore[no-untyped-call]
        return values if self.bias is None else values + self.bias.to(dtype)[:, None, None]


def rebuild(part: nn.Module, channels: int, divisor: int) -> None:
    """Replace every convolution and batch norm in a library's model of RGB images, drawing weights in order.

    The model may be on the device ``meta``; the new layers are on the default device. Their channels are divided by
    ``divisor``, and the first convolution takes images of ``channels`` channels.
    """
    for name, layer in part.named_children():
        if isinstance(layer, nn.Conv2d):
            kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            inputs = channels if layer.in_channels == 3 else layer.in_channels // divisor
            outputs, bias = layer.out_channels // divisor, layer.bias is not None
            setattr(part, name, Convolution(inputs, outputs, kernel, stride, int(padding), bias=bias))
        elif isinstance(layer, nn.BatchNorm2d):
            setattr(part, name, nn.BatchNorm2d(layer.num_features // divisor))
        else:
            rebuild(layer, channels, divisor)


class Covering(torch.autograd.Function):
    """A convolution of images so small that each output sees all of them, as a product with one matrix."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        """Return values, (B, channels, H', W') in channels_last, of images, (B, C, H, W), both in ``weight``'s type."""
        size, kernel = images.shape[2:], weight.shape[2:]
        outputs = [(side + 2 * padding - over) // stride + 1 for side, over in zip(size, kernel, strict=True)]
        windows = list(_windows(outputs, size, stride, padding))
        taps = weight.permute(0, 2, 3, 1)
        matrix = torch.stack([taps[:, down, right] for down, right in windows]).flatten(0, 1).flatten(1)
        ctx.save_for_backward(images, matrix)
        ctx.weight = weight.shape, windows  # type: ignore[attr-defined]
        values = images.permute(0, 2, 3, 1).flatten(1) @ matrix.T
        return values.unflatten(1, (*outputs, -1)).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable  # the matrix is not an input: a second derivative would lack its part
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of images and weight."""
        (images, matrix), (shape, windows) = ctx.saved_tensors, ctx.weight  # type: ignore[attr-defined]
        needs_images, needs_weight = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        gradient = gradient.permute(0, 2, 3, 1).flatten(1)
        images_gradient = weight_gradient = None
        if needs_images:
            images_gradient = (gradient @ matrix).unflatten(1, (*images.shape[2:], -1)).permute(0, 3, 1, 2)
        if needs_weight:
            product = gradient.T @ images.permute(0, 2, 3, 1).flatten(1)
            parts = product.unflatten(1, (*images.shape[2:], -1)).unflatten(0, (len(windows), -1))
            taps = product.new_zeros(shape[0], *shape[2:], shape[1])
            for (down, right), part in zip(windows, parts, strict=True):
                taps[:, down, right] += part
            weight_gradient = taps.permute(0, 3, 1, 2)
        return images_gradient, weight_gradient, None, None


def _windows(outputs: Sequence[int], size: Sequence[int], stride: int, padding: int) -> Iterator[tuple[slice, slice]]:
    """Yield the part of the kernel, rows and columns, that lies over the whole image of ``size``, for each output."""
    rows, columns = ([padding - stride * place for place in range(count)] for count in outputs)
    for down, right in itertools.product(rows, columns):
        yield slice(down, down + size[0]), slice(right, right + size[1])


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
        needs_images, needs_weight = ctx.needs_input_grad[:2]  # type: ignore[attr-defined]
        gradient = gradient.permute(0, 2, 3, 1)
        images_gradient = weight_gradient = None
        if needs_images:
            patches = (gradient @ _matrix(weight)).unflatten(3, (*weight.shape[2:], -1))
            images_gradient = _folded(patches, images, *steps)
        if needs_weight:
            # Unfolded again: to keep the patches would take nine times the input's memory.
            patches = _patches(images, weight.shape[2:], *steps)
            product = gradient.flatten(0, 2).T @ patches.flatten(3).flatten(0, 2)
            weight_gradient = product.unflatten(1, (*weight.shape[2:], -1)).permute(0, 3, 1, 2)
        return images_gradient, weight_gradient, None, None


def _matrix(weight: Tensor) -> Tensor:
    """Return weights, (channels, C, k, k), as (channels, k * k * C)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _patches(images: Tensor, kernel: torch.Size, stride: int, padding: int) -> Tensor:
    """Return the patch of the input behind each output, (B, H', W', k, k, C)."""
    padded = functional.pad(images, (padding, padding, padding, padding))
    patches = padded.unfold(2, kernel[0], stride).unfold(3, kernel[1], stride)  # a view, (B, C, H', W', k, k)
    return patches.permute(0, 2, 3, 4, 5, 1).contiguous()


def _folded(patches: Tensor, images: Tensor, stride: int, padding: int) -> Tensor:
    """Return patches, (B, H', W', k, k, C), summed at their places of origin, in the shape of ``images``."""
    size, channels, height, width = images.shape
    _, rows, columns, *kernel, _ = patches.shape
    padded = patches.new_zeros(size, height + 2 * padding, width + 2 * padding, channels)
    for down in range(kernel[0]):
        for right in range(kernel[1]):
            window = padded[:, down : down + stride * rows : stride, right : right + stride * columns : stride]
            window += patches[:, :, :, down, right]
    return padded[:, padding : padding + height, padding : padding + width].permute(0, 3, 1, 2)


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with a mask of 16 random bits a value on a processor.

    The expected value is the input, exactly so in float32: other values are scaled by the rounded probability.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Return ``values``, of any shape, with a share ``p`` of them set to 0 and the others scaled up."""
        dropped = round(self.p * 2**BITS)
        costly = values.device.type == "cpu" and not torch.compiler.is_compiling()  # a compiled mask is cheap
        if not self.training or not costly or dropped in (0, 2**BITS):
            return super().forward(values)
        # The mask has the values' own type: booleans are not vectorised, and take four times as long.
        mask = torch.ge(_bits(values.shape), dropped - 2 ** (BITS - 1), out=torch.empty_like(values))
        return values * mask.mul_(2**BITS / (2**BITS - dropped))


def _bits(shape: torch.Size) -> Tensor:
    """Return random numbers of 16 bits, int16 of ``shape``, seeded by torch's generator.

    NumPy's small fast generator draws them in half the time of torch's.
    """
    seed = int(torch.empty((), dtype=torch.int64).random_())
    count = shape.numel()
    words = np.random.Generator(np.random.SFC64(seed)).integers(2**64, size=-(-count * BITS // 64), dtype=np.uint64)
    return torch.from_numpy(words.view(np.int16))[:count].view(shape)
