from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from benchmark import paths
from benchmark.data.store import content_hash
from benchmark.errors import StaleOutput
from benchmark.files import written_digest
from benchmark.results import records as results
from benchmark.training.checkpoint import Checkpoint
from benchmark.training.loop import Interrupted
from tests.places import place, run_folder


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
    return study


def checkpoint(study, name):
    return paths.work(place(study, name)) / "checkpoint.pt"


def test_a_stopped_run_leaves_a_checkpoint_and_no_output(project, stopped):
    name = project.name("ft")
    assert [path.name for path in checkpoint(stopped, name).parent.glob("*.pt*")] == ["checkpoint.pt"]
    assert list(run_folder("tiny", name).glob("*")) == []


def test_a_checkpoint_of_another_setting_is_refused_and_the_setting_named(project, stopped):
    changed = project.unlearning(lr=0.06)
    with pytest.raises(StaleOutput) as caught:
        project.run(changed, project.name("ft"))
    assert "slice.settings.lr was 0.05, is 0.06" in str(caught.value)
    path = checkpoint(stopped, project.name("ft"))
    aside = path.with_name("checkpoint.pt.other")
    assert f"set aside as {aside}; run again to start anew" in str(caught.value)
    assert aside.is_file() and not path.exists()
    end = project.run(changed, project.name("ft"))
    assert end.starts == 1 and end.record["slice"]["settings"]["lr"] == 0.06


def test_a_checkpoint_of_another_seed_is_refused_and_the_seed_named(project, stopped):
    study = project.study({"seed": 2})
    run, data = study.run(project.name("ft")), content_hash(study.dataset_folder("digits"))
    with pytest.raises(StaleOutput, match=r"slice\.seed was 1, is 2"):
        Checkpoint(paths.work(place("tiny", run)), run.slice, data).load()


@pytest.mark.parametrize("what", ["data", "split", "original"])
def test_a_checkpoint_of_other_images_another_split_or_another_original_is_refused(project, stopped, what):
    run = stopped.run(project.name("ft"))
    made_from = {
        "data": content_hash(stopped.dataset_folder("digits")),
        "split": written_digest(paths.split(stopped.split_of(run).place)),
        "original": results.record(stopped, stopped.run(project.original))["sha256"][paths.MODEL],
    }
    checkpoint = Checkpoint(paths.work(place("tiny", run)), run.slice, **{**made_from, what: "another"})
    with pytest.raises(StaleOutput, match=f"{what} was '{made_from[what]}', is 'another'"):
        checkpoint.load()


def test_a_checkpoint_of_the_other_kind_of_device_is_refused(project, stopped):
    job = project.job(stopped, project.name("ft"))
    job.checkpoint.owner["device"] = "cuda"
    with pytest.raises(StaleOutput, match="device was 'cpu', is 'cuda'"):
        job.checkpoint.load()


def test_a_device_without_room_costs_no_checkpoint(project, stopped, monkeypatch, capsys):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.training.checkpoint._moved", full)
        with pytest.raises(torch.OutOfMemoryError):
            project.job(stopped, project.name("ft")).checkpoint.load()
    assert project.job(stopped, project.name("ft")).checkpoint.load()["step"] == 3
    assert "damaged" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "damage",
    ["a flipped bit", "empty", "cut at 10", "cut in half", "cut by one byte", "text", "noise", "a list", "code"],
)
def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_over(project, damage, capsys):
    study, name = project.study(), project.name("not")
    whole = project.run(study, name)
    with pytest.raises(Interrupted):
        project.job(study, name, stop_at=3).go()
    path = checkpoint(study, name)
    good = path.read_bytes()
    if damage in ("a list", "code"):
        torch.save([1, 2] if damage == "a list" else Code(), path)
    else:
        path.write_bytes(
            {
                "a flipped bit": good[: len(good) // 2]
                + bytes([good[len(good) // 2] ^ 1])
                + good[len(good) // 2 + 1 :],
                "empty": b"",
                "cut at 10": good[:10],
                "cut in half": good[: len(good) // 2],
                "cut by one byte": good[:-1],
                "text": b"not a checkpoint\n",
                "noise": random.Random(0).randbytes(1000),
            }[damage]
        )
    capsys.readouterr()
    end = project.run(study, name)
    told = capsys.readouterr().out
    assert f"{path} is damaged" in told and "set aside" in told and "resumed" not in told
    assert end.samples.equals(whole.samples) and end.measured.equals(whole.measured)
    assert not Path("executed").exists()
