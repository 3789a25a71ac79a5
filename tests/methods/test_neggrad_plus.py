import math

import pytest
import torch

from benchmark.methods.base import Output, Part
from benchmark.methods.neggrad_plus import NegGradPlus
from tests.methods.conftest import indices


@pytest.mark.parametrize("beta", [0.95, 0.5, 1.0])
def test_the_loss_is_the_one_computed_by_hand(beta):
    method = NegGradPlus(NegGradPlus.Settings(beta=beta), None)
    logits = {"retain": [[2.0, 0.0], [0.0, 1.0]], "forget": [[0.0, 3.0]]}
    outputs = {name: Output(torch.empty(0), torch.empty(0), torch.tensor(rows)) for name, rows in logits.items()}
    labels = {"retain": torch.tensor([0, 1]), "forget": torch.tensor([1])}
    batch = {name: Part(torch.arange(len(label)), label) for name, label in labels.items()}
    # Two classes: the cross-entropy is log(1 + e^-margin) of the true class's margin over the other.
    retain = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    expected = beta * retain - (1 - beta) * math.log1p(math.exp(-3))
    assert method.loss(outputs, batch, 0).item() == pytest.approx(expected, rel=1e-6)


def test_forget_batches_are_cycled_over_the_retain_batches(project):
    # 16 forget images in batches of 8: two batches, taken in turn by 18 retain batches.
    method = project.start(project.unlearning(batch_size=8), project.name("neggrad-plus")).method
    steps = method.batches(0)
    forget = [step["forget"].index.tolist() for step in steps]
    assert len(steps) == 18 and forget == forget[:2] * 9
    assert sorted(forget[0] + forget[1]) == method.context.forget.tolist()
    assert sorted(indices(steps, "retain")) == method.context.retain.tolist()
