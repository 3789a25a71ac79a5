import math

import pytest
import torch

from benchmark.methods.base import Output, Part
from benchmark.methods.scrub import SCRUB
from tests.methods.conftest import indices, kl, same

TEACHER, STUDENT = [[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.0]]
DIVERGENCE = sum(map(kl, TEACHER, STUDENT)) / 2


def loss(teacher, name, logits, label=(0, 1), **settings):
    """Return the loss of a step on two samples, with a teacher that always gives these logits."""
    method = SCRUB(SCRUB.Settings(**settings), None)
    method.teacher = lambda images: (None, torch.tensor(teacher))
    output = Output(torch.zeros(2, 1), torch.zeros(2, 1), torch.as_tensor(logits))
    return method.loss({name: output}, {name: Part(torch.arange(2), torch.tensor(label))}, 0)


def test_the_losses_are_those_computed_by_hand():
    entropy = (math.log1p(math.exp(-1)) + math.log1p(math.exp(0.5))) / 2
    expected = 0.7 * entropy + 1.3 * DIVERGENCE
    assert loss(TEACHER, "retain", STUDENT, gamma=0.7, alpha=1.3).item() == pytest.approx(expected, rel=1e-6)
    assert DIVERGENCE > 0.1
    for label in ([0, 1], [1, 0]):  # to the forget loss neither labels nor weights matter
        value = loss(TEACHER, "forget", STUDENT, label, gamma=0.7, alpha=1.3).item()
        assert value == pytest.approx(-DIVERGENCE, rel=1e-6)


@pytest.mark.parametrize(("name", "weight"), [("forget", -1), ("retain", 0.5)])
def test_a_step_moves_away_from_the_teacher_on_forget_data_and_towards_it_on_retain_data(name, weight):
    logits = torch.tensor(STUDENT, requires_grad=True)
    loss(TEACHER, name, logits, gamma=0).backward()
    # The gradient of KL(t || s) with respect to the student's logits is softmax(s) - softmax(t).
    difference = torch.tensor(STUDENT).softmax(1) - torch.tensor(TEACHER).softmax(1)
    assert torch.allclose(logits.grad, weight * difference / 2, atol=1e-6)
    # From a teacher with the student's logits there is nothing to learn.
    logits = torch.tensor(STUDENT, requires_grad=True)
    value = loss(STUDENT, name, logits, gamma=0)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7) and logits.grad.abs().max() < 1e-7


@pytest.mark.parametrize("msteps", [0, 1, 3])
def test_the_first_msteps_epochs_begin_with_a_forget_pass(project, msteps):
    method = project.start(project.unlearning(batch_size=8), project.name(f"scrub@msteps={msteps}")).method
    for epoch in range(5):
        steps = method.batches(epoch)
        forgets = epoch < msteps
        assert [name for step in steps for name in step] == ["forget"] * (2 * forgets) + ["retain"] * 18
        assert sorted(indices(steps, "forget")) == (method.context.forget.tolist() if forgets else [])
        assert sorted(indices(steps, "retain")) == method.context.retain.tolist()


def test_without_forget_pass_and_divergence_scrub_is_ft_bit_for_bit(shared):
    assert same(shared.run("ft").weights, shared.run("scrub@alpha=0@msteps=0").weights)


def test_the_teacher_stays_original_even_after_a_stop(project, original):
    study = project.study()
    end = project.run(study, project.name("scrub"), stops=(4,))
    teacher, start = end.trainer.method.teacher, original(study)
    assert not teacher.training and not any(weight.requires_grad for weight in teacher.parameters())
    assert same(teacher.state_dict(), start) and not same(end.weights, start)
