import pytest
import torch

from benchmark.methods.bad_teacher import BadTeacher, Mixed
from benchmark.methods.base import Output
from benchmark.models import build
from tests.methods.conftest import kl, same


@pytest.mark.parametrize("forgotten", range(4))
def test_the_loss_is_the_one_computed_by_hand_and_each_teacher_sees_its_own_images(forgotten):
    seen = {"random": [], "original": []}
    teacher_logits = {"random": [-0.5, 0.0], "original": [3.0, 0.0]}
    students = [[2.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    method = BadTeacher(BadTeacher.Settings(), None)
    for name, row in teacher_logits.items():

        def teacher(images, name=name, row=row):
            seen[name] += images.flatten().tolist()
            return None, torch.tensor([row]).expand(len(images), 2)

        setattr(method, name, teacher)

    def loss(logits):
        output = Output(torch.arange(1.0, 4)[:, None], torch.zeros(3, 1), logits)
        part = Mixed(torch.arange(3), torch.zeros(3), forget_count=forgotten)
        return method.loss({"both": output}, {"both": part}, 0)

    targets = [teacher_logits["random" if n < forgotten else "original"] for n in range(3)]
    expected = sum(map(kl, targets, students)) / 3
    method.settings = BadTeacher.Settings(reduction="mean")
    assert loss(torch.tensor(students)).item() == pytest.approx(expected / 2, rel=1e-5)  # of two classes
    method.settings = BadTeacher.Settings()
    seen["random"], seen["original"] = [], []
    assert loss(torch.tensor(students)).item() == pytest.approx(expected, rel=1e-5)
    assert seen == {"random": [1.0, 2.0, 3.0][:forgotten], "original": [1.0, 2.0, 3.0][forgotten:]}
    # A student that agrees with its teachers is left alone.
    logits = torch.tensor(targets, requires_grad=True)
    value = loss(logits)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7) and logits.grad.abs().max() < 1e-7


def test_one_teacher_stays_original_and_the_other_a_fresh_model_even_after_a_stop(project, original):
    study = project.study()
    end = project.run(study, project.name("bad-teacher"), stops=(2,))
    method = end.trainer.method
    assert same(method.original.state_dict(), original(study)) and not same(end.weights, original(study))
    assert not torch.equal(method.random.head.weight, method.context.fresh("init").head.weight)
    state = torch.get_rng_state()
    method.prepare(end.trainer.model)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(method.context.streams.integer("random-teacher"))
        assert same(method.random.state_dict(), build("convnet", 10, (1, 8, 8)).state_dict())
    assert not method.random.training and not any(weight.requires_grad for weight in method.random.parameters())


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_an_epoch_has_all_forget_data_and_always_the_same_share_of_the_retain_data(project, share):
    study = project.study({"hyperparameters": {"*": {"bad-teacher": {"batch_size": 16, "retain_share": share}}}})
    method = project.start(study, project.name("bad-teacher")).method
    forget, retain = (set(samples.tolist()) for samples in (method.context.forget, method.context.retain))
    used, forget_counts = [], []
    for epoch in range(3):
        parts = [step["both"] for step in method.batches(epoch)]
        for part in parts:
            index = part.index.tolist()
            assert set(index[: part.forget_count]) <= forget and set(index[part.forget_count :]) <= retain
            assert torch.equal(part.label, method.context.labels[part.index])
        seen = [index for part in parts for index in part.index.tolist()]
        assert len(seen) == len(set(seen)) and forget <= set(seen)
        assert all(len(part.index) == 16 for part in parts[:-1])
        used.append(set(seen) - forget)
        forget_counts.append([part.forget_count for part in parts])
    assert used[0] == used[1] == used[2] and len(used[0]) == round(share * 144)
    assert forget_counts[0] != forget_counts[1] and max(forget_counts[0]) < 16
