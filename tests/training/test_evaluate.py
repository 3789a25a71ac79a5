"""What a pass over the data keeps."""

from __future__ import annotations

import weakref

import torch
from torch import nn

from bench import work
from benchmark.training import batches
from benchmark.training.batches import Images
from benchmark.training.device import Device

CPU = Device(torch.device("cpu"), "float32")


class Watched(nn.Module):
    """A model that remembers, without holding them, the features that it gave, and how many were alive at each call."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, work.CLASSES)
        self.given, self.alive = [], []

    def forward(self, images):
        self.alive.append(sum(features() is not None for features in self.given))
        features = images.mean((2, 3))
        self.given.append(weakref.ref(features))
        return features, self.head(features)


def test_features_are_freed_where_logits_alone_are_wanted(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 4)
    model = Watched()
    frame = batches.predict(model, Images(work.arrays(train=40, test=4), work.AUGMENTATION, CPU.device), CPU)
    assert len(frame) == 44 and len(model.alive) == 11
    assert max(model.alive) <= 2  # the batch before, and what names still hold


def test_outputs_have_no_gradient_and_leave_the_caller_his():
    model, images = Watched(), Images(work.arrays(train=6), work.AUGMENTATION, CPU.device)
    for features, logits in batches.outputs(model, images, "train", CPU):
        assert not features.requires_grad and not logits.requires_grad and torch.is_grad_enabled()
    assert not model.training
