from __future__ import annotations

import math

import pytest
import torch

from benchmark.methods.base import Output, Part
from benchmark.methods.scrub import SCRUB


def kl(teacher, student):
    """KL divergence of two rows of logits, in plain Python."""

    def softmax(row):
        total = sum(math.exp(value) for value in row)
        return [math.exp(value) / total for value in row]

    return sum(p * math.log(p / q) for p, q in zip(softmax(teacher), softmax(student), strict=True))


def taught(teacher, **settings):
    """SCRUB with a teacher that says these logits whatever it is shown."""
    method = SCRUB(SCRUB.Settings(**settings), None)
    method.teacher = lambda images: (None, torch.tensor(teacher))
    return method


def given(name, logits, label):
    output = Output(torch.zeros(len(label), 1), torch.zeros(len(label), 1), torch.as_tensor(logits))
    return {name: output}, {name: Part(torch.arange(len(label)), torch.tensor(label))}


TEACHER, STUDENT = [[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.0]]
DIVERGENCE = (kl(TEACHER[0], STUDENT[0]) + kl(TEACHER[1], STUDENT[1])) / 2


def test_retain_loss_of_two_samples_by_hand():
    method = taught(TEACHER, gamma=0.7, alpha=1.3)
    entropy = (math.log1p(math.exp(-1)) + math.log1p(math.exp(0.5))) / 2
    expected = 0.7 * entropy + 1.3 * DIVERGENCE
    assert method.loss(*given("retain", STUDENT, [0, 1]), 0).item() == pytest.approx(expected, rel=1e-6)


def test_forget_loss_of_two_samples_by_hand():
    # Neither labels nor weights matter to it.
    method = taught(TEACHER, gamma=0.7, alpha=1.3)
    assert DIVERGENCE > 0.1
    for label in ([0, 1], [1, 0]):
        assert method.loss(*given("forget", STUDENT, label), 0).item() == pytest.approx(-DIVERGENCE, rel=1e-6)


def test_nothing_is_to_be_learned_from_a_teacher_with_the_students_logits():
    method = taught(STUDENT, gamma=0)
    for name in ("forget", "retain"):
        logits = torch.tensor(STUDENT, requires_grad=True)
        loss = method.loss(*given(name, logits, [0, 1]), 0)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-7)
        assert logits.grad.abs().max() < 1e-7


@pytest.mark.parametrize(("name", "sign"), [("forget", 1), ("retain", -1)])
def test_a_step_moves_away_from_the_teacher_on_forget_data_and_towards_it_on_retain_data(name, sign):
    logits = torch.tensor(STUDENT, requires_grad=True)
    taught(TEACHER, gamma=0).loss(*given(name, logits, [0, 1]), 0).backward()
    moved = (logits.detach() - 0.1 * logits.grad).tolist()
    change = sum(kl(t, s) for t, s in zip(TEACHER, moved, strict=True)) / 2 - DIVERGENCE
    assert change * sign > 1e-4
    # The gradient of KL(t || s) with respect to the student's logits is softmax(s) - softmax(t).
    weight = -1 if name == "forget" else 0.5
    difference = torch.tensor(STUDENT).softmax(1) - torch.tensor(TEACHER).softmax(1)
    assert torch.allclose(logits.grad, weight * difference / 2, atol=1e-6)


@pytest.mark.parametrize("msteps", [0, 1, 3])
def test_the_first_msteps_epochs_begin_with_a_forget_pass(project, msteps):
    study = project.unlearning(batch_size=8)
    method = project.start(study, project.name(f"scrub@msteps={msteps}")).method
    for epoch in range(5):
        steps = method.batches(epoch)
        parts = [name for step in steps for name in step]
        assert parts == ["forget"] * (2 if epoch < msteps else 0) + ["retain"] * 18
        forget = [index for step in steps[:-18] for index in step["forget"].index.tolist()]
        retain = [index for step in steps[-18:] for index in step["retain"].index.tolist()]
        assert sorted(forget) == (method.context.forget.tolist() if epoch < msteps else [])
        assert sorted(retain) == method.context.retain.tolist()


def test_without_forget_pass_and_divergence_it_is_ft_bit_for_bit(project):
    study = project.study()
    ft = project.run(study, project.name("ft"))
    scrub = project.run(study, project.name("scrub@alpha=0@msteps=0"))
    assert all(torch.equal(weight, scrub.weights[name]) for name, weight in ft.weights.items())


@pytest.mark.parametrize("stops", [(), (4,)])
def test_the_teacher_is_original_to_the_end(project, original, stops):
    study = project.study()
    end = project.run(study, project.name("scrub"), stops)
    teacher, start = end.trainer.method.teacher, original(study)
    assert not teacher.training and not any(weight.requires_grad for weight in teacher.parameters())
    assert all(torch.equal(weight, start[name]) for name, weight in teacher.state_dict().items())
    assert any(not torch.equal(weight, start[name]) for name, weight in end.weights.items())


def test_every_batch_costs_the_students_passes_and_the_teachers(project):
    study = project.study()
    end = project.run(study, project.name("scrub@msteps=1"))
    flops = end.record["forward_flops"]
    # One forget batch in the first epoch, five retain batches in each; forget's one and retain's last hold 16 images.
    first, second = end.history["pflops"] * 1e15 / flops
    assert (first, second) == (pytest.approx(4 * 6 * 32), pytest.approx(4 * 11 * 32))
    first, second = end.history["pflops_executed"] * 1e15 / flops
    assert (first, second) == (pytest.approx(4 * 160), pytest.approx(4 * 304))


def test_a_class_is_forgotten_by_the_forget_passes_alone(project, learned):
    study = learned(lr=0.05, epochs=4, batch_size=8)
    kept, gone = (
        project.run(study, project.name(f"scrub@msteps={msteps}", "class-8")).history.iloc[-1] for msteps in (0, 4)
    )
    assert kept["ua"] < 60 and gone["ua"] > 90
    assert kept["ra"] > 90 and gone["ra"] > 80
