from __future__ import annotations

import pytest
import torch

from benchmark.methods.not_ import NoT
from benchmark.models import build
from tests.methods.conftest import same


@pytest.mark.parametrize(
    ("arch", "shape"), [("convnet", (1, 8, 8)), ("resnet18-w16", (3, 32, 32)), ("vit", (3, 32, 32))]
)
def test_applied_twice_it_is_the_identity_and_once_it_negates_what_the_architecture_names(arch, shape):
    model = build(arch, 10, shape)
    names = [name for name, _ in model.named_parameters()]
    if arch == "vit":  # its positional embedding and patch projection
        assert list(model.negated) == [names[0], names[4]] and "pos_embedding" in names[0]
    else:  # the first convolution
        assert list(model.negated) == names[:1]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method = NoT(NoT.Settings(), None)
    with torch.no_grad():
        method.prepare(model)
        assert same(model.state_dict(), {key: -v if key in model.negated else v for key, v in before.items()})
        method.prepare(model)
    assert same(model.state_dict(), before)


def test_after_the_negation_it_is_ft(project, monkeypatch):
    study = project.study()
    plain = project.run(study, project.name("ft")).samples
    assert not project.run(study, project.name("not")).samples.equals(plain)
    with monkeypatch.context() as patch:
        patch.setattr(NoT, "prepare", lambda self, model: None)
        assert project.run(study, project.name("not", trial=0)).samples.equals(plain)


def test_stopped_in_the_middle_it_has_negated_once(project):
    study = project.study()
    whole = project.run(study, project.name("not"))
    for stops in ((1,), (3, 4), (5,), (2, 7, 9)):
        assert same(project.run(study, project.name("not"), stops).weights, whole.weights)
