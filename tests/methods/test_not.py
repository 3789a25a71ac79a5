import pytest
import torch

from benchmark.methods.not_ import NoT
from benchmark.models import build
from tests.methods.conftest import same


@pytest.mark.parametrize("negated", [None, ("body.0.weight", "head.weight")])
def test_applied_twice_it_is_the_identity_and_once_it_negates_what_the_architecture_names(negated):
    model = build("convnet", 10, (1, 8, 8))
    model.negated = negated or model.negated
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method = NoT(NoT.Settings(), None)
    with torch.no_grad():
        method.prepare(model)
        assert same(model.state_dict(), {key: -v if key in model.negated else v for key, v in before.items()})
        method.prepare(model)
    assert same(model.state_dict(), before)


def test_after_the_negation_it_is_ft(project, shared, monkeypatch):
    plain = shared.run("ft").samples
    assert not shared.run("not").samples.equals(plain)
    monkeypatch.setattr(NoT, "prepare", lambda self, model: None)
    assert project.run(project.study(), project.name("not")).samples.equals(plain)
