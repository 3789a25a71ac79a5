import math

import pytest
import torch
from torch import nn

from benchmark.methods.base import Recipe, TrainingRecipe
from benchmark.training.optimiser import SGD, learning_rate

COSINE = Recipe(epochs=50, lr=0.05, final_lr=1e-4)
QUARTER = 1e-4 + (0.05 - 1e-4) * (1 + math.sqrt(0.5)) / 2
STEPS = [(0, 1), (90, 1), (90.99, 1), (91, 0.1), (136.4, 0.1), (136.5, 0.01), (181, 0.01)]


def test_schedules_give_the_known_learning_rates():
    for recipe, rates in [
        (COSINE, [(0, 0.05), (12.5, QUARTER), (25, (0.05 + 1e-4) / 2), (50, 1e-4)]),
        (TrainingRecipe(epochs=182, schedule="steps"), [(epoch, 0.1 * times) for epoch, times in STEPS]),
        (TrainingRecipe(warmup=75), [(0, 0), (30, 0.04), (74.9999999, 0.1), (75, 0.1), (100, 0.01), (150, 0.001)]),
        (TrainingRecipe(warmup=75, schedule="cosine"), [(0, 0), (30, 0.04), (91, 0.05005)]),
    ]:
        expected = pytest.approx([rate for _, rate in rates], rel=1e-8)
        assert [learning_rate(recipe, epoch) for epoch, _ in rates] == expected


def test_one_cycle_is_that_of_torch():
    recipe, steps = Recipe(epochs=10, lr=0.4, final_lr=0.0, schedule="one-cycle"), 1_000
    optimiser = torch.optim.SGD(network().parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.4, total_steps=steps + 1, final_div_factor=1e9)
    for step in range(steps):
        # torch is a step behind: it counts to the last step of each phase
        assert learning_rate(recipe, 10 * step / steps) == pytest.approx(theirs.get_last_lr()[0], abs=2e-3)
        optimiser.step()
        theirs.step()


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def alike(model: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, model.state_dict().values(), other.state_dict().values()))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 5e-4])
def test_steps_equal_those_of_torch_bit_for_bit_even_when_saved_and_loaded_on_the_way(momentum, weight_decay):
    recipe = Recipe(lr=0.1, momentum=momentum, weight_decay=weight_decay)
    ours, theirs, before = network(), network(), network()
    sgd = SGD(ours, recipe)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=momentum, weight_decay=weight_decay)
    generator = torch.Generator().manual_seed(1)
    for number in range(6):
        if number == 3:
            state, sgd = sgd.state_dict(), SGD(ours, recipe.model_copy(update={"lr": 9.0}))
            sgd.load_state_dict(state)
            assert sgd.lr == state["lr"] == 0.1 / number
        batch = torch.randn(8, 1, 4, 4, generator=generator)
        sgd.lr = reference.param_groups[0]["lr"] = 0.1 / (number + 1)
        for model, optimiser in ((ours, sgd), (theirs, reference)):
            model.zero_grad()
            model(batch).square().mean().backward()
            optimiser.step()
        assert alike(ours, theirs) and not alike(ours, before)


def test_a_weight_without_a_gradient_is_left_as_it_is():
    model = network()
    before = [weight.detach().clone() for weight in model.parameters()]
    model[4].weight.grad = torch.ones_like(model[4].weight)
    SGD(model, Recipe(lr=0.1)).step()
    moved = [not torch.equal(weight, old) for weight, old in zip(model.parameters(), before, strict=True)]
    assert moved == [False, False, False, False, True, False]
