"""A run's state in the middle: written whole, marked with its configuration, gone when the run has finished."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from benchmark.errors import StaleOutput
from benchmark.files import replacing, set_aside
from benchmark.results.records import difference
from benchmark.training.device import out_of_memory

LAYOUT = 2  # raise when `benchmark.training.loop.Trainer.state` has other keys
CPU = torch.device("cpu")


class Checkpoint:
    """The checkpoint of one run, in a working folder that is no output of the workflow and so survives a failed job.

    It is refused for a run that is ``made_from`` anything else: another slice, which is all that determines a run, or
    other digests of the dataset's arrays, of what is forgotten or of Original's weights. So is one from the other kind
    of device: random numbers come from its generators, and a processor's cannot go on from the state of a GPU's.
    """

    def __init__(self, folder: Path, device: torch.device = CPU, **made_from: Any):
        self.folder = folder
        self.path = folder / "checkpoint.pt"
        self.owner = made_from | {"device": device.type, "layout": LAYOUT}

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state``: numbers, texts, lists, dictionaries and tensors."""
        content = io.BytesIO()  # of a full disk torch says "unexpected pos", and no OSError
        torch.save({"owner": self.owner, "state": state}, content)
        with replacing(self.path) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load(self) -> dict[str, Any] | None:
        """Return the saved state with its tensors in main memory, or None if there is none.

        A damaged one is set aside and counts as none: the run then starts again. So does the next call, if it is
        another configuration's and therefore set aside: `StaleOutput` names what differs.
        """
        if not self.path.is_file():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:  # which is what torch writes, though it checks no checksum
                if member := archive.testzip():
                    raise ValueError(f"{member} is not what was written")
            saved = torch.load(self.path, map_location=CPU, weights_only=True)
            owner, state = saved["owner"], saved["state"]
        except Exception as error:  # what reading noise ends in is not a closed list
            if out_of_memory(error):  # the file is whole, and there will be more
                raise
            aside = set_aside(self.path)
            print(f"{self.path} is damaged ({type(error).__name__}): set aside as {aside}; starting from the beginning")
            return None
        if owner != self.owner:
            what, aside = difference(owner, self.owner), set_aside(self.path, "other")
            raise StaleOutput(
                f"{self.path} is of another configuration ({what}): set aside as {aside}; run again to start anew"
            )
        return dict(state)

    def remove(self) -> None:
        """Delete the working folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
