"""The state of an unfinished run: written whole, marked with its configuration, removed when the run finishes."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from benchmark.errors import StaleOutput
from benchmark.files import replacing, set_aside
from benchmark.paths import CHECKPOINT
from benchmark.results.records import difference
from benchmark.training.device import Device, out_of_memory

LAYOUT = 2  # raise when `benchmark.training.loop.Trainer.state` has other keys
CPU = torch.device("cpu")


class Checkpoint:
    """The checkpoint of one run, in a working folder that is no output of the workflow and so survives a failed job.

    It is refused for a run ``made_from`` anything else: another slice, which is all that determines a run, or other
    digests of the dataset's arrays, of the forget data or of Original's weights. So is one from the other kind of
    device: random numbers come from its generators, and a CPU's cannot continue from the state of a GPU's. So is one in
    another precision, where the slice says ``auto``.
    """

    def __init__(self, folder: Path, device: Device, **made_from: Any):
        self.folder = folder
        self.path = folder / CHECKPOINT
        self.owner = made_from | {"device": device.device.type, "precision": device.precision, "layout": LAYOUT}

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state``, which holds numbers, texts, lists, dictionaries and tensors."""
        content = io.BytesIO()  # on a full disk torch raises "unexpected pos", not an OSError
        torch.save({"owner": self.owner, "state": state}, content)
        with replacing(self.path) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load(self) -> dict[str, Any] | None:
        """Return the saved state with its tensors in main memory, or None if there is none.

        A damaged checkpoint is set aside and counts as none. So is one of another configuration, but it first raises a
        `StaleOutput` that names what differs: the next call finds none.
        """
        try:
            content = self.path.read_bytes()  # apart from what follows: a disk that cannot be read is no damage
        except FileNotFoundError:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:  # torch writes a zip file, but checks no checksum
                if member := archive.testzip():
                    raise ValueError(f"{member} is not what was written")
            saved = torch.load(io.BytesIO(content), map_location=CPU, weights_only=True)
            owner, state = saved["owner"], saved["state"]
        except Exception as error:  # noise can raise anything
            if out_of_memory(error):  # the file is sound, and there will be more memory
                raise
            aside = set_aside(self.path)
            print(f"{self.path} is damaged ({type(error).__name__}): set aside as {aside}; starting from the beginning")
            return None
        if owner != self.owner:
            changes, aside = difference(owner, self.owner), set_aside(self.path, "other")
            raise StaleOutput(
                f"{self.path} is of another configuration ({changes}): set aside as {aside}; run again to start anew"
            )
        return dict(state)

    def remove(self) -> None:
        """Delete the working folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
