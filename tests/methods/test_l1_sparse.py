import pytest
import torch


def norm(model):
    return sum(weight.abs().sum().item() for weight in model.parameters())


def test_the_penalty_is_the_sum_of_all_absolute_weights_and_falls_linearly_to_0(project, outputs_of):
    trainer = project.start(project.study(), project.name("l1-sparse@alpha=0.01"))
    assert [trainer.method.alpha(epoch) for epoch in range(6)] == pytest.approx([0.01, 0.0075, 0.005, 0.0025, 0, 0])
    constant = project.start(project.study(), project.name("l1-sparse@alpha=0.01@l1_decay=false")).method
    assert [constant.alpha(epoch) for epoch in range(6)] == [0.01] * 4 + [0, 0]
    step = trainer.method.batches(0)[0]
    outputs = outputs_of(trainer, step)
    plain = torch.nn.functional.cross_entropy(outputs["retain"].logits, step["retain"].label).item()
    for epoch, alpha in ((0, 0.01), (2, 0.005), (4, 0)):
        loss = trainer.method.loss(outputs, step, epoch).item()
        assert loss == pytest.approx(plain + alpha * norm(trainer.model), rel=1e-5)


def test_at_alpha_0_it_is_ft_and_the_norm_shrinks_most_where_the_penalty_is_largest(shared):
    ends = [shared.run(f"l1-sparse@alpha={alpha}") for alpha in ("0", "0.001", "0.01")]
    assert ends[0].samples.equals(shared.run("ft").samples)
    norms = [norm(end.trainer.model) for end in ends]
    assert norms == sorted(norms, reverse=True) and norms[0] > norms[2]
