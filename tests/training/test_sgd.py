from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.methods.base import Recipe
from benchmark.training.sgd import SGD


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def batches(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8, 1, 4, 4, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 5e-4])
def test_steps_equal_those_of_torch_bit_for_bit(momentum, weight_decay):
    recipe = Recipe(lr=0.1, momentum=momentum, weight_decay=weight_decay)
    ours, theirs = network(), network()
    mine = SGD(ours, recipe)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=momentum, weight_decay=weight_decay)
    for number, batch in enumerate(batches(6)):
        mine.lr = reference.param_groups[0]["lr"] = 0.1 / (number + 1)
        for model, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            model(batch).square().mean().backward()
            optimiser.step()
        for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
            assert torch.equal(a, b)


def test_a_weight_without_a_gradient_is_left_as_it_is():
    model = network()
    optimiser = SGD(model, Recipe(lr=0.1))
    before = [weight.detach().clone() for weight in model.parameters()]
    model[4].weight.grad = torch.ones_like(model[4].weight)
    optimiser.step()
    moved = [not torch.equal(weight, old) for weight, old in zip(model.parameters(), before, strict=True)]
    assert moved == [False, False, False, False, True, False]


def test_saved_momentum_goes_on_as_if_never_saved():
    whole, parts = network(), network()
    one, two = SGD(whole, Recipe(lr=0.1)), SGD(parts, Recipe(lr=0.1))
    for number, batch in enumerate(batches(6)):
        if number == 3:
            state = two.state_dict()
            two = SGD(parts, Recipe(lr=0.5))
            two.load_state_dict(state)
        for model, optimiser in ((whole, one), (parts, two)):
            optimiser.zero_grad()
            model(batch).square().mean().backward()
            optimiser.step()
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
