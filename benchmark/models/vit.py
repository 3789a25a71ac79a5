"""The Vision Transformer for small datasets: Lee, Lee and Song 2021, as in the package vit-pytorch.

Shifted patch tokenisation and locality self-attention, with the paper's sizes. Its cost (2138.4 MFLOPs forward at 32
pixels and 100 classes) and the parameters that NoT negates by index (0 and 4) both fit the paper.
"""

from __future__ import annotations

from torch import nn
from vit_pytorch.vit_for_small_dataset import ViT

from benchmark.errors import BadInput
from benchmark.models.base import Classifier
from benchmark.models.dropout import use_cheap_dropout

PATCH = 4
NEGATED = (0, 4)  # positional embedding, weight of the patch projection


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
    body = ViT(
        image_size=(height, width),
        patch_size=PATCH,
        num_classes=classes,
        dim=512,
        depth=6,
        heads=12,
        dim_head=64,
        mlp_dim=1024,
        channels=channels,
        dropout=0.1,
        emb_dropout=0.1,
    )
    norm, head = body.mlp_head
    if not isinstance(norm, nn.LayerNorm) or not isinstance(head, nn.Linear):
        raise RuntimeError("vit-pytorch's ViT no longer ends in LayerNorm and Linear: pin vit-pytorch to 1.x")
    body.mlp_head = norm
    use_cheap_dropout(body)
    return Classifier(body, head, NEGATED)
