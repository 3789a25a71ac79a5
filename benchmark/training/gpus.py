"""A GPU for each job, where jobs run side by side on one machine: slots under file locks.

The lock files lie in a folder of the user's on the machine, outside any project, so that two workflows share them. The
kernel releases a lock when its holder ends, however it ends.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.errors import BadInput

JOBS_PER_GPU = "BENCHMARK_JOBS_PER_GPU"
POLL_SECONDS = 0.5


def jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU, as the environment says; 1 unless it does."""
    text = os.environ.get(JOBS_PER_GPU, "1")
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise BadInput(f"{JOBS_PER_GPU}={text}: accepted is a whole number from 1")
    return int(text)


def take(gpus: Sequence[str], slots: int) -> int:
    """Wait for a free slot of any GPU and hold it until this process ends; return the GPU's place in ``gpus``.

    Parameters
    ----------
    gpus : what each GPU is called, by the same name in every process whichever GPUs it sees.
    slots : how many jobs share a GPU; all GPUs have a first job before one has a second.
    """
    folder = _folder()
    waited = False
    while True:
        for slot in range(slots):
            for place, name in enumerate(gpus):
                if _hold(folder / f"{name}.{slot}.lock"):
                    return place
        if not waited:
            print(f"waiting for a GPU: {slots} job(s) on each of {len(gpus)}", flush=True)
        waited = True
        time.sleep(POLL_SECONDS)


held: list[FileLock] = []  # this process's


def _hold(path: Path) -> bool:
    lock = FileLock(path, mode=0o600, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    held.append(lock)
    return True


def _folder() -> Path:
    path = Path(tempfile.gettempdir()) / f"unlearning-benchmark-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    # Anyone can make a folder there, under any name.
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise BadInput(f"{path}: this folder for the locks of GPUs is another user's: set TMPDIR to one of your own")
    return path
