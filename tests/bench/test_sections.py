"""Every section runs, on far less work; what it finds then means nothing but that it is there."""

from __future__ import annotations

import math
import os

import pytest
import torch

from bench import (
    alternatives,
    augment,
    ceiling,
    evaluate,
    imagenet,
    maps,
    memory,
    mia,
    original,
    resident,
    scale,
    startup,
    train,
    work,
)
from bench import project as projects
from bench.rows import Options
from benchmark.registry import METHODS
from benchmark.training.compiled import COMPILE, OFF
from benchmark.training.device import Device

SHORT = Options(repeats=2, threads=1, short=True)


def plausible(rows) -> None:
    assert rows
    for row in rows:
        assert math.isfinite(row.ours) and row.ours > 0
        assert all(seconds > 0 for taken in row.seconds.values() for seconds in taken)
        if row.reference is not None:
            assert row.reference > 0


@pytest.mark.parametrize("section", [augment, ceiling, imagenet, mia, original], ids=lambda section: section.__name__)
def test_it_runs(section):
    rows = section.rows(SHORT)
    plausible(rows)
    assert len({row.work for row in rows}) == len(rows)


def test_every_method_trains_beside_its_reference(monkeypatch):
    monkeypatch.setattr(train, "ARCHITECTURES", ("convnet",))
    rows = train.rows(SHORT)
    plausible(rows)
    assert [row.work.split(", ")[1] for row in rows] == list(train.METHODS)
    assert all(row.ratio > 0 and row.share > 0 for row in rows)
    # NegGrad+ goes through twice as many images as FT, CoUn through each of them twice.
    assert "time over FT's" in rows[-1].figures


def test_evaluation_runs_beside_its_reference(monkeypatch):
    monkeypatch.setattr(evaluate, "ARCHITECTURES", ("convnet",))
    plausible(evaluate.rows(SHORT))


@pytest.mark.slow
def test_alternatives_run_beside_what_is_done(monkeypatch):
    monkeypatch.setenv(COMPILE, OFF)
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # compiling wants a C++ compiler
    rows = alternatives.rows(SHORT)
    plausible(rows)
    assert all(row.ratio > 0 for row in rows)
    assert os.environ[COMPILE] == OFF


@pytest.mark.parametrize("otherwise", [False, True])
def test_the_step_that_is_to_be_compiled_is(otherwise, monkeypatch):
    monkeypatch.setenv(COMPILE, OFF)
    monkeypatch.setattr(alternatives, "prepare_process", lambda threads: None)
    seen = []
    monkeypatch.setattr(torch, "compile", lambda model, mode: seen.append(mode) or model)
    device = Device.choose("float32", threads=1)
    alternatives.compiled_step("convnet", 4, device, 1, otherwise)["step"]()
    assert seen == ["default"] * otherwise


def test_views_that_go_together_move_the_weights():
    device = Device.choose("float32", threads=1)
    trainer = work.trainer("coun", "convnet", work.arrays(train=12), device, batch_size=4, forget=4)
    before = [weight.clone() for weight in trainer.model.parameters()]
    alternatives.together(trainer)()
    assert all((weight != old).any() for weight, old in zip(trainer.model.parameters(), before, strict=True))


def test_views_normalised_apart_in_one_pass_are_those_of_two_passes():
    device = Device.choose("float32", threads=1)
    trainers = [work.trainer("coun", "convnet", work.arrays(train=12), device, batch_size=4, forget=4) for _ in "ab"]
    two, one = (trainer.model for trainer in trainers)
    alternatives.normalise_apart(one, parts=2)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images[4:] = 2 * images[4:] + 1  # views that share their statistics would come out alike together and apart
    passes = [torch.cat([two(view)[1] for view in images.chunk(2)]), one(images)[1]]
    assert torch.allclose(*passes, atol=1e-5)
    for mine, theirs in zip(one.modules(), two.modules(), strict=True):
        if isinstance(mine, torch.nn.BatchNorm2d):
            assert torch.allclose(mine.running_mean, theirs.running_mean, atol=1e-6)
            assert torch.allclose(mine.running_var, theirs.running_var, atol=1e-6)
    assert not torch.allclose(passes[1], trainers[0].model(images)[1], atol=1e-2)
    for outputs in passes:
        (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum().backward()
    for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-4)


@pytest.mark.slow
def test_processes_share_one_copy_of_the_images():
    (row,) = resident.rows(SHORT)
    assert 0.5 < row.figures["times the file's size"] < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("section", [maps, memory, startup], ids=lambda section: section.__name__)
def test_it_runs_in_processes(section):
    plausible(section.rows(SHORT))


@pytest.mark.slow
def test_points_of_growth_are_drawn(empty, monkeypatch):
    monkeypatch.setattr(scale, "_studies", lambda counts, changes, name: [(n, [1.0 * n]) for n in (1, 2)])
    rows = scale.rows(SHORT)
    plausible(rows)
    assert all(row.seconds["ours"] for row in rows)
    assert (empty.root / "figures" / "bench" / "scale-short.pdf").is_file()


def test_a_gpu_that_is_forbidden_is_not_measured(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    monkeypatch.setattr(work, "trainer", lambda *given, **settings: pytest.fail("hours of training"))
    assert original.rows(Options()) == []
    assert ceiling.side_of(Device.choose("auto", threads=1), Options()) == 2048
    asked = []
    monkeypatch.setattr(projects.Project, "command", lambda self, *given, module: asked.append(given) or "1.0")
    memory.rows(SHORT)
    assert [(who, given[-1]) for who, *given in asked] == [("ours", "cpu"), ("reference", "cpu")]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", [name for name in METHODS if name != "ssd"])
def test_no_step_waits_for_the_gpu(method, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DEVICE")
    device = Device.choose("auto", threads=1)
    steps = work.Steps(work.trainer(method, "convnet", work.arrays(train=40), device, batch_size=8, forget=8))
    steps()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            steps()
    finally:
        torch.cuda.set_sync_debug_mode("default")
