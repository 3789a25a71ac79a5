"""Augmentation of whole batches: no loop over images, all randomness from one generator.

A transform is named by its letters, always in the order C, H, J, G, N: random Crop, Horizontal flip, colour Jitter,
Greyscale, Normalise (the paper's section on augmentation, and its ablation of T_CL from CN to CHJGN). Two views of a
batch are two calls, each with a generator of its own.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data import colour
from benchmark.errors import BadInput
from benchmark.settings import Augmentation

CACHED = 128 * 32 * 32  # pixels augmented at once, so that intermediate results stay in a processor's cache
NAME = re.compile(r"(?=.)C?H?J?G?N?")


class Drawn(NamedTuple):
    """The random choices for a batch of B images; None for operations that the transform lacks."""

    positions: tuple[Tensor, Tensor] | None = None  # rows (B, H) and columns (B, W) of the pixels
    jitter: tuple[Tensor, Tensor, list[int]] | None = None  # as `benchmark.data.colour.draw_jitter` returns it
    grey: Tensor | None = None  # (B,) bool: the images that become grey

    def of(self, images: slice) -> Drawn:
        """Return the choices for a slice of the images."""
        positions, jitter, grey = self
        return Drawn(
            positions and (positions[0][images], positions[1][images]),
            jitter and (jitter[0][images], jitter[1][images], jitter[2]),
            None if grey is None else grey[images],
        )


class Transform:
    """An augmentation of one dataset: letters of C, H, J, G, N in this order, such as ``"CHN"``; else `BadInput`."""

    def __init__(self, name: str, augmentation: Augmentation):
        if not NAME.fullmatch(name):
            raise BadInput(f"transform {name!r}: accepted are letters of C, H, J, G, N in this order, such as CHN")
        self.name = name
        self.augmentation = augmentation
        self.padding = augmentation.padding if "C" in name else 0
        self.flip = augmentation.flip and "H" in name
        self._affine = cache(self._scale_and_shift)  # cached on the device

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return an augmented batch, float32 (B, C, H, W) in channels_last memory format; values 0 to 1 before N.

        Parameters
        ----------
        images : uint8 (B, H, W, C), C = 1 or 3, values 0 to 255.
        generator : the only source of randomness; draws on its own device. None only if the name has no random letter.
        """
        count, height, width, channels = images.shape
        self._check_channels(channels)
        drawn = self.draw(images, generator)
        step = max(1, CACHED // (height * width))
        if images.is_cuda or count <= step:
            return self.apply(images, drawn)
        augmented = torch.empty(images.shape)
        for start in range(0, count, step):
            piece = slice(start, start + step)
            augmented[piece] = self.apply(images[piece], drawn.of(piece)).permute(0, 2, 3, 1)
        return augmented.permute(0, 3, 1, 2)

    def _check_channels(self, channels: int) -> None:
        for letter, name in (("J", "saturation and hue"), ("G", "greyscale")):
            if channels == 1 and letter in self.name:
                raise BadInput(f"transform {self.name!r}: {letter} ({name}) needs colour images, these have 1 channel")
        if "N" in self.name and len(self.augmentation.mean) != channels:
            raise BadInput(
                f"augmentation.mean has {len(self.augmentation.mean)} number(s), images have {channels} channel(s): "
                "accepted is one number a channel, for mean and for std"
            )

    def draw(self, images: Tensor, generator: torch.Generator | None) -> Drawn:
        """Draw all random choices for a batch (B, H, W, C)."""
        if not (self.padding or self.flip or {*"JG"} & {*self.name}):
            return Drawn()
        if generator is None:
            raise ValueError(f"transform {self.name!r} is random: give it a generator")
        count, height, width, _ = images.shape
        device, generator_device, pad = images.device, generator.device, self.padding
        positions = None
        if pad or self.flip:
            rows = torch.arange(height, device=device).expand(count, height)
            columns = torch.arange(width, device=device).expand(count, width)
            if self.flip:
                mirrored = torch.rand(count, 1, generator=generator, device=generator_device).lt(0.5)
                columns = torch.where(mirrored.to(device, non_blocking=True), width - 1 - columns, columns)
            if pad:
                offsets = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=generator, device=generator_device)
                offsets = offsets.to(device, non_blocking=True)
                rows, columns = rows + offsets[0], columns + offsets[1]
            positions = rows, columns
        jitter = colour.draw_jitter(count, generator, device) if "J" in self.name else None
        grey = colour.draw_grey(count, generator, device) if "G" in self.name else None
        return Drawn(positions, jitter, grey)

    def apply(self, images: Tensor, drawn: Drawn) -> Tensor:
        """Augment images, uint8 (B, H, W, C), as drawn, all at once: return float32 (B, C, H, W).

        `__call__` does it in pieces.
        """
        if drawn.positions is not None:
            images = self._crop_and_flip(images, *drawn.positions)
        if drawn.jitter is None and drawn.grey is None:
            return self._scale(images)
        planes = images.permute(0, 3, 1, 2).contiguous().float().div_(255)
        if drawn.jitter is not None:
            planes = colour.jitter(planes, *drawn.jitter)
        if drawn.grey is not None:
            planes = colour.turned_grey(planes, drawn.grey)
        return self._scale(planes.mul_(255).permute(0, 2, 3, 1).contiguous())

    def _crop_and_flip(self, images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        # One gather: the crop is an offset of the row and column numbers, the flip a mirrored order of the columns.
        # The result is that of torchvision's crop, then flip, image by image.
        pad = self.padding
        padded = F.pad(images, (0, 0, pad, pad, pad, pad)) if pad else images
        count, full_height, full_width, channels = padded.shape
        rows = rows + torch.arange(count, device=images.device).unsqueeze(1) * full_height
        pixels = ((rows * full_width).unsqueeze(2) + columns.unsqueeze(1)).view(-1)
        return padded.view(-1, channels).index_select(0, pixels).view(images.shape)

    def _scale(self, images: Tensor) -> Tensor:
        # 0..255 to 0..1 and the normalisation are one multiply-add, along rows of width * channels numbers: an inner
        # dimension of 3 would not be vectorised.
        count, height, width, channels = images.shape
        scale, shift = self._affine(width, channels, images.device)
        pixels = torch.addcmul(shift, images.view(count, height, width * channels).float(), scale)
        return pixels.view(count, height, width, channels).permute(0, 3, 1, 2)

    def _scale_and_shift(self, width: int, channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
        mean, std = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        if "N" in self.name:
            mean, std = mean + torch.tensor(self.augmentation.mean), std * torch.tensor(self.augmentation.std)
        scale, shift = (part.float().repeat(width).to(device) for part in (1 / (255 * std), -mean / std))
        return scale, shift
