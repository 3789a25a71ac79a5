"""Costs by the paper's counting: units x forward FLOPs x batch size x batches x epochs; and as executed."""

from __future__ import annotations

import math

import pytest

# 144 retain and 16 forget images in batches of 32: five retain batches, the last of 16, and one forget batch of 16.
BATCHES, SIZE, RETAIN, FORGET = 5, 32, 144, 16


@pytest.mark.parametrize(
    ("method", "paper", "executed"),
    [
        ("retrain", 3 * BATCHES * SIZE, 3 * RETAIN),
        ("ft", 3 * BATCHES * SIZE, 3 * RETAIN),
        ("l1-sparse", 3 * BATCHES * SIZE, 3 * RETAIN),
        ("not", 3 * BATCHES * SIZE, 3 * RETAIN),
        ("coun", 4 * BATCHES * SIZE, 6 * RETAIN),
        ("coun@lambda=0", 3 * BATCHES * SIZE, 3 * RETAIN),
        ("not+cl", 4 * BATCHES * SIZE, 6 * RETAIN),
        ("l1-sparse+cl", 4 * BATCHES * SIZE, 6 * RETAIN),
        # A forget batch at every step, the one there is being cycled.
        ("neggrad-plus", 4 * BATCHES * SIZE, 3 * (RETAIN + BATCHES * FORGET)),
        ("neggrad-plus+cl", 5 * BATCHES * SIZE, 3 * (2 * RETAIN + BATCHES * FORGET)),
        ("original", 3 * BATCHES * SIZE, 3 * (RETAIN + FORGET)),
    ],
)
def test_cost_of_each_epoch(project, method, paper, executed):
    end = project.run(project.study(), project.name(method))
    unit = end.record["forward_flops"] / 1e15
    epochs = end.history["epoch"]
    assert end.history["pflops"].tolist() == pytest.approx(paper * unit * epochs, rel=1e-12)
    assert end.history["pflops_executed"].tolist() == pytest.approx(executed * unit * epochs, rel=1e-12)


def test_the_mask_of_salun_is_paid_once(project):
    end = project.run(project.study(), project.name("salun"))
    unit = end.record["forward_flops"] / 1e15
    executed = [3 * (FORGET + epoch * (RETAIN + FORGET)) for epoch in (1, 2)]
    assert end.history["pflops_executed"].tolist() == pytest.approx([count * unit for count in executed], rel=1e-12)


def test_forward_flops_are_those_of_the_layers(project):
    # Three 3x3 convolutions to 32, 64 and 64 channels at 8x8, 4x4 and 4x4 pixels, and a head; 2 a multiply-accumulate.
    layers = 64 * 9 * 1 * 32 + 16 * 9 * 32 * 64 + 16 * 9 * 64 * 64 + 64 * 10
    assert project.run(project.study(), project.name("ft")).record["forward_flops"] == 2 * layers


@pytest.mark.parametrize(
    ("forget", "units", "epochs", "printed"),
    [(0.1, 3, 182, 27.37), (0.1, 3, 42, 6.32), (0.1, 4, 50, 10.03), (0.5, 3, 182, 15.24), (0.5, 3, 50, 4.19)],
)
def test_the_counting_gives_the_papers_printed_costs(forget, units, epochs, printed):
    """CIFAR-10, ResNet-18: Retrain, FT and CoUn of Table 2; Retrain and a row of 50 epochs of Table 3."""
    from benchmark.methods.base import Meter

    meter, retain = Meter(), round(50_000 * (1 - forget))
    for batch in range(math.ceil(retain / 256)):
        meter.count(min(256, retain - 256 * batch), units, units, 256)
    assert meter.executed == units * retain
    assert meter.paper * epochs * 1112.6e6 / 1e15 == pytest.approx(printed, rel=2e-3)
