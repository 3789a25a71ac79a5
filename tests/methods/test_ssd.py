import torch
from torch import nn

from benchmark.methods.base import Context
from benchmark.methods.ssd import SSD, dampen
from benchmark.seeds import Streams
from tests.methods.conftest import same


def test_weights_are_dampened_as_the_formula_says():
    weight = torch.tensor([4.0, 4.0, 4.0, 4.0, 4.0, 4.0, -4.0])
    forget = torch.tensor([1.0, 2.0, 2.1, 8.0, 0.0, 1.0, 8.0])
    full = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    # Above twice the importance to all data: to 1 / (2 * 2.1), to 1 / 16, and to nothing where I_D is 0.
    dampen(weight, forget, full, alpha=2.0, lambda_=0.5)
    expected = torch.tensor([4.0, 4.0, 4 * 0.5 / 2.1, 4 * 0.5 / 8, 4.0, 0.0, -4 * 0.5 / 8])
    assert torch.allclose(weight, expected) and torch.equal(weight[:2], torch.tensor([4.0, 4.0]))
    # No weight ever grows.
    weight = torch.ones(3)
    dampen(weight, torch.tensor([2.0, 4.0, 6.0]), torch.ones(3), alpha=1.0, lambda_=5.0)
    assert torch.allclose(weight, torch.tensor([1.0, 1.0, 5 / 6]))


class Linear(nn.Linear):
    """A model of two inputs and two classes whose gradients can be done by hand."""

    def forward(self, images):
        assert not self.training
        return images, super().forward(images)


def test_importance_is_the_mean_of_the_squared_batch_gradients():
    inputs = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 4.0], [5.0, 0.0]])
    labels, streams = torch.tensor([0, 0, 0, 1, 1]), Streams(0, ("here",))
    context = Context(labels, labels[:3], labels[3:], 2, streams, lambda part, _: inputs[part.index], fresh=None)
    model = Linear(2, 2, bias=False)
    nn.init.zeros_(model.weight)
    with torch.no_grad():
        importance = SSD(SSD.Settings(batch_size=2), context).importance(model, torch.arange(5))[0]
    # At zero weights both classes have probability 1/2: a sample's gradient in its class's row is -x/2, else x/2.
    # The strided batches are (0, 3), (1, 4) and (2,).
    first = torch.tensor([[-1.0, 4.0], [1.0, -4.0]]) / 4
    second = torch.tensor([[5.0, -2.0], [-5.0, 2.0]]) / 4
    third = torch.tensor([[-3.0, 0.0], [3.0, 0.0]]) / 2
    assert torch.allclose(importance, (first**2 + second**2 + third**2) / 3)
    # Three batches of two are charged a forward pass; five images went forward and back.
    assert (context.meter.paper, context.meter.executed) == (6, 15)
    # A frozen weight has no importance.
    model = nn.Sequential(nn.Identity(), Linear(2, 2))
    model[1].bias.requires_grad_(False)
    with torch.no_grad():
        weight, bias = SSD(SSD.Settings(batch_size=2), context).importance(model.eval(), torch.arange(5))
    assert weight.any() and not bias.any() and bias.shape == (2,)


def test_ssd_only_shrinks_weights_and_leaves_batch_statistics_alone(project, shared, original):
    start = original(project.study())
    # At a threshold that nothing exceeds it is Original bit for bit.
    assert same(start, shared.run("ssd@alpha=1e+30").weights)
    end = shared.run("ssd@alpha=1")
    parameters = {name for name, _ in end.trainer.model.named_parameters()}
    assert same({name: value for name, value in start.items() if name not in parameters}, end.weights)
    before, after = (torch.cat([weights[name].flatten() for name in parameters]) for weights in (start, end.weights))
    assert (after.abs() <= before.abs()).all() and (after * before >= 0).all() and (after != before).any()


def test_nothing_is_trained_and_nothing_is_drawn(project, shared):
    # The tiny study gives every unlearning method 2 epochs, at which there is nothing to do.
    first = shared.run("ssd@alpha=1")
    other_trial = shared.run("ssd@alpha=1", "random-10", 1)
    idle = project.run(project.study({"hyperparameters": {"*": {"ssd": {"epochs": 0}}}}), project.name("ssd@alpha=1"))
    assert same(first.weights, other_trial.weights) and same(first.weights, idle.weights)
    (row,) = idle.history.to_dict("records")
    assert row["epoch"] == SSD.Settings().epochs == 0 and row["ra"] == first.history["ra"].iloc[-1]
