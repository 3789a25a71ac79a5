import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.methods.contrastive import info_nce
from tests.methods.conftest import same


def random_views(seed=0, count=6):
    return torch.randn(2, count, 5, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 1000), st.integers(2, 9), st.sampled_from([0.05, 0.1, 0.5, 1.0]))
def test_the_term_is_the_cross_entropy_of_finding_the_partner_whatever_the_lengths(seed, count, tau):
    first, second = random_views(seed, count)
    similarity = torch.nn.functional.cosine_similarity(first.double()[:, None], second.double()[None], dim=2) / tau
    partner = torch.arange(count)
    # Both directions, without a factor 1/2; the denominator has the N of the other view, not SimCLR's 2N - 1.
    expected = sum(torch.nn.functional.cross_entropy(logits, partner).item() for logits in (similarity, similarity.T))
    lengths = torch.arange(1.0, count + 1)[:, None]
    assert info_nce(first, second, tau).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert info_nce(second * lengths, first / lengths, tau).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_temperature_whose_exponential_overflows_and_a_feature_of_zeros_are_finite():
    assert math.isinf(torch.tensor(1 / 0.005).exp())
    axes = torch.eye(2)
    assert info_nce(axes, axes.flip(0), 0.005).item() == pytest.approx(400, rel=1e-6)
    for pair in (random_views(), (torch.zeros(2, 3), torch.ones(2, 3))):
        first, second = (view.clone().requires_grad_() for view in pair)
        value = info_nce(first, second, 0.005)
        value.backward()
        assert value.isfinite() and first.grad.isfinite().all() and second.grad.isfinite().all()


def test_gradients_reach_both_views_and_the_term_is_computed_in_float32():
    first, second = (view.clone().requires_grad_() for view in random_views())
    info_nce(first, second, 0.1).backward()
    assert first.grad.abs().sum() > 0 and second.grad.abs().sum() > 0
    first, second = random_views(count=64).bfloat16()
    of_bfloat16 = info_nce(first, second, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = info_nce(first, second, 0.1)
    assert of_bfloat16.dtype == torch.float32
    assert of_bfloat16.item() == under_autocast.item() == info_nce(first.float(), second.float(), 0.1).item()


def test_the_loss_of_coun_is_cross_entropy_of_the_first_view_plus_lambda_times_the_term(project, outputs_of):
    trainer = project.start(project.study(), project.name("coun@lambda=3@tau=0.2"))
    step = trainer.method.batches(0)[0]
    outputs = outputs_of(trainer, step)
    expected = torch.nn.functional.cross_entropy(outputs["retain"].logits, step["retain"].label)
    expected = expected + 3 * info_nce(outputs["retain"].features, outputs["view"].features, 0.2)
    assert trainer.method.loss(outputs, step, 0).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("with_term, without", [("coun", "ft"), ("neggrad-plus+cl", "neggrad-plus"), ("not+cl", "not")])
def test_lambda_0_turns_the_term_off_and_lambda_1_on(shared, with_term, without):
    plain, at_0, at_1 = (shared.run(method) for method in (without, f"{with_term}@lambda=0", with_term))
    assert at_0.samples.equals(plain.samples) and at_0.measured.equals(plain.measured)
    assert same(at_0.weights, plain.weights)
    assert not at_1.samples.equals(plain.samples)
    assert not torch.equal(at_1.weights["head.weight"], plain.weights["head.weight"])


def test_the_second_view_is_of_the_same_images_under_its_own_transform(project, outputs_of):
    trainer = project.start(project.study(), project.name("coun@cl_transform=N"))
    steps = trainer.method.batches(0)
    assert [len(step["view"].index) for step in steps] == [32, 32, 32, 32, 16]  # the last few keep their term
    for step in steps:
        assert torch.equal(step["view"].index, step["retain"].index)
        assert (step["retain"].transform, step["view"].transform) == ("CHN", "N")
    images = outputs_of(trainer, steps[0])["view"].images
    assert torch.equal(images, trainer.context.load(steps[0]["view"], None))  # normalising draws nothing


def test_settings_out_of_bounds_are_refused(project):
    study = project.study()
    for setting in ("lambda=-1", "tau=0", "cl_transform=NC", "cl_transform=X", "lambda_=1"):
        with pytest.raises(BadInput):
            study.run(project.name(f"coun@{setting}"))
