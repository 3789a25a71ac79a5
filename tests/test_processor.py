import importlib
from pathlib import Path

import pytest

from benchmark import processor


@pytest.fixture
def machine(monkeypatch):
    """Pretend what the system says of its processor."""

    def pretend(text):
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
        importlib.reload(processor)  # it reads once

    yield pretend
    monkeypatch.undo()
    importlib.reload(processor)


def test_processors_of_one_name_are_told_apart(machine):
    machine("model name: AMD EPYC\ncpu family: 25\nmodel: 17\n\nmodel name: the second\n")
    assert processor.name() == "AMD EPYC (family 25, model 17)"
    machine("model name: AMD EPYC\ncpu family: 25\n")
    assert processor.name() == "AMD EPYC"


def test_instructions_are_found_by_their_whole_names(machine):
    machine("flags: fpu amx_bf16_next avx2\n")
    assert not processor.has("amx_bf16") and processor.has("amx_bf16", "avx2")
