"""Colour jitter and greyscale of whole batches, with torchvision's formulas on float images.

Images are float32 (B, 3, H, W) with values 0 to 1; a factor is one number an image, float32 (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor

JITTER_PROBABILITY = 0.8
GREY_PROBABILITY = 0.2
STRENGTH = 0.8  # of brightness, contrast and saturation: factors of 0.2 to 1.8
HUE = 0.2  # at most this part of the colour circle, in either direction


def grey(images: Tensor) -> Tensor:
    """Return the luminance, (B, 1, H, W), with the weights of ITU-R 601-2 as torchvision rounds them."""
    red, green, blue = images.unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply by ``factor`` and clip to 0..1."""
    return (images * _column(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance of every value from the image's mean luminance by ``factor``."""
    return _blend(images, grey(images).mean(dim=(2, 3), keepdim=True), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance of every pixel from its luminance by ``factor``."""
    return _blend(images, grey(images), factor)


def hue(images: Tensor, factor: Tensor) -> Tensor:
    """Turn every colour by ``factor`` (-0.5 to 0.5 of a full turn) in the HSV model, at equal saturation and value."""
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    # In sixths of a turn; a grey pixel has no hue, and without chroma none is needed.
    angle = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    angle = angle + 6 * factor.view(-1, 1, 1)
    # Back to RGB in closed form: channel n is value - chroma * clip(min(k, 4 - k), 0, 1), k = (n + angle) mod 6.
    k = (angle.unsqueeze(1) + torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)).remainder_(6)
    return value.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(k, 4 - k).clamp_(0, 1)


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Apply the four operations above to each image with probability 0.8, with factors of its own.

    The order of the operations is random, as in torchvision's ColorJitter, but drawn once for the *batch*, not for each
    image: a per-image order would cost four times the work. Values stay floats, whereas torchvision on PIL images
    rounds to 1/255 after every operation.
    """
    count, device = len(images), images.device
    draws = torch.rand(5, count, generator=generator, device=generator.device)
    order = torch.randperm(4, generator=generator, device=generator.device).tolist()
    chosen, *units = (row.to(device, non_blocking=True) for row in draws)
    spread = [2 * unit - 1 for unit in units]
    changed = images
    for number in order:
        operation = (brightness, contrast, saturation, hue)[number]
        factor = HUE * spread[number] if operation is hue else 1 + STRENGTH * spread[number]
        changed = operation(changed, factor)
    return torch.where(_column(chosen < JITTER_PROBABILITY), changed, images)


def random_grey(images: Tensor, generator: torch.Generator) -> Tensor:
    """Replace each image by its luminance in three equal channels with probability 0.2."""
    draw = torch.rand(len(images), generator=generator, device=generator.device).to(images.device)
    return torch.where(_column(draw < GREY_PROBABILITY), grey(images), images)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(other.expand_as(images), images, _column(factor)).clamp_(0, 1)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
