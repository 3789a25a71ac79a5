"""Dropout from 16 random bits a value: torch's in all but the numbers drawn."""

import pytest
import torch

from benchmark.models.layers import Dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_share_and_keeps_the_mean(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(1000, 999, dtype=dtype))
    measured = float((dropped == 0).float().mean())
    assert measured == pytest.approx(share, abs=5 * (share * (1 - share) / dropped.numel()) ** 0.5 + 2**-16)
    scale = 1 / (1 - share)
    assert dropped.unique().tolist() == pytest.approx([0, scale], rel=1e-2)
    chance = 5 * (share / (1 - share) / dropped.numel()) ** 0.5
    assert dropped.double().mean().item() == pytest.approx(1, abs=chance + torch.finfo(dtype).eps)


def test_values_are_dropped_independently_and_by_the_seed() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(4, 250_000)) > 0).float()
    assert torch.corrcoef(kept).fill_diagonal_(0).abs().max() < 0.01
    flat = kept.flatten()
    for lag in (1, 2, 4):
        assert abs(float(torch.corrcoef(torch.stack([flat[lag:], flat[:-lag]]))[0, 1])) < 0.01
    torch.manual_seed(0)
    assert torch.equal(kept, (Dropout(0.5)(torch.ones(4, 250_000)) > 0).float())


def test_gradients_pass_where_values_did_and_compiled_dropout_is_torchs(monkeypatch) -> None:
    torch.manual_seed(0)
    values = torch.randn(7, 5, requires_grad=True)
    dropped = Dropout(0.3)(values)
    dropped.sum().backward()
    assert values.grad is not None and torch.equal(dropped, values * values.grad)
    assert 0 < int((values.grad == 0).sum()) < values.numel()
    for share in (0.0, 1.0):
        assert torch.equal(Dropout(share)(torch.ones(9)), torch.full((9,), 1 - share))
    values = torch.randn(9)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    outcomes = []
    for layer in (Dropout(0.5), torch.nn.Dropout(0.5)):
        torch.manual_seed(0)
        outcomes.append(layer(torch.ones(129)))
    assert torch.equal(*outcomes)
