"""Every section runs, on far less work; the numbers mean nothing but that they are there."""

from __future__ import annotations

import contextlib
import math
import pickle

import pytest
import torch

from bench import augment, evaluate, report, train, work
from bench.report import SECTIONS
from bench.rows import Options
from bench.timing import clock
from benchmark.registry import METHODS
from benchmark.training.device import Device


def here(make, *given):
    """Time work in this process that could be timed in another: tests/bench/test_timing.py starts one."""
    make, given = pickle.loads(pickle.dumps((make, given)))
    return contextlib.nullcontext(clock(make(*given)))


@pytest.mark.parametrize("section", SECTIONS)
def test_it_runs(section, empty, monkeypatch):
    for module in (train, evaluate, augment):
        monkeypatch.setattr(module, "Process", here)
    path = report.bench([section], Options(repeats=1, threads=1, short=True), "short")
    rows = report.read(path.parent)["short"][section]["rows"]
    assert rows and len({row["work"] for row in rows}) == len(rows)
    for row in rows:
        assert math.isfinite(row["ours"]) and row["ours"] > 0
        assert all(seconds > 0 for taken in row["seconds"].values() for seconds in taken)
        assert section not in ("train", "evaluate", "augment", "mia") or row["ratio"] > 0
        assert section != "train" or row["share"] > 0
    assert section != "scale" or path.with_suffix(".pdf").is_file()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", [name for name in METHODS if name != "ssd"])
def test_no_step_waits_for_the_gpu(method, monkeypatch):
    monkeypatch.delenv("BENCHMARK_DEVICE")
    device = Device.choose("auto", threads=1)
    step = work.steps(work.trainer(method, "convnet", work.arrays(train=40), device, batch_size=8, forget=8))
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
