"""A GPU for each of the jobs that run side by side on one machine: slots under file locks.

The lock files lie in a folder of the user on the machine, outside any project, so that workflows share them. The kernel
releases a lock when its holder ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.errors import BadInput

JOBS_PER_GPU = "BENCHMARK_JOBS_PER_GPU"
POLL_SECONDS = 0.5
held: list[FileLock] = []  # by this process, until it ends


def jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU: the environment's choice, by default 1."""
    text = os.environ.get(JOBS_PER_GPU, "1")
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadInput(f"{JOBS_PER_GPU}={text}: accepted is a whole number from 1")
    return int(text)


def take(gpus: Sequence[str], slots: int) -> int:
    """Wait for a free slot of any GPU and hold it until this process ends; return the GPU's position in ``gpus``.

    A GPU has the same name in every process. It has ``slots`` slots; second ones are taken once all first ones are.
    """
    folder = _folder()
    waited = False
    while True:
        for slot in range(slots):
            for position, name in enumerate(gpus):
                lock = FileLock(folder / f"{name}.{slot}.lock", mode=0o600, fallback_to_soft=False)
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=0)
                    held.append(lock)
                    return position
        if not waited:
            print(f"waiting for a GPU: {slots} job(s) on each of {len(gpus)}", flush=True)
        waited = True
        time.sleep(POLL_SECONDS)


def _folder() -> Path:
    path = Path(tempfile.gettempdir()) / f"unlearning-benchmark-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    # Anyone can make a folder of any name there.
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise BadInput(f"{path}: this folder for the locks of GPUs is another user's: set TMPDIR to one of your own")
    return path
