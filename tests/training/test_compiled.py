from __future__ import annotations

import pytest
import torch

from benchmark.errors import BadInput
from benchmark.training import compiled

NAME = "digits/convnet/random-10/coun/trial-0"


def test_nothing_is_compiled_unless_asked(monkeypatch):
    monkeypatch.delenv(compiled.COMPILE, raising=False)
    model = torch.nn.Linear(2, 2)
    assert compiled.compiled(model) is model


def test_another_way_is_refused(monkeypatch):
    monkeypatch.setenv(compiled.COMPILE, "fast")
    with pytest.raises(BadInput, match="BENCHMARK_COMPILE: unknown way of compiling 'fast'"):
        compiled.mode()


@pytest.mark.slow
def test_a_compiled_run_trains_the_same_model(project, monkeypatch):
    plain = project.run(project.study(), NAME)
    modes = []
    make = torch.compile
    # The compiler's front end without its back end: the graph is taken from the model and run as it is.
    monkeypatch.setattr(torch, "compile", lambda model, mode: modes.append(mode) or make(model, backend="eager"))
    monkeypatch.setenv(compiled.COMPILE, "default")
    ours = project.run(project.study(), NAME)
    assert modes == ["default"] and ours.record["stamp"]["precision"] == "float32, compiled"
    assert list(ours.weights) == list(plain.weights)
    for name, weight in plain.weights.items():
        torch.testing.assert_close(ours.weights[name], weight, rtol=1e-3, atol=1e-4, msg=name)
