from __future__ import annotations

import math

import pytest
import torch

from benchmark.methods.bad_teacher import BadTeacher, Mixed
from benchmark.methods.base import Output
from benchmark.models import build


def says(logit, shown):
    """A teacher of two classes that says (logit, 0) of everything and notes what it was shown."""

    def teacher(images):
        shown.extend(images.flatten().tolist())
        return None, torch.tensor([[logit, 0.0]]).expand(len(images), 2)

    return teacher


def kl(teacher, student):
    """KL divergence of the two-class predictions of (teacher, 0) from those of (student, 0)."""
    p, q = (1 / (1 + math.exp(-logit)) for logit in (teacher, student))
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@pytest.mark.parametrize("forgotten", [0, 1, 2, 3])
def test_loss_by_hand_and_who_is_shown_what(forgotten):
    method = BadTeacher(BadTeacher.Settings(), None)
    shown = {"random": [], "original": []}
    method._random, method._original = says(-0.5, shown["random"]), says(3.0, shown["original"])
    student = [2.0, 0.0, -1.0]
    output = Output(torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, 1), torch.tensor([[s, 0.0] for s in student]))
    part = Mixed(torch.arange(3), torch.zeros(3, dtype=torch.int64), forgotten=forgotten)
    expected = sum(kl(-0.5 if n < forgotten else 3.0, s) for n, s in enumerate(student)) / 3
    assert method.loss({"both": output}, {"both": part}, 0).item() == pytest.approx(expected, rel=1e-5)
    assert shown == {"random": [1.0, 2.0, 3.0][:forgotten], "original": [1.0, 2.0, 3.0][forgotten:]}


def test_a_student_that_agrees_with_its_teachers_is_left_alone():
    method = BadTeacher(BadTeacher.Settings(), None)
    method._random, method._original = says(-0.5, []), says(3.0, [])
    logits = torch.tensor([[-0.5, 0.0], [3.0, 0.0]], requires_grad=True)
    output = Output(torch.zeros(2, 1), torch.zeros(2, 1), logits)
    part = Mixed(torch.arange(2), torch.zeros(2, dtype=torch.int64), forgotten=1)
    loss = method.loss({"both": output}, {"both": part}, 0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-7) and logits.grad.abs().max() < 1e-7


def test_the_random_teacher_is_a_fresh_model_of_its_own_stream(project):
    study = project.study()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again = (project.start(study, project.name("bad-teacher")).method for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    teacher = first._random
    assert torch.equal(teacher.head.weight, again._random.head.weight)
    assert not torch.equal(teacher.head.weight, first.context.fresh("init").head.weight)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(first.context.streams.integer("random-teacher"))
        expected = build("convnet", 10, (1, 8, 8)).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in teacher.state_dict().items())
    assert not teacher.training and not any(weight.requires_grad for weight in teacher.parameters())


def learned(project, **settings):
    """A study whose Original, trained here, knows its training data."""
    training = {"epochs": 20, "batch_size": 16}
    study = project.study({"hyperparameters": {"*": {"training": training, "unlearning": settings}}})
    project.run(study, project.original)
    return study


@pytest.mark.parametrize("stops", [(), (2,)])
def test_one_teacher_is_original_and_the_other_knows_nothing(project, stops):
    from benchmark.training.job import weights

    study = learned(project)
    end = project.run(study, project.name("bad-teacher"), stops)
    original = weights(study, study.run(project.original))
    method = end.trainer.method
    assert all(torch.equal(value, original[name]) for name, value in method._original.state_dict().items())
    context = method.context
    images = context.load(Mixed(context.retain, context.labels[context.retain], "N"), None)
    right = {
        teacher: (teacher(images)[1].argmax(1) == context.labels[context.retain]).float().mean().item()
        for teacher in (method._original, method._random)
    }
    assert right[method._original] > 0.6 and right[method._random] < 0.3
    with torch.no_grad():
        surely = method._random(images)[1].softmax(1).max(1).values.mean().item()
    assert surely < 0.5


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_pass_is_all_forget_data_and_always_the_same_share_of_the_retain_data(project, share):
    study = project.study({"hyperparameters": {"*": {"bad-teacher": {"batch_size": 16, "retain_share": share}}}})
    method = project.start(study, project.name("bad-teacher")).method
    forget, retain = (set(samples.tolist()) for samples in (method.context.forget, method.context.retain))
    used, orders = [], []
    for epoch in range(3):
        parts = [step["both"] for step in method.batches(epoch)]
        for part in parts:
            index = part.index.tolist()
            assert set(index[: part.forgotten]) <= forget and set(index[part.forgotten :]) <= retain
            assert torch.equal(part.label, method.context.labels[part.index])
        everything = [index for part in parts for index in part.index.tolist()]
        assert len(everything) == len(set(everything)) and forget <= set(everything)
        assert all(len(part.index) == 16 for part in parts[:-1])
        used.append(set(everything) - forget)
        orders.append([part.forgotten for part in parts])
    assert used[0] == used[1] == used[2] and len(used[0]) == round(share * 144)
    assert orders[0] != orders[1] and max(orders[0]) < 16


def test_whether_a_student_follows_its_teachers(project):
    # Forget data become as unsure as the random teacher; retain data stay as sure as Original.
    study = learned(project, lr=0.05, epochs=10, batch_size=8)
    end = project.run(study, project.name("bad-teacher@retain_share=1"))
    context = end.trainer.context
    loss = end.samples[end.samples["split"] == "train"]["loss"].to_numpy()
    assert loss[context.forget.numpy()].mean() > 2 * loss[context.retain.numpy()].mean()
