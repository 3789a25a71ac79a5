"""The fast path and the plain reference, on the same images in float32, come to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.bench import reference, work
from benchmark.training.device import Device
from benchmark.training.evaluate import predict
from benchmark.training.images import Images

CPU = Device(torch.device("cpu"), "float32")
BATCH = 8


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return work.arrays(train=5 * BATCH, test=12)


def stepped(method: str, data, **settings):
    """Do one step of a trainer; return it, and the images and labels that its parts saw."""
    trainer = work.trainer(method, "convnet", data, CPU, BATCH, forget=BATCH, **settings)
    seen = []
    load = trainer.context.load
    trainer.context.load = lambda part, generator: seen.append((load(part, generator), part.label)) or seen[-1][0]
    batch = trainer.method.batches(0)[0]
    trainer.train_step(batch, progress=0.0)
    return trainer, [(images.contiguous(), label) for images, label in seen]


def plain(data):
    model = work.model("convnet", data)
    return model, reference.optimiser(model, lr=0.05)


def same(trainer, model) -> None:
    for (name, ours), theirs in zip(trainer.model.state_dict().items(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs, rtol=1e-4, atol=1e-6, msg=name)


def test_ft(data):
    trainer, [(images, label)] = stepped("ft", data)
    model, optimiser = plain(data)
    loss = reference.ft(model, optimiser, images, label)
    same(trainer, model)
    assert float(trainer._loss) == pytest.approx(loss, rel=1e-5)


def test_neggrad_plus(data):
    trainer, [retain, forget] = stepped("neggrad-plus", data, beta=0.9)
    model, optimiser = plain(data)
    loss = reference.neggrad_plus(model, optimiser, list(retain), list(forget), 0.9)
    same(trainer, model)
    assert float(trainer._loss) == pytest.approx(loss, rel=1e-5)


def test_salun(data):
    trainer, [(images, label)] = stepped("salun", data, freeze=False)
    model, optimiser = plain(data)
    names = [name for name, _ in model.named_parameters()]
    mask = {name: kept.float() for name, kept in zip(names, trainer.method._masks, strict=True)}
    loss = reference.salun(model, optimiser, mask, images, label)
    same(trainer, model)
    assert float(trainer._loss) == pytest.approx(loss, rel=1e-5)
    assert 0 < sum(float(part.sum()) for part in mask.values()) < sum(part.numel() for part in mask.values())


def test_coun(data):
    trainer, [(first, label), (second, _)] = stepped("coun", data, **{"lambda": 0.7, "tau": 0.2})
    model, optimiser = plain(data)
    loss = reference.coun(model, optimiser, 0.7, 0.2, first, second, label)
    same(trainer, model)
    assert float(trainer._loss) == pytest.approx(loss, rel=1e-5)


def test_evaluation(data):
    ours = CPU.place(work.model("convnet", data))
    frame = predict(ours, Images(data, work.AUGMENTATION, CPU.device), CPU)
    plain = work.model("convnet", data)
    found = reference.evaluate(plain, data, work.AUGMENTATION, batch_size=7, workers=0, device=CPU.device)
    for split, (prediction, loss) in found.items():
        rows = frame[frame["split"] == split]
        np.testing.assert_array_equal(rows["prediction"], prediction)
        np.testing.assert_allclose(rows["loss"], loss, rtol=1e-4, atol=1e-5)


def test_normalisation_is_torchvisions(data):
    images = Images(data, work.AUGMENTATION, CPU.device)
    ours = next(images.plain("train", 4))
    view = reference.transform("N", work.AUGMENTATION, 32)
    theirs = torch.stack([reference.Plain(data.train_images, data.train_labels, view)[n][0] for n in range(4)])
    torch.testing.assert_close(ours.contiguous(), theirs, rtol=1e-5, atol=1e-5)
