"""The Vision Transformer for small datasets: Lee, Lee and Song 2021, with the paper's sizes.

Shifted patch tokenisation (their Section 3.1) and locality self-attention (their Section 3.2). Its cost (2138.4 MFLOPs
forward at 32 pixels and 100 classes) and the parameters that NoT negates by index (0 and 4) both fit the paper.
Parameters are named and ordered as in the package vit-pytorch, whose import would cost a job a second and a half.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import BadInput
from benchmark.models.classifier import Classifier
from benchmark.models.dropout import Dropout

PATCH = 4
DEPTH = 6
DIMENSION, HIDDEN = 512, 1024  # of a token; within an MLP
HEADS, HEAD_DIMENSION = 12, 64
DROPPED = 0.1
SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # pixels to the right, and downwards, of an image's copies
NEGATED = (0, 4)  # positional embedding, weight of the patch projection


class Patches(nn.Module):
    """Cut images, (B, C, H, W), into patches, (B, patches, PATCH * PATCH * C)."""

    def forward(self, images: Tensor) -> Tensor:
        """Return patches row by row; in each, pixels row by row, and the channels of a pixel side by side."""
        cut = images.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))
        return cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


class ShiftedPatches(nn.Module):
    """Shifted patch tokenisation: an image and copies of it one pixel off, cut into patches and projected."""

    def __init__(self, channels: int):
        super().__init__()
        values = (1 + len(SHIFTS)) * channels * PATCH**2
        self.to_patch_tokens = nn.Sequential(Patches(), nn.LayerNorm(values), nn.Linear(values, DIMENSION))

    def forward(self, images: Tensor) -> Tensor:
        """Return tokens, (B, patches, DIMENSION), of images, (B, C, H, W)."""
        copies = [functional.pad(images, (right, -right, down, -down)) for right, down in SHIFTS]
        tokens: Tensor = self.to_patch_tokens(torch.cat([images, *copies], dim=1))
        return tokens


class LocalAttention(nn.Module):
    """Locality self-attention: a learnt temperature, and no token looks at itself."""

    def __init__(self) -> None:
        super().__init__()
        inner = HEADS * HEAD_DIMENSION
        self.temperature = nn.Parameter(torch.log(torch.tensor(HEAD_DIMENSION**-0.5)))
        self.norm = nn.LayerNorm(DIMENSION)
        self.dropout = Dropout(DROPPED)
        self.to_qkv = nn.Linear(DIMENSION, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, DIMENSION), Dropout(DROPPED))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what is to be added to tokens, (B, N, DIMENSION)."""
        heads = self.to_qkv(self.norm(tokens)).unflatten(2, (3, HEADS, HEAD_DIMENSION))
        queries, keys, values = heads.permute(2, 0, 3, 1, 4).unbind()  # (B, HEADS, N, HEAD_DIMENSION) each
        likeness = queries @ keys.mT * self.temperature.exp()
        itself = torch.eye(likeness.shape[-1], dtype=torch.bool, device=likeness.device)
        attention = likeness.masked_fill(itself, -torch.finfo(likeness.dtype).max).softmax(dim=-1)
        seen = self.dropout(attention) @ values
        added: Tensor = self.to_out(seen.transpose(1, 2).flatten(2))
        return added


class MLP(nn.Module):
    """A token by itself: normalised, widened, narrowed."""

    def __init__(self) -> None:
        super().__init__()
        widen = [nn.LayerNorm(DIMENSION), nn.Linear(DIMENSION, HIDDEN), nn.GELU(), Dropout(DROPPED)]
        self.net = nn.Sequential(*widen, nn.Linear(HIDDEN, DIMENSION), Dropout(DROPPED))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what is to be added to tokens, (B, N, DIMENSION)."""
        added: Tensor = self.net(tokens)
        return added


class Transformer(nn.Module):
    """DEPTH times attention and MLP, each added to what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList([LocalAttention(), MLP()]) for _ in range(DEPTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens, (B, N, DIMENSION), that know of each other."""
        for layer in self.layers:
            for part in layer.children():
                tokens = part(tokens) + tokens
        return tokens


class ViTBody(nn.Module):
    """The ViT up to its class token after the last LayerNorm, (B, DIMENSION).

    Parameters
    ----------
    channels : channels of the images.
    patches : how many an image has.
    """

    def __init__(self, channels: int, patches: int):
        super().__init__()
        self.to_patch_embedding = ShiftedPatches(channels)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1 + patches, DIMENSION))
        self.cls_token = nn.Parameter(torch.randn(1, 1, DIMENSION))
        self.dropout = Dropout(DROPPED)
        self.transformer = Transformer()
        self.mlp_head = nn.LayerNorm(DIMENSION)

    def forward(self, images: Tensor) -> Tensor:
        """Return features, (B, DIMENSION), of images, (B, C, H, W)."""
        patches = self.to_patch_embedding(images)
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embedding
        features: Tensor = self.mlp_head(self.transformer(self.dropout(tokens))[:, 0])
        return features


def vit(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return the ViT: patch 4, dimension 512, MLP 1024, 12 heads of 64, depth 6, dropout 0.1 throughout.

    The features are the class token after its last LayerNorm, (B, 512): what the linear head sees.

    Parameters
    ----------
    classes : number of classes.
    image_shape : channels, height and width of one image.

    Raises
    ------
    BadInput
        If the sides are no multiples of 4 pixels.
    """
    channels, height, width = image_shape
    if height % PATCH or width % PATCH:
        raise BadInput(f"model 'vit': images of {width}x{height} pixels; accepted are sides that {PATCH} divides")
    body = ViTBody(channels, (height // PATCH) * (width // PATCH))
    return Classifier(body, nn.Linear(DIMENSION, classes), NEGATED)
