"""The fast path and the plain reference, on the same images in float32, come to the same numbers."""

from __future__ import annotations

import multiprocessing
import time

import numpy as np
import pytest
import torch
from torch import nn

from bench import evaluate, memory, reference, train, work
from bench.rows import Options
from benchmark.models.dropout import Dropout
from benchmark.training.batches import Images
from benchmark.training.device import Device
from benchmark.training.evaluate import predict

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
    mask = {name: kept.float() for name, kept in zip(names, trainer.method.masks, strict=True)}
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
    loaders = reference.loaders(data, work.AUGMENTATION, batch_size=7, workers=0)
    found = reference.evaluate(plain, loaders, CPU.device)
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


def test_every_dropout_of_a_model_is_replaced() -> None:
    model = nn.Sequential(Dropout(0.2), nn.Sequential(nn.Linear(2, 2), Dropout(0.3)))
    reference.use_torchs_dropout(model)
    assert [(type(part), part.p) for part in model.modules() if isinstance(part, nn.Dropout)] == [
        (nn.Dropout, 0.2),
        (nn.Dropout, 0.3),
    ]


class Counted(reference.Plain):
    """Images that count how many of them were asked for, in any process."""

    def __init__(self, *given):
        super().__init__(*given)
        self.loaded = multiprocessing.Value("i", 0)

    def __getitem__(self, number):
        with self.loaded.get_lock():
            self.loaded.value += 1
        return super().__getitem__(number)


def counted(data) -> Counted:
    return Counted(data.train_images, data.train_labels, reference.transform("N", work.AUGMENTATION, 32))


def test_batches_are_fetched_ahead_beyond_the_end_of_an_epoch(data):
    images = counted(data)
    batches = reference.endless(images, BATCH, workers=1)
    for _ in range(5):  # all images, once
        next(batches)
    until = time.monotonic() + 20
    while images.loaded.value < 7 * BATCH and time.monotonic() < until:
        time.sleep(0.01)
    assert images.loaded.value == 7 * BATCH  # two batches wait for the next step


def test_every_epoch_has_every_image_once(data):
    batches = reference.endless(counted(data), BATCH, workers=0)
    for _ in range(2):
        labels = torch.cat([next(batches)[1] for _ in range(5)])
        assert sorted(labels.tolist()) == sorted(data.train_labels.tolist())


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than this machine has cores
def test_a_loader_has_a_few_workers_at_most(data):
    assert reference.endless(counted(data), BATCH, workers=64)._num_workers == reference.WORKERS
    loaders = reference.loaders(data, work.AUGMENTATION, BATCH, workers=64)
    assert {loader.num_workers for loader in loaders.values()} == {reference.WORKERS}


def test_evaluation_starts_its_workers_once(data):
    piece = evaluate.plain("convnet", CPU, 4, 1)["reference"]
    workers = []
    for _ in range(2):
        piece()
        workers.append({child.pid for child in multiprocessing.active_children()})
    assert workers[0] and workers[0] == workers[1]


MAKERS = {
    "a step": lambda: train.plain("convnet", "ft", CPU, 4, Options(threads=1, short=True)),
    "an evaluation": lambda: evaluate.plain("convnet", CPU, 4, 1),
    "its memory": lambda: memory._peak("reference", "convnet", 4, 1, "cpu"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_float32_is_not_tf32_on_a_gpu(make, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # as torch has it
    make()
    assert torch.backends.cudnn.allow_tf32 is False
