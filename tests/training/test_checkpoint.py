"""What a stopped run leaves, and which of it is taken up again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from benchmark import paths
from benchmark.data.store import content_hash
from benchmark.errors import StaleOutput
from benchmark.files import written_digest
from benchmark.results import records
from benchmark.training.checkpoint import Checkpoint
from benchmark.training.loop import Interrupted
from tests.places import run_folder


class Code:
    """What a pickle can do when it is loaded without care."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.fixture
def stopped(project):
    """A run of FT that was stopped after three of its ten steps."""
    study = project.study()
    with pytest.raises(Interrupted):
        project.job(study, project.name("ft"), stop_at=3).go()
    return study.run(project.name("ft"))


def test_a_stopped_run_leaves_a_checkpoint_and_no_output(project, stopped):
    assert [path.name for path in paths.work(stopped.place).glob("*.pt*")] == ["checkpoint.pt"]
    assert list(run_folder("tiny", stopped).glob("*")) == []


def test_another_setting_or_seed_is_another_run_and_leaves_the_checkpoint_alone(project, stopped):
    for changed in (project.unlearning(lr=0.06), project.study({"seed": 2})):
        assert changed.run(str(stopped.name)).place != stopped.place
    end = project.run(project.unlearning(lr=0.06), str(stopped.name))
    assert end.starts == 1 and end.record["slice"]["settings"]["lr"] == 0.06
    assert project.job(project.study(), str(stopped.name)).checkpoint.load()["step"] == 3


@pytest.mark.parametrize("what", ["slice", "data", "split", "original", "device"])
def test_a_checkpoint_of_anything_else_is_refused_set_aside_and_the_difference_named(project, stopped, what):
    study = project.study()
    made_from = {
        "slice": stopped.slice,
        "data": content_hash(study.dataset_folder("digits")),
        "split": written_digest(paths.split(study.split_of(stopped).place)),
        "original": records.record(study, study.run(project.original))["sha256"][paths.MODEL],
        "device": torch.device("cpu"),
    }
    difference, other = f"{what} was {str(made_from[what])!r}, is 'another'", "another"
    if what == "slice":
        difference, other = "slice.seed was 1, is 2", stopped.slice | {"seed": 2}
    if what == "device":
        difference, other = "device was 'cpu', is 'cuda'", torch.device("cuda")
    checkpoint = Checkpoint(paths.work(stopped.place), **{**made_from, what: other})
    aside = checkpoint.path.with_name("checkpoint.pt.other")
    with pytest.raises(StaleOutput) as caught:
        checkpoint.load()
    assert difference in str(caught.value)
    assert f"set aside as {aside}; run again to start anew" in str(caught.value)
    assert aside.is_file() and not checkpoint.path.exists()


def test_a_device_without_room_costs_no_checkpoint(project, stopped, monkeypatch, capsys):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "to", full)
        with pytest.raises(torch.OutOfMemoryError):
            Checkpoint(paths.work(stopped.place), **owner(project, stopped)).load()
    assert Checkpoint(paths.work(stopped.place), **owner(project, stopped)).load()["step"] == 3
    assert "damaged" not in capsys.readouterr().out


def owner(project, run):
    owned = project.job(project.study(), str(run.name)).checkpoint.owner
    return {key: value for key, value in owned.items() if key != "device"}


def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_over(project, capsys):
    study, name = project.study(), project.name("not")
    path = paths.work(study.run(name).place) / "checkpoint.pt"
    with pytest.raises(Interrupted):
        project.job(study, name, stop_at=3).go()
    good = path.read_bytes()
    middle = len(good) // 2
    whole = project.run(study, name)
    damages = {
        "a flipped bit": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "empty": b"",
        "cut at 10": good[:10],
        "cut in half": good[:middle],
        "cut by one byte": good[:-1],
        "text": b"not a checkpoint\n",
        "noise": random.Random(0).randbytes(1000),
        "a list": [1, 2],
        "code": Code(),
    }
    for damage, content in damages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        capsys.readouterr()
        end = project.run(study, name)
        printed = capsys.readouterr().out
        assert f"{path} is damaged" in printed and "set aside" in printed and "resumed" not in printed, damage
        assert end.samples.equals(whole.samples) and end.measured.equals(whole.measured), damage
    assert not Path("executed").exists()
