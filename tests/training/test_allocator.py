"""Memory that a process frees stays its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
from benchmark.training.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16 * 2**20)  # 64 MiB: glibc gives as much back by default
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

by_default = faults()
if keep_freed_memory():
    faults()
    print(by_default, faults())
"""


def test_freed_memory_is_not_asked_for_again() -> None:
    ended = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, timeout=120)
    if not ended.stdout:
        pytest.skip("the C library cannot be told to keep memory")
    by_default, kept = map(int, ended.stdout.split())
    assert kept < by_default / 10
