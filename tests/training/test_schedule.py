from __future__ import annotations

import math

import pytest

from benchmark.methods.base import Recipe, TrainingRecipe
from benchmark.training.schedule import learning_rate


def test_cosine_starts_at_lr_passes_the_middle_and_ends_at_final_lr():
    recipe = Recipe(epochs=50, lr=0.05, final_lr=1e-4)
    assert learning_rate(recipe, 0) == pytest.approx(0.05, rel=1e-12)
    assert learning_rate(recipe, 25) == pytest.approx((0.05 + 1e-4) / 2, rel=1e-12)
    assert learning_rate(recipe, 50) == pytest.approx(1e-4, rel=1e-12)
    assert learning_rate(recipe, 12.5) == pytest.approx(1e-4 + (0.05 - 1e-4) * (1 + math.sqrt(0.5)) / 2, rel=1e-12)


def test_cosine_falls_at_every_step_and_not_only_between_epochs():
    recipe = Recipe(epochs=2, lr=0.1)
    rates = [learning_rate(recipe, step / 10) for step in range(20)]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 20


@pytest.mark.parametrize(
    ("epoch", "times"), [(0, 1), (90, 1), (90.99, 1), (91, 0.1), (136.4, 0.1), (136.5, 0.01), (181, 0.01)]
)
def test_steps_fall_tenfold_at_half_and_at_three_quarters(epoch, times):
    recipe = TrainingRecipe()
    assert (recipe.epochs, recipe.lr, recipe.schedule) == (182, 0.1, "steps")
    assert learning_rate(recipe, epoch) == pytest.approx(0.1 * times, rel=1e-12)


@pytest.mark.parametrize("schedule", ["steps", "cosine"])
def test_warmup_rises_linearly_and_then_joins_the_schedule(schedule):
    warm = TrainingRecipe(lr=0.1, schedule=schedule, warmup=75)
    cold = TrainingRecipe(lr=0.1, schedule=schedule)
    assert learning_rate(warm, 0) == 0
    assert learning_rate(warm, 30) == pytest.approx(0.04, rel=1e-12)
    assert learning_rate(warm, 74.999) == pytest.approx(0.1, rel=1e-4)
    for epoch in (75, 100, 150):
        assert learning_rate(warm, epoch) == learning_rate(cold, epoch)


def test_a_run_steps_at_the_rates_of_its_schedule(project, monkeypatch):
    from benchmark.training.sgd import SGD

    used: list[float] = []
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self: (used.append(self.lr), step(self))[1])
    study = project.study()
    run = study.run(project.name("ft"))
    project.run(study, str(run.name))
    assert used == [learning_rate(run.settings, number / 5) for number in range(10)]
