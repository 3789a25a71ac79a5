"""Augmentation of whole batches: no loop over images, all randomness from one generator.

A transform is named by its letters, always in the order C, H, J, G, N: random Crop, Horizontal flip, colour Jitter,
Greyscale, Normalise (the paper's section on augmentation, and its ablation of T_CL from CN to CHJGN). Two views of a
batch are two calls, each with a generator of its own.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data import colour
from benchmark.errors import BadInput
from benchmark.settings import Augmentation

CACHED = 32  # images whose colours are worked on together
NAME = re.compile(r"(?=.)C?H?J?G?N?")


class Transform:
    """A named augmentation of one dataset.

    Parameters
    ----------
    name : letters of C, H, J, G, N in this order, such as ``"CHN"``.
    augmentation : padding of C, whether H flips at all, mean and standard deviation of N.

    Raises
    ------
    BadInput
        If the name has another form.
    """

    def __init__(self, name: str, augmentation: Augmentation):
        if not NAME.fullmatch(name):
            raise BadInput(f"transform {name!r}: accepted are letters of C, H, J, G, N in this order, such as CHN")
        self.name = name
        self.augmentation = augmentation
        self.padding = augmentation.padding if "C" in name else 0
        self.flip = augmentation.flip and "H" in name
        self._affine: dict[tuple[int, int, torch.device], tuple[Tensor, Tensor]] = {}

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return an augmented batch.

        Parameters
        ----------
        images : uint8 (B, H, W, C) or (B, C, H, W), C = 1 or 3, values 0 to 255.
        generator : the only source of randomness; draws on its own device. None only if the name has no random letter.

        Returns
        -------
        float32 (B, C, H, W) in channels_last memory format; values 0 to 1 before N.

        Raises
        ------
        BadInput
            If J or G meets greyscale images, or N has a mean of another number of channels.
        """
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"images are {images.dtype} {tuple(images.shape)}; accepted is a uint8 batch")
        if images.shape[3] not in (1, 3):
            images = images.permute(0, 2, 3, 1)
        images = images.contiguous()
        self._check_channels(images.shape[3])
        if self.padding or self.flip:
            images = self._crop_and_flip(images, _needed(generator, self.name))
        if "J" not in self.name and "G" not in self.name:
            return self._scale(images)
        return self._coloured(images, _needed(generator, self.name))

    def _check_channels(self, channels: int) -> None:
        for letter, what in (("J", "saturation and hue"), ("G", "greyscale")):
            if channels == 1 and letter in self.name:
                raise BadInput(f"transform {self.name!r}: {letter} ({what}) needs colour images, these have 1 channel")
        if "N" in self.name and len(self.augmentation.mean) != channels:
            raise BadInput(
                f"augmentation.mean has {len(self.augmentation.mean)} number(s), images have {channels} channel(s): "
                "accepted is one number a channel, for mean and for std"
            )

    def _crop_and_flip(self, images: Tensor, generator: torch.Generator) -> Tensor:
        # One gather of whole pixels: the crop is an offset of the row and column numbers, the flip a mirrored order of
        # the columns. A crop, then a flip, as torchvision's transforms would do image by image.
        count, height, width, channels = images.shape
        device, source = images.device, generator.device
        pad = self.padding
        rows = torch.arange(height, device=device).expand(count, height)
        columns = torch.arange(width, device=device).expand(count, width)
        if self.flip:
            mirrored = torch.rand(count, 1, generator=generator, device=source).lt(0.5).to(device, non_blocking=True)
            columns = torch.where(mirrored, width - 1 - columns, columns)
        if pad:
            offsets = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=generator, device=source)
            offsets = offsets.to(device, non_blocking=True)
            rows, columns = rows + offsets[0], columns + offsets[1]
            images = F.pad(images, (0, 0, pad, pad, pad, pad))
        full_height, full_width = height + 2 * pad, width + 2 * pad
        rows = rows + torch.arange(count, device=device).unsqueeze(1) * full_height
        index = (rows * full_width).unsqueeze(2) + columns.unsqueeze(1)
        return images.view(-1, channels).index_select(0, index.view(-1)).view(count, height, width, channels)

    def _coloured(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count, device = len(images), images.device
        jitter = colour.Jitter.draw(count, generator, device) if "J" in self.name else None
        grey = colour.draw_grey(count, generator, device) if "G" in self.name else None
        out = torch.empty(images.shape, device=device)
        # On a processor few images at a time, whose planes stay in its cache.
        for rows in _pieces(count, count if images.is_cuda else CACHED):
            planes = images[rows].permute(0, 3, 1, 2).contiguous().float().div_(255)
            if jitter is not None:
                planes = colour.jitter(planes, jitter.of(rows))
            if grey is not None:
                planes = colour.turned_grey(planes, grey[rows])
            out[rows] = self._scale(planes.mul_(255).permute(0, 2, 3, 1).contiguous()).permute(0, 2, 3, 1)
        return out.permute(0, 3, 1, 2)

    def _scale(self, images: Tensor) -> Tensor:
        # 0..255 to 0..1 and the normalisation are one multiply-add, along rows of width * channels numbers: an inner
        # dimension of 3 would not be vectorised.
        count, height, width, channels = images.shape
        scale, shift = self._scale_and_shift(width, channels, images.device)
        pixels = torch.addcmul(shift, images.view(count, height, width * channels).float(), scale)
        return pixels.view(count, height, width, channels).permute(0, 3, 1, 2)

    def _scale_and_shift(self, width: int, channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
        key = (width, channels, device)
        if key not in self._affine:
            mean, std = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
            if "N" in self.name:
                mean, std = mean + torch.tensor(self.augmentation.mean), std * torch.tensor(self.augmentation.std)
            pair = (1 / (255 * std), -mean / std)
            self._affine[key] = tuple(part.float().repeat(width).to(device) for part in pair)  # type: ignore[assignment]
        return self._affine[key]


def evaluation(augmentation: Augmentation) -> Transform:
    """Return the transform of every evaluation: normalisation alone, whatever the training transform was."""
    return Transform("N", augmentation)


def _pieces(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _needed(generator: torch.Generator | None, name: str) -> torch.Generator:
    if generator is None:
        raise ValueError(f"transform {name!r} is random: give it a generator")
    return generator
