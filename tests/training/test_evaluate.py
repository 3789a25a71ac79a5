"""What a pass over the data keeps in memory, and its outputs."""

import math
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench import work
from benchmark.training import batches
from benchmark.training.batches import Images
from benchmark.training.device import Device

CPU = Device(torch.device("cpu"), "float32")


class Watched(nn.Module):
    """A model that counts, at each call, how many of the features that it has given are still in memory."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, work.CLASSES)
        self.features, self.alive = [], []

    def forward(self, images):
        self.alive.append(sum(features() is not None for features in self.features))
        features = images.mean((2, 3))
        self.features.append(weakref.ref(features))
        return features, self.head(features)


def test_features_are_freed_where_logits_alone_are_wanted(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 4)
    model = Watched()
    frame = batches.predict(model, Images(work.arrays(train=40, test=4), work.AUGMENTATION, CPU.device), CPU)
    assert len(frame) == 44 and len(model.alive) == 11
    assert max(model.alive) <= 2  # the batch before, and what names still hold


def test_the_margin_is_exact_where_the_loss_has_run_out_of_digits():
    logits = torch.tensor([[30.0, 0.0, 5.0], [0.0, 2.0, 1.0], [-3.0, 40.0, 40.0]])
    label = torch.tensor([0, 1, 0])
    p = logits.double().softmax(1).gather(1, label[:, None])[:, 0]
    torch.testing.assert_close(batches.margin(logits, label)[1:], (p.log() - torch.log1p(-p))[1:].float())
    assert F.cross_entropy(logits[:1], label[:1]) == 0  # from which no margin can be computed
    torch.testing.assert_close(batches.margin(logits, label)[0], torch.tensor(30 - math.log(1 + math.exp(5))))


def test_outputs_have_no_gradient_and_leave_gradients_enabled_for_the_caller():
    model, images = Watched(), Images(work.arrays(train=6), work.AUGMENTATION, CPU.device)
    for features, logits in batches.outputs(model, images, "train", CPU):
        assert not features.requires_grad and not logits.requires_grad and torch.is_grad_enabled()
    assert not model.training


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_evaluation_computes_in_the_precision_of_its_run(precision):
    device, data, autocast = Device(torch.device("cpu"), precision), work.arrays(train=6), []
    model = work.model("convnet", data)
    model.register_forward_hook(lambda *_: autocast.append(torch.is_autocast_enabled("cpu")))
    list(batches.outputs(model, Images(data, work.AUGMENTATION, device.device), "train", device))
    assert autocast == [precision == "bfloat16"]
