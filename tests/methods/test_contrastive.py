from __future__ import annotations

import math

import pytest
import torch

from benchmark.errors import BadInput
from benchmark.methods.contrastive import info_nce

E1, E2 = [1.0, 0.0], [0.0, 1.0]


def pair(first, second):
    return torch.tensor(first), torch.tensor(second)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_two_orthogonal_points_in_agreement(tau):
    # Each direction: -log(e^(1/tau) / (e^(1/tau) + 1)); the loss is their sum, without a factor 1/2.
    expected = 2 * math.log1p(math.exp(-1 / tau))
    assert info_nce(*pair([E1, E2], [E1, E2]), tau).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_two_orthogonal_points_mistaken_for_one_another(tau):
    expected = 2 * math.log1p(math.exp(1 / tau))
    assert info_nce(*pair([E1, E2], [E2, E1]), tau).item() == pytest.approx(expected, rel=1e-5)


def test_directions_that_differ_are_added():
    # Similarities [[1, 1], [0, 0]]: rows give log 2 each; columns give log(1 + 1/e) and log(1 + e), of which the mean.
    rows = math.log(2)
    columns = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2
    first, second = pair([E1, E2], [E1, E1])
    assert info_nce(first, second, 1.0).item() == pytest.approx(rows + columns, rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_points_that_cannot_be_told_apart_cost_the_log_of_their_number(count):
    # log N a direction: the denominator has the N of the other view, not SimCLR's 2N - 1.
    same = torch.ones(count, 4)
    assert info_nce(same, same, 0.1).item() == pytest.approx(2 * math.log(count), rel=1e-6)


def test_the_views_can_change_places():
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    assert info_nce(first, second, 0.2).item() == pytest.approx(info_nce(second, first, 0.2).item(), rel=1e-6)


def test_only_directions_count_not_lengths():
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    lengths = torch.arange(1.0, 7.0)[:, None]
    longer = info_nce(first * lengths, second / lengths, 0.2)
    assert longer.item() == pytest.approx(info_nce(first, second, 0.2).item(), rel=1e-5)


def test_it_is_the_cross_entropy_of_finding_the_partner():
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    similarity = torch.nn.functional.cosine_similarity(first[:, None], second[None], dim=2) / 0.1
    partner = torch.arange(6)
    expected = sum(torch.nn.functional.cross_entropy(s, partner).item() for s in (similarity, similarity.T))
    assert info_nce(first, second, 0.1).item() == pytest.approx(expected, rel=1e-5)


def test_a_temperature_whose_exponential_overflows_is_finite():
    assert math.isinf(torch.tensor(1 / 0.005).exp())
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    first.requires_grad_(), second.requires_grad_()
    loss = info_nce(first, second, 0.005)
    loss.backward()
    assert loss.isfinite() and first.grad.isfinite().all() and second.grad.isfinite().all()
    assert info_nce(*pair([E1, E2], [E2, E1]), 0.005).item() == pytest.approx(400, rel=1e-6)


def test_gradients_reach_both_views():
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    first.requires_grad_(), second.requires_grad_()
    info_nce(first, second, 0.1).backward()
    assert first.grad.abs().sum() > 0 and second.grad.abs().sum() > 0


def test_a_feature_of_zeros_is_finite():
    first = torch.zeros(2, 3, requires_grad=True)
    loss = info_nce(first, torch.ones(2, 3), 0.1)
    loss.backward()
    assert loss.isfinite() and first.grad.isfinite().all()


def test_the_term_is_computed_in_float32():
    first, second = torch.randn(2, 64, 16, generator=torch.Generator().manual_seed(0))
    coarse = info_nce(first.bfloat16(), second.bfloat16(), 0.1)
    assert coarse.dtype == torch.float32
    assert coarse.item() == info_nce(first.bfloat16().float(), second.bfloat16().float(), 0.1).item()


# --- the term in a method -------------------------------------------------------------------------------------------


def test_the_loss_of_coun_is_cross_entropy_of_the_first_view_plus_lambda_times_the_term(project):
    study = project.unlearning(epochs=1)
    trainer = project.start(study, project.name("coun@lambda=3@tau=0.2"))
    step = trainer.method.batches(0)[0]
    outputs = {name: trainer._forward(name, step) for name in step}
    expected = torch.nn.functional.cross_entropy(outputs["retain"].logits, step["retain"].label)
    expected = expected + 3 * info_nce(outputs["retain"].features, outputs["view"].features, 0.2)
    assert trainer.method.loss(outputs, step, 0).item() == pytest.approx(expected.item(), rel=1e-6)


def test_ft_with_the_term_and_coun_are_one_run(project):
    study = project.study({"tables": {"table2": {"methods": ["coun", "ft"]}, "table8": {"methods": ["ft+cl"]}}})
    assert study.tables["table8"].methods == ["coun"]
    name = str(study.run_name(project_cell(project), "ft+cl", 0))
    assert name == str(study.run_name(project_cell(project), "coun", 0)) == project.name("coun")
    names = [str(run.name) for run in study.runs() if run.name.scenario == "random-10" and "ft" not in run.name.method]
    assert names.count(project.name("coun")) == 1 and not any("+cl" in name for name in names)


def project_cell(project):
    from benchmark.names import Cell

    return Cell.parse(project.cell)


@pytest.mark.parametrize(
    ("with_term", "without"), [("coun", "ft"), ("neggrad-plus+cl", "neggrad-plus"), ("not+cl", "not")]
)
def test_at_lambda_0_the_term_is_not_there_and_at_1_it_is(project, with_term, without):
    study = project.study()
    plain = project.run(study, project.name(without))
    zero = project.run(study, project.name(f"{with_term}@lambda=0"))
    assert zero.samples.equals(plain.samples) and zero.measured.equals(plain.measured)
    assert all(torch.equal(value, plain.weights[key]) for key, value in zero.weights.items())
    one = project.run(study, project.name(with_term))
    assert not one.samples.equals(plain.samples)
    assert not torch.equal(one.weights["head.weight"], plain.weights["head.weight"])


def test_the_second_view_is_augmented_by_its_own_transform(project):
    study = project.study()
    trainer = project.start(study, project.name("coun@cl_transform=N"))
    (step, *_) = trainer.method.batches(0)
    assert (step["retain"].transform, step["view"].transform) == ("CHN", "N")
    images = trainer._forward("view", step).images
    again = trainer._forward("view", step).images
    assert torch.equal(images, again)  # normalising draws nothing
    assert not torch.equal(trainer._forward("retain", step).images, trainer._forward("retain", step).images)


def test_a_batch_of_the_last_few_images_keeps_its_term(project):
    trainer = project.start(project.study(), project.name("coun"))
    steps = trainer.method.batches(0)
    assert [len(step["view"].index) for step in steps] == [32, 32, 32, 32, 16]
    assert all(torch.equal(step["view"].index, step["retain"].index) for step in steps)


@pytest.mark.parametrize("setting", ["lambda=-1", "tau=0", "cl_transform=NC", "cl_transform=X", "lambda_=1"])
def test_settings_out_of_bounds_are_refused(project, setting):
    with pytest.raises(BadInput):
        project.study().run(project.name(f"coun@{setting}"))
