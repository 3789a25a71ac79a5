"""One seed tree: every random number comes from a stream named by its purpose.

A stream depends on the study's seed, the run's dataset, architecture, scenario and trial, and its purpose and epoch,
but not on the method or on the order or number of jobs. So the methods of one trial see the same batches, crops and
flips (common random numbers), and a resumed run draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from benchmark.names import Cell


@dataclass(frozen=True)
class Streams:
    """The random streams of one run, by a study's seed and a key: ``("digits", "convnet", "random-10", "trial-0")``."""

    seed: int
    key: tuple[str, ...]

    def sequence(self, purpose: str, epoch: int) -> np.random.SeedSequence:
        """Return the root of one stream."""
        hashed = hashlib.sha256("\0".join([*self.key, purpose]).encode()).digest()
        return np.random.SeedSequence([self.seed, epoch, *np.frombuffer(hashed, np.uint32).tolist()])

    def numpy(self, purpose: str, epoch: int = 0) -> np.random.Generator:
        """Return a numpy generator at the start of a stream."""
        return np.random.default_rng(self.sequence(purpose, epoch))

    def integer(self, purpose: str, epoch: int = 0) -> int:
        """Return a 63-bit seed, for libraries that take a number."""
        return int(self.sequence(purpose, epoch).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def generator(self, purpose: str, epoch: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a torch generator at the start of a stream, on ``device``."""
        import torch

        return torch.Generator(device).manual_seed(self.integer(purpose, epoch))

    def permutation(self, n: int, purpose: str, epoch: int = 0) -> Tensor:
        """Return a random order of ``range(n)``, (n,) int64 on the CPU, the same on every device."""
        import torch

        return torch.from_numpy(self.numpy(purpose, epoch).permutation(n))

    def integers(self, high: int, n: int, purpose: str, epoch: int = 0) -> Tensor:
        """Return ``n`` uniform integers below ``high``, (n,) int64 on the CPU."""
        import torch

        return torch.from_numpy(self.numpy(purpose, epoch).integers(high, size=n))


def members_stream(seed: int, cell: Cell, stage: int | None = None) -> np.random.Generator:
    """Return the stream that draws the MIA's members where a study takes random ones, one draw for each cell.

    A stage of a sequential scenario, by default the last, has the draw of the Retrain that it is compared with.
    """
    if cell.scenario:
        cell = cell.references[stage - 1 if stage else -1]
    return Streams(seed, (cell.dataset, cell.scenario)).numpy("members")
