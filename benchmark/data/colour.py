"""Colour jitter and greyscale of whole batches, with torchvision's formulas on float images.

Images are float32 (B, 3, H, W) with values 0 to 1; a factor is one number an image, float32 (B,).
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

JITTER_PROBABILITY = 0.8
GREY_PROBABILITY = 0.2
STRENGTH = 0.8  # of brightness, contrast and saturation: factors of 0.2 to 1.8
HUE = 0.2  # largest turn in either direction, as a share of the colour circle


def grey(images: Tensor) -> Tensor:
    """Return the luminance, (B, 1, H, W), with the weights of ITU-R 601-2 as torchvision rounds them."""
    red, green, blue = images.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).unsqueeze(1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply by ``factor`` and clip to 0..1."""
    return (images * _per_image(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance of every value from the image's mean luminance by ``factor``."""
    return _blend(images, grey(images).mean(dim=(2, 3), keepdim=True), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance of every pixel from its luminance by ``factor``."""
    return _blend(images, grey(images), factor)


def hue(images: Tensor, factor: Tensor) -> Tensor:
    """Turn every colour by ``factor`` (-0.5 to 0.5 of a full turn) in the HSV model, at equal saturation and value."""
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    # In turns. A grey pixel has no hue, and without chroma none is needed: all differences are 0 then.
    per_turn = chroma.clamp_min(1e-12).mul_(6).reciprocal_()
    from_red = (green - blue).mul_(per_turn)
    from_green = (blue - red).mul_(per_turn).add_(1 / 3)
    from_blue = (red - green).mul_(per_turn).add_(2 / 3)
    angle = _pick(_equal(value, red), from_red, _pick(_equal(value, green), from_green, from_blue))
    angle.add_(factor.view(-1, 1, 1))
    # Back to RGB in closed form: a channel is value - chroma * clip(2 - 6 d, 0, 1), where d is the distance in turns
    # between the angle and the channel's opposite colour: cyan, magenta, yellow at 1/2, 5/6 and 1/6.
    distance = torch.empty_like(images)
    for channel, opposite in enumerate((1 / 2, 5 / 6, 1 / 6)):
        torch.sub(angle, opposite, out=distance[:, channel])
    removed = distance.sub_(distance.round()).abs_().mul_(-6).add_(2).clamp_(0, 1)
    return torch.addcmul(value.unsqueeze(1), chroma.unsqueeze(1), removed, value=-1)


def draw_jitter(count: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """Draw the jitter of ``count`` images: each is changed with probability 0.8, by factors of its own.

    Return the factors, (B, 4), of brightness, contrast, saturation and hue; which images are changed, (B,) bool; and
    the order of the operations. The order is random, as in torchvision's ColorJitter, but drawn once for the *batch*:
    an order for each image would cost four times the work.
    """
    draws = torch.rand(5, count, generator=generator, device=generator.device).to(device, non_blocking=True)
    spread = 2 * draws[1:] - 1
    factors = torch.cat([1 + STRENGTH * spread[:3], HUE * spread[3:]])
    return factors.T, draws[0] < JITTER_PROBABILITY, _order(generator)


def _order(generator: torch.Generator) -> list[int]:
    if generator.device.type != "cpu":
        # The order decides which operation runs next, and reading a draw from a GPU would wait for all queued work. The
        # state of its generator is known without waiting.
        seed = int.from_bytes(hashlib.sha256(generator.get_state().numpy().tobytes()).digest()[:7])
        generator = torch.Generator().manual_seed(seed)
    return torch.randperm(4, generator=generator).tolist()


def jitter(images: Tensor, factors: Tensor, chosen: Tensor, order: list[int]) -> Tensor:
    """Apply the four operations above, as drawn, to the chosen images.

    Values stay floats, whereas torchvision on PIL images rounds to 1/255 after every operation.
    """
    changed = images
    for number in order:
        changed = (brightness, contrast, saturation, hue)[number](changed, factors[:, number])
    return _pick(_per_image(chosen.float()), changed, images)


def draw_grey(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw which of ``count`` images become grey, (B,) bool: each with probability 0.2."""
    draw = torch.rand(count, generator=generator, device=generator.device)
    return draw.to(device, non_blocking=True) < GREY_PROBABILITY


def turned_grey(images: Tensor, chosen: Tensor) -> Tensor:
    """Replace the chosen images, (B,) bool, by their luminance in three equal channels."""
    return _pick(_per_image(chosen.float()), grey(images), images)


def _blend(images: Tensor, luminance: Tensor, factor: Tensor) -> Tensor:
    weight = _per_image(factor)
    return (images * weight).add_(luminance * (1 - weight)).clamp_(0, 1)


def _equal(first: Tensor, second: Tensor) -> Tensor:
    return torch.eq(first, second, out=torch.empty_like(first))


def _pick(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    # The same as torch.where, for ``chosen`` of 1 or 0: on a processor lerp is vectorised and where is not, and lerp
    # returns either input unchanged.
    return torch.lerp(no, yes, chosen)


def _per_image(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)
