import pytest
import torch

from benchmark.methods.not_ import NoT
from benchmark.models import build
from tests.methods.conftest import same


@pytest.mark.parametrize("negated", [None, ("body.0.weight", "head.weight")])
def test_not_negates_what_the_architecture_names_and_applied_twice_it_is_the_identity(negated):
    model = build("convnet", 10, (1, 8, 8))
    model.negated = negated or model.negated
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method = NoT(NoT.Settings(), None)
    negation = {key: -value if key in model.negated else value for key, value in before.items()}
    with torch.no_grad():
        method.prepare(model)
        assert same(model.state_dict(), negation)
        method.prepare(model)
    assert same(model.state_dict(), before)


def test_after_the_negation_not_is_ft(project, shared, monkeypatch):
    plain = shared.run("ft").samples
    assert not shared.run("not").samples.equals(plain)
    monkeypatch.setattr(NoT, "prepare", lambda self, model: None)
    assert project.run(project.study(), project.name("not")).samples.equals(plain)
