"""One forward pass over train and test data, from which all metrics are computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.training.batches import Images
from benchmark.training.device import Device

BATCH = 512


def predict(model: nn.Module, images: Images, device: Device) -> pd.DataFrame:
    """Return one row a sample: ``index, split, label, prediction, loss``.

    ``index`` counts within the split, in dataset order; ``loss`` is the cross-entropy in float32, so that the
    confidence in the true label is exp(-loss). The model is left in evaluation mode.
    """
    parts = []
    for split in ("train", "test"):
        label = images.labels[split]
        logits = torch.cat([out for _, out in outputs(model, images, split, device)])
        loss = F.cross_entropy(logits, label, reduction="none")
        parts.append(
            {
                "index": np.arange(len(label)),
                "split": np.full(len(label), split, object),
                "label": label.cpu().numpy(),
                "prediction": logits.argmax(1).cpu().numpy(),
                "loss": loss.cpu().numpy(),
            }
        )
    return pd.DataFrame({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})


@torch.no_grad()
def outputs(
    model: nn.Module, images: Images, split: str, device: Device, index: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features (B, D) and logits (B, K) of a split, or of the samples in ``index``, batch by batch.

    One batch is held at a time: the features of all samples may need more memory than anything else.
    """
    model.eval()
    for batch in images.plain(split, BATCH, index):
        with device.autocast():
            features, logits = model(batch)
        yield features.float(), logits.float()
