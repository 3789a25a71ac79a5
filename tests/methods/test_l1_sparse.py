from __future__ import annotations

import pytest
import torch


def test_the_penalty_falls_linearly_to_0(project):
    method = project.start(project.study(), project.name("l1-sparse@alpha=0.4")).method
    assert [method.alpha(epoch) for epoch in range(6)] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0])


def test_the_penalty_is_the_sum_of_all_absolute_weights(project, shown):
    trainer = project.start(project.study(), project.name("l1-sparse@alpha=0.01@l1_epochs=2"))
    step = trainer.method.batches(0)[0]
    outputs = shown(trainer, step)
    norm = sum(weight.abs().sum().item() for weight in trainer.model.parameters())
    plain = torch.nn.functional.cross_entropy(outputs["retain"].logits, step["retain"].label).item()
    for epoch, alpha in ((0, 0.01), (1, 0.005), (2, 0)):
        assert trainer.method.loss(outputs, step, epoch).item() == pytest.approx(plain + alpha * norm, rel=1e-5)


def test_at_alpha_0_it_is_ft(project):
    study = project.study()
    plain = project.run(study, project.name("ft"))
    assert project.run(study, project.name("l1-sparse@alpha=0")).samples.equals(plain.samples)


def test_the_norm_shrinks_most_where_the_penalty_is_largest(project):
    study = project.study()
    norms = []
    for alpha in ("0", "0.001", "0.01"):
        end = project.run(study, project.name(f"l1-sparse@alpha={alpha}"))
        norms.append(sum(weight.abs().sum().item() for weight in end.trainer.model.parameters()))
    assert norms == sorted(norms, reverse=True)
