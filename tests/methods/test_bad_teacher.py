from __future__ import annotations

import math

import pytest
import torch

from benchmark.methods.bad_teacher import BadTeacher, Mixed
from benchmark.methods.base import Output, Part
from benchmark.models import build


def taught(random, original, seen):
    """BadT with teachers of two classes that say (logit, 0) of everything and note what they are shown."""

    def teacher(name, logit):
        def say(images):
            seen[name] = images.flatten().tolist()
            return None, torch.tensor([[logit, 0.0]]).expand(len(images), 2)

        return say

    method = BadTeacher(BadTeacher.Settings(), None)
    method.random, method.original = teacher("random", random), teacher("original", original)
    return method


def kl(teacher, student):
    """KL divergence of the two-class predictions of (teacher, 0) from those of (student, 0)."""
    p, q = (1 / (1 + math.exp(-logit)) for logit in (teacher, student))
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def loss(method, logits, forgotten):
    count = len(logits)
    output = Output(torch.arange(1.0, count + 1)[:, None], torch.zeros(count, 1), logits)
    part = Mixed(torch.arange(count), torch.zeros(count, dtype=torch.int64), forgotten=forgotten)
    return method.loss({"both": output}, {"both": part}, 0)


@pytest.mark.parametrize("forgotten", [0, 1, 2, 3])
def test_loss_by_hand_and_who_is_shown_what(forgotten):
    seen = {"random": [], "original": []}
    student = [2.0, 0.0, -1.0]
    value = loss(taught(-0.5, 3.0, seen), torch.tensor([[s, 0.0] for s in student]), forgotten)
    expected = sum(kl(-0.5 if n < forgotten else 3.0, s) for n, s in enumerate(student)) / 3
    assert value.item() == pytest.approx(expected, rel=1e-5)
    assert seen == {"random": [1.0, 2.0, 3.0][:forgotten], "original": [1.0, 2.0, 3.0][forgotten:]}


def test_a_student_that_agrees_with_its_teachers_is_left_alone():
    logits = torch.tensor([[-0.5, 0.0], [3.0, 0.0]], requires_grad=True)
    value = loss(taught(-0.5, 3.0, {}), logits, forgotten=1)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7) and logits.grad.abs().max() < 1e-7


def test_the_random_teacher_is_a_fresh_model_of_its_own_stream(project):
    study = project.study()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    method = project.start(study, project.name("bad-teacher")).method
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(method.random.head.weight, method.context.fresh("init").head.weight)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(method.context.streams.integer("random-teacher"))
        expected = build("convnet", 10, (1, 8, 8)).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in method.random.state_dict().items())
    assert not method.random.training and not any(weight.requires_grad for weight in method.random.parameters())


@pytest.mark.parametrize("stops", [(), (2,)])
def test_one_teacher_is_original_and_the_other_knows_nothing(project, learned, original, stops):
    study = learned()
    method = project.run(study, project.name("bad-teacher"), stops).trainer.method
    assert all(torch.equal(value, original(study)[name]) for name, value in method.original.state_dict().items())
    context = method.context
    labels = context.labels[context.retain]
    images = context.load(Part(context.retain, labels, "N"), None)
    with torch.no_grad():
        knows, guesses = (teacher(images)[1].softmax(1) for teacher in (method.original, method.random))
    assert (knows.argmax(1) == labels).float().mean() > 0.6 and (guesses.argmax(1) == labels).float().mean() < 0.3
    assert guesses.max(1).values.mean() < 0.5


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


def test_a_student_follows_its_teachers(project, learned):
    # Forget data become as unsure as the random teacher; retain data stay as sure as Original.
    study = learned(lr=0.05, epochs=10, batch_size=8)
    end = project.run(study, project.name("bad-teacher@retain_share=1"))
    context = end.trainer.context
    losses = end.samples[end.samples["split"] == "train"]["loss"].to_numpy()
    assert losses[context.forget.numpy()].mean() > 2 * losses[context.retain.numpy()].mean()
