"""Costs by the paper's counting: units x forward FLOPs x batch size x batches x epochs; and as executed."""

from __future__ import annotations

import math

import pytest

# 144 retain and 16 forget images in batches of 32: five retain batches, the last of 16, and one forget batch of 16.
BATCHES, SIZE, RETAIN, FORGET = 5, 32, 144, 16


COSTS = {
    **dict.fromkeys(("retrain", "ft", "l1-sparse", "not", "coun@lambda=0"), (3, 3 * RETAIN)),
    **dict.fromkeys(("coun", "not+cl", "l1-sparse+cl"), (4, 6 * RETAIN)),
    # A forget batch at every step, the one there is being cycled.
    "neggrad-plus": (4, 3 * (RETAIN + BATCHES * FORGET)),
    "neggrad-plus+cl": (5, 3 * (2 * RETAIN + BATCHES * FORGET)),
    "original": (3, 3 * (RETAIN + FORGET)),
}


@pytest.mark.parametrize("method", COSTS)
def test_cost_of_each_epoch(project, method):
    units, executed = COSTS[method]
    end = project.run(project.study(), project.name(method))
    # Three 3x3 convolutions to 32, 64 and 64 channels at 8x8, 4x4 and 4x4 pixels, and a head; 2 a multiply-accumulate.
    flops = 2 * (64 * 9 * 1 * 32 + 16 * 9 * 32 * 64 + 16 * 9 * 64 * 64 + 64 * 10)
    assert end.record["forward_flops"] == flops
    unit, epochs = flops / 1e15, end.history["epoch"]
    assert end.history["pflops"].tolist() == pytest.approx(units * BATCHES * SIZE * unit * epochs, rel=1e-12)
    assert end.history["pflops_executed"].tolist() == pytest.approx(executed * unit * epochs, rel=1e-12)


def test_the_mask_of_salun_is_paid_once(project):
    end = project.run(project.study(), project.name("salun"))
    unit = end.record["forward_flops"] / 1e15
    executed = [3 * (FORGET + epoch * (RETAIN + FORGET)) for epoch in (1, 2)]
    assert end.history["pflops_executed"].tolist() == pytest.approx([count * unit for count in executed], rel=1e-12)


def test_the_counting_gives_the_papers_printed_costs():
    """CIFAR-10, ResNet-18: Retrain, FT and CoUn of Table 2; Retrain and a row of 50 epochs of Table 3."""
    from benchmark.methods.base import Meter

    table2, table3 = [(3, 182, 27.37), (3, 42, 6.32), (4, 50, 10.03)], [(3, 182, 15.24), (3, 50, 4.19)]
    for retain, rows in ((45_000, table2), (25_000, table3)):
        for units, epochs, printed in rows:
            meter = Meter()
            for batch in range(math.ceil(retain / 256)):
                meter.count(min(256, retain - 256 * batch), units, units, 256)
            assert meter.executed == units * retain
            assert meter.paper * epochs * 1112.6e6 / 1e15 == pytest.approx(printed, rel=2e-3)
