"""What the training loop draws anew in every epoch, and what it records of one."""

import pytest
import torch

from bench import work
from benchmark.training.device import Device
from benchmark.training.loop import Trainer


def trainer(method: str) -> Trainer:
    cpu = Device(torch.device("cpu"), "float32")
    return work.trainer(method, "convnet", work.arrays(train=40), cpu, 8, forget=8)


def test_an_image_is_augmented_otherwise_in_every_epoch_and_view():
    ours, seeds = trainer("coun"), set()
    for ours.epoch in range(3):
        ours._generators.clear()
        seeds |= {ours._generator(name).initial_seed() for name in ("retain", "view")}
    assert len(seeds) == 6


def test_layers_draw_other_numbers_in_every_epoch(monkeypatch):
    ours, seeds = trainer("ft"), []
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    for ours.epoch in range(2):
        ours.step = 0
        ours._train_epoch(lambda _: None)
    assert len(set(seeds)) == 2


def test_the_recorded_loss_is_that_of_one_epoch(shared):
    ended = shared.run("ft", lr=1e-30, final_lr=0, weight_decay=0)  # which moves nothing
    first, second = ended.history["loss"]
    assert second == pytest.approx(first, rel=0.2)
