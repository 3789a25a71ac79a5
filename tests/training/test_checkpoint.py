"""What a stopped run leaves, and which of it the next start uses."""

import errno
import io
import random
from pathlib import Path

import pytest
import torch

from benchmark import paths
from benchmark.data.store import content_digest
from benchmark.errors import StaleOutput
from benchmark.files import written_digest
from benchmark.results import records
from benchmark.training.checkpoint import Checkpoint
from benchmark.training.device import Device
from benchmark.training.loop import Interrupted


class Code:
    """A pickle that runs code when it is loaded without care."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.fixture
def stopped(project):
    """A run of FT that was stopped after three of its ten steps."""
    study = project.study()
    with pytest.raises(Interrupted):
        project.job(study, project.name("ft"), stop_at=3).go()
    return study.run(project.name("ft"))


def test_a_checkpoint_of_another_run_is_set_aside_and_the_difference_named(project, stopped):
    study = project.study()
    made_from = {
        "slice": stopped.origin,
        "data": content_digest(study.dataset_folder("digits")),
        "split": written_digest(paths.split(study.split_of(stopped).pool_path)),
        "original": records.record(study, study.run(project.original))["sha256"][paths.MODEL],
        "device": Device(torch.device("cpu"), "float32"),
    }
    changes = {key: ("another", f"{key} was {made_from[key]!r}, is 'another'") for key in ("data", "split", "original")}
    changes["slice"] = stopped.origin | {"seed": 2}, "slice.seed was 1, is 2"
    changes["device"] = Device(torch.device("cuda"), "float32"), "device was 'cpu', is 'cuda'"
    changes["precision"] = Device(torch.device("cpu"), "bfloat16"), "precision was 'float32', is 'bfloat16'"
    for key, (changed, difference) in changes.items():
        changed_part = {"device" if key == "precision" else key: changed}
        checkpoint = Checkpoint(paths.work(stopped.pool_path), **made_from | changed_part)
        aside = checkpoint.path.with_name("checkpoint.pt.other")
        with pytest.raises(StaleOutput) as caught:
            checkpoint.load()
        assert difference in str(caught.value)
        assert f"set aside as {aside}; run again to start anew" in str(caught.value)
        assert aside.is_file() and not checkpoint.path.exists()
        aside.rename(checkpoint.path)


def test_a_device_without_memory_costs_no_checkpoint(project, stopped, monkeypatch, capsys):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    checkpoint = project.job(project.study(), str(stopped.name)).checkpoint
    for function in ("torch.load", "benchmark.training.loop.Trainer.load_state"):
        with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
            patch.setattr(function, full)
            project.job(project.study(), str(stopped.name)).go()
        assert checkpoint.load()["step"] == 3
    assert "damaged" not in capsys.readouterr().out


def test_a_disk_that_cannot_be_read_costs_no_checkpoint(project, stopped, monkeypatch):
    checkpoint = project.job(project.study(), str(stopped.name)).checkpoint
    opened = io.open

    def failing(file, *arguments, **options):
        if Path(str(file)) == checkpoint.path:
            raise OSError(errno.EIO, "Input/output error")
        return opened(file, *arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output error"):
        patch.setattr(io, "open", failing)
        checkpoint.load()
    assert checkpoint.load()["step"] == 3


def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_over(project, shared, stopped, capsys):
    checkpoint = project.job(project.study(), str(stopped.name)).checkpoint
    intact = checkpoint.path.read_bytes()
    middle = len(intact) // 2
    damages = [
        intact[:middle] + bytes([intact[middle] ^ 1]) + intact[middle + 1 :],
        *(intact[:length] for length in (0, 10, middle, -1)),
        b"not a checkpoint\n",
        random.Random(0).randbytes(1000),
        [1, 2],
        Code(),
    ]
    for damage in damages:
        checkpoint.path.write_bytes(damage) if isinstance(damage, bytes) else torch.save(damage, checkpoint.path)
        assert checkpoint.load() is None and not checkpoint.path.exists(), damage
        printed = capsys.readouterr().out
        assert f"{checkpoint.path} is damaged" in printed and "set aside" in printed, damage
    assert not Path("executed").exists()
    checkpoint.path.write_bytes(intact[:middle])
    end = project.run(project.study(), str(stopped.name))
    assert "resumed" not in capsys.readouterr().out
    assert end.samples.equals(shared.run("ft").samples) and end.measured.equals(shared.run("ft").measured)
