import pytest
import torch

from benchmark.methods.salun import SalUn
from benchmark.names import Cell
from tests.methods.conftest import indices, same


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def compared(end, start):
    """Return each parameter after a run and before it, with its mask."""
    names = [name for name, _ in end.trainer.model.named_parameters()]
    return [(end.weights[name], start[name], mask) for name, mask in zip(names, end.trainer.method.masks, strict=True)]


@pytest.mark.parametrize(("threshold", "order", "stops"), [(0.1, "forget-first", ()), (0.9, "shuffled", (3, 7))])
def test_frozen_weights_stay_bit_equal_and_the_others_move(project, original, threshold, order, stops):
    study = project.study({"hyperparameters": {"*": {"salun": {"threshold": threshold, "order": order}}}})
    end = project.run(study, project.name("salun"), stops)
    assert (end.trainer.settings.momentum, end.trainer.settings.weight_decay) == (0.9, 5e-4)
    weights = compared(end, original(study))
    assert all(torch.equal(after[~mask], before[~mask]) for after, before, mask in weights)
    unfrozen = int(threshold * sum(mask.numel() for *_, mask in weights))
    assert sum(mask.sum().item() for *_, mask in weights) == unfrozen
    assert sum((after != before).sum().item() for after, before, _ in weights) > 0.9 * unfrozen


def test_without_freezing_weight_decay_alone_moves_masked_weights(project, shared, original):
    start = original(project.study())
    moved = total = 0
    for after, before, mask in compared(shared.run("salun@freeze=false"), start):
        masked = ~mask & (before != 0)
        change = (after - before)[masked]
        assert (change * before[masked] <= 0).all()  # decay pulls towards 0, and nothing else acts on them
        moved, total = moved + (change != 0).sum().item(), total + len(change)
    assert moved > 0.9 * total > 0
    # Without decay what is left is the mask on the gradients.
    weights = compared(shared.run("salun@freeze=false", weight_decay=0), start)
    assert all(torch.equal(after[~mask], before[~mask]) for after, before, mask in weights)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 1.0])
def test_the_mask_keeps_the_fraction_ranked_over_all_weights_together(project, monkeypatch, threshold):
    study = project.study()
    model = project.start(study, project.name("ft")).model
    total = sum(weight.numel() for weight in model.parameters())
    values = torch.rand(total, generator=torch.Generator().manual_seed(0))
    # The first layer is the least salient of all: ranked by layer it would keep its fraction, ranked together none.
    first = next(model.parameters()).numel()
    values[:first] -= 1
    monkeypatch.setattr(SalUn, "saliency", lambda *_: values)
    name = study.run_name(Cell.parse(project.cell), f"salun@threshold={threshold:g}", 0)
    masks = project.start(study, str(name)).method.masks
    most_salient = set(values.argsort(descending=True)[: int(threshold * total)].tolist())
    assert set(flat(masks).nonzero().flatten().tolist()) == most_salient
    assert masks[0].sum().item() == (first if threshold == 1 else 0)


def test_saliency_is_the_absolute_sum_of_the_batches_gradients_in_evaluation_mode(project, monkeypatch):
    trainer = project.start(project.unlearning(batch_size=8), project.name("salun"))
    context, model = trainer.context, trainer.model
    parts = trainer.method.parts("forget", 0)
    assert [len(part.index) for part in parts] == [8, 8]
    images = context.labels.float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    monkeypatch.setattr(context, "load", lambda part, generator: images[part.index])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        saliency = trainer.method.saliency(model)
    model.eval()
    loss = sum(torch.nn.functional.cross_entropy(model(images[part.index])[1], part.label) for part in parts)
    expected = flat(torch.autograd.grad(loss, list(model.parameters()))).abs()
    assert torch.allclose(saliency, expected, rtol=1e-4, atol=1e-7)
    assert same(model.state_dict(), before) and all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("method", "passes"), [("salun", [["forget"]] + [["retain"]] * 5), ("salun@order=shuffled", [["both"]] * 5)]
)
def test_an_epoch_has_every_sample_once_with_random_forget_labels_and_true_retain_labels(project, method, passes):
    study = project.study()
    method = project.start(study, project.name(method)).method
    context = method.context
    drawn = []
    for epoch in range(40):
        steps = method.batches(epoch)
        assert [list(step) for step in steps] == passes
        index = [number for name in ("forget", "retain", "both") for number in indices(steps, name)]
        assert sorted(index) == list(range(160)) and index != sorted(index)
        label = torch.full((160,), -1)
        for step in steps:
            for part in step.values():
                label[part.index] = part.label
        assert torch.equal(label[context.retain], context.labels[context.retain])
        drawn.append(label[context.forget])
    forget = set(context.forget.tolist())
    mixed = [part for step in steps for part in step.values() if not forget.isdisjoint(part.index.tolist())]
    assert len(mixed) > 1 if passes[0] == ["both"] else len(mixed) == 1
    drawn = torch.stack(drawn)
    assert not torch.equal(drawn[0], drawn[1])
    # 640 labels, uniform over all ten classes, the true one included.
    assert ((drawn.flatten().bincount(minlength=10) - 64).abs() < 40).all()
    assert 20 < (drawn == context.labels[context.forget]).sum().item() < 120
    assert context.labels.tolist() == project.start(study, project.name("ft")).context.labels.tolist()
