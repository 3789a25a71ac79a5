from __future__ import annotations

import pytest
import torch

from benchmark.methods.not_ import NoT
from benchmark.models import build

ARCHITECTURES = {
    "convnet": (["body.0.weight"], (1, 8, 8)),
    "resnet18-w16": (None, (3, 32, 32)),
    "vit": (None, (3, 32, 32)),
}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_applied_twice_it_is_the_identity_and_once_it_negates_what_the_architecture_names(arch):
    names, shape = ARCHITECTURES[arch]
    model = build(arch, 10, shape)
    assert names is None or list(model.negated) == names
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method = NoT(NoT.Settings(), None)
    with torch.no_grad():
        method.prepare(model)
    for key, value in model.state_dict().items():
        assert torch.equal(value, -before[key] if key in model.negated else before[key])
    with torch.no_grad():
        method.prepare(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_vit_has_its_positional_embedding_and_patch_projection_negated():
    model = build("vit", 10, (3, 32, 32))
    names = [name for name, _ in model.named_parameters()]
    assert list(model.negated) == [names[0], names[4]]
    assert "pos_embedding" in names[0]


def test_after_the_negation_it_is_ft(project, monkeypatch):
    study = project.study()
    plain = project.run(study, project.name("ft"))
    monkeypatch.setattr(NoT, "prepare", lambda self, model: None)
    assert project.run(study, project.name("not")).samples.equals(plain.samples)
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    assert not project.run(study, project.name("not")).samples.equals(plain.samples)


def test_stopped_in_the_middle_it_has_negated_once(project):
    study = project.study()
    whole = project.run(study, project.name("not"))
    for stops in ((1,), (3, 4), (5,), (2, 7, 9)):
        resumed = project.run(study, project.name("not"), stops)
        assert all(torch.equal(value, whole.weights[key]) for key, value in resumed.weights.items())
