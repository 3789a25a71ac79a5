import math

import pytest
import torch
from torch.nn.functional import cosine_similarity

from benchmark.methods.base import Output, Part
from benchmark.methods.cu import CU, contrast

# Retain features on the axes: cosines with (1, 0) are 1, 0, -1 and 0, with (0, 3) they are 0, 1, 0 and -1.
RETAIN = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -5.0]])
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 3.0]])


def moved(anchors, classes, retain, retain_classes, temperature):
    """Return the loss, and the anchors after a step down its gradient."""
    anchors = anchors.clone().requires_grad_()
    loss = contrast(anchors, torch.tensor(classes), retain, torch.tensor(retain_classes), temperature)
    loss.backward()
    assert anchors.grad.isfinite().all()
    return loss.item(), anchors.detach() - 0.1 * anchors.grad


def test_the_loss_is_the_supervised_contrastive_one_with_positives_and_negatives_exchanged():
    generator = torch.Generator().manual_seed(0)
    anchors, retain = (torch.randn(n, 6, generator=generator) for n in (5, 9))
    classes, retain_classes = torch.tensor([0, 1, 2, 0, 1]), torch.arange(9) % 3
    similarity = cosine_similarity(anchors[:, None], retain[None], dim=2) / 0.2
    total = 0.0
    for row, label in zip(similarity, classes, strict=True):
        same, different = row[retain_classes == label], row[retain_classes != label]
        total -= (different.exp() / same.exp().sum()).log().mean()
    loss = contrast(anchors, classes, retain, retain_classes, 0.2)
    assert loss.item() == pytest.approx(total.item() / 5, rel=1e-5)


def test_an_anchor_leaves_its_own_class_and_nears_the_others():
    _, after = moved(torch.tensor([[1.0, 1.0]]), [0], torch.tensor([[1.0, 0.0], [0.0, 1.0]]), [0, 1], 0.1)
    assert after[0, 0] < 1 < after[0, 1]
    # Without its class it is pulled and not pushed: its four cosines sum to 0, so only log |N| is left of the loss.
    assert moved(ANCHORS, [2, 2], RETAIN, [0, 0, 1, 0], 0.5)[0] == pytest.approx(math.log(4), rel=1e-6)
    retain = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    mean = (retain / retain.norm(dim=1, keepdim=True)).mean(0)[None]
    _, after = moved(ANCHORS, [2, 2], retain, [0, 1], 0.5)
    assert (cosine_similarity(after, mean) > cosine_similarity(ANCHORS, mean)).all()
    # With nothing but its class it is left alone.
    loss, after = moved(ANCHORS, [0, 0], RETAIN, [0, 0, 0, 0], 0.5)
    assert loss == 0 and torch.equal(after, ANCHORS)


@pytest.mark.parametrize("temperature", [0.2, 0.005])
def test_small_temperatures_and_autocast_do_not_spoil_the_loss(temperature):
    generator = torch.Generator().manual_seed(0)
    anchors, retain = (torch.randn(8, 16, generator=generator) for _ in range(2))
    arguments = (torch.arange(8) % 3, retain, torch.arange(8) % 4, temperature)
    plain = contrast(anchors, *arguments)
    with torch.autocast("cpu", torch.bfloat16):
        assert contrast(anchors, *arguments).item() == plain.item()
    assert plain.isfinite()


@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_the_loss_is_the_scaled_term_and_the_cross_entropy_of_the_retain_half(scale):
    method = CU(CU.Settings(scale=scale, temperature=0.2), None)
    # The forget half is sure of the wrong class: no cross-entropy may be taken of it.
    logits = torch.tensor([[0.0, 9.0], [9.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    output = Output(torch.zeros(4, 1), torch.cat([ANCHORS, RETAIN[:2]]), logits)
    entropy = (math.log1p(math.exp(2)) + math.log1p(math.exp(-1))) / 2
    # Each anchor: 0 with its class, 5 with the other.
    expected = entropy + scale * (0 - 5)
    loss = method.loss({"both": output}, {"both": Part(torch.arange(4), torch.tensor([0, 1, 1, 0]))}, 0)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scenario", ["random-10", "class-8"])
def test_each_forget_batch_meets_other_retain_samples_omega_times(project, scenario):
    method = project.start(project.unlearning(batch_size=6), project.name("cu@omega=3", scenario)).method
    context = method.context
    steps = [step["both"] for step in method.batches(0)]
    assert len(steps) == 3 * -(-len(context.forget) // 6)
    anchors, retain = zip(*(part.index.split(len(part.index) // 2) for part in steps), strict=True)
    for first in range(0, len(steps), 3):
        assert all(torch.equal(anchors[first], batch) for batch in anchors[first : first + 3])
        assert not torch.equal(retain[first], retain[first + 1])
    assert sorted(torch.cat(anchors[::3]).tolist()) == context.forget.tolist()
    assert set(torch.cat(retain).tolist()) <= set(context.retain.tolist())
    assert all(torch.equal(part.label, context.labels[part.index]) for part in steps)
    assert not torch.equal(retain[0], method.batches(1)[0]["both"].index[6:])
    if scenario == "class-8":
        assert set(context.labels[torch.cat(anchors)].tolist()) == {8}
        assert 8 not in context.labels[torch.cat(retain)].tolist()
