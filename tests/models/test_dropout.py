"""Dropout from 16 bits a value: torch's in all but the numbers drawn."""

from __future__ import annotations

import pytest
import torch

from benchmark.models.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_drops_the_share_and_keeps_the_mean(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share)(torch.ones(1000, 999, dtype=dtype))
    found = float((dropped == 0).float().mean())
    assert found == pytest.approx(share, abs=5 * (share * (1 - share) / dropped.numel()) ** 0.5 + 2**-16)
    scale = 1 / (1 - share)
    assert dropped.unique().tolist() == pytest.approx([0, scale], rel=1e-2)
    chance = 5 * (share / (1 - share) / dropped.numel()) ** 0.5
    rounding = torch.finfo(dtype).eps
    assert dropped.double().mean().item() == pytest.approx(1, abs=chance + rounding)


def test_values_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(4, 250_000)) > 0).float()
    assert torch.corrcoef(kept).fill_diagonal_(0).abs().max() < 0.01
    flat = kept.flatten()
    for apart in (1, 2, 4):
        assert abs(float(torch.corrcoef(torch.stack([flat[apart:], flat[:-apart]]))[0, 1])) < 0.01


def test_gradients_pass_where_values_did() -> None:
    torch.manual_seed(0)
    values = torch.randn(7, 5, requires_grad=True)
    dropped = Dropout(0.3)(values)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(dropped, values * values.grad)
    assert 0 < int((values.grad == 0).sum()) < values.numel()


def test_the_same_seed_drops_the_same() -> None:
    def drawn() -> torch.Tensor:
        torch.manual_seed(3)
        return Dropout(0.1)(torch.ones(129))

    assert torch.equal(drawn(), drawn())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_nothing(share: float) -> None:
    assert torch.equal(Dropout(share)(torch.ones(9)), torch.full((9,), 1 - share))


def test_evaluation_drops_nothing() -> None:
    values = torch.randn(9)
    assert torch.equal(Dropout(0.5).eval()(values), values)


def test_what_is_compiled_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    values, torchs = torch.ones(129), torch.nn.Dropout(0.5)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.manual_seed(0)
    ours = Dropout(0.5)(values)
    torch.manual_seed(0)
    assert torch.equal(ours, torchs(values))
