"""The Vision Transformer for small datasets (Lee, Lee and Song 2021) from vit-pytorch, with the paper's sizes.

Its cost (2138.4 MFLOPs forward at 32 pixels and 100 classes) and the parameters that NoT negates by index (0 and 4)
both fit the paper.
"""

from __future__ import annotations

from torch import nn
from vit_pytorch.vit_for_small_dataset import ViT

from benchmark.models.classifier import Classifier
from benchmark.models.layers import Dropout

PATCH = 4
SIZES = {"dim": 512, "depth": 6, "heads": 12, "dim_head": 64, "mlp_dim": 1024, "dropout": 0.1, "emb_dropout": 0.1}
NEGATED = (0, 4)  # positional embedding, weight of the patch projection


def vit(classes: int, image_shape: tuple[int, int, int]) -> Classifier:
    """Return the ViT: patch 4, dimension 512, MLP 1024, 12 heads of 64, depth 6, dropout 0.1 throughout.

    The features are the class token after its last LayerNorm, (B, 512): what the linear head sees.
    """
    channels, height, width = image_shape
    body = ViT(image_size=(height, width), patch_size=PATCH, channels=channels, num_classes=classes, **SIZES)
    body.mlp_head, head = body.mlp_head
    for module in body.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout  # the same layer with a cheaper mask
    return Classifier(body, head, NEGATED)
