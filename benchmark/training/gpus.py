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
REMARK_SECONDS = 120.0  # between a waiting job's lines: `status` takes a silent job of another host for dead
AVOIDED_SECONDS = 600.0
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
    Those that `avoid` named are left out, unless that leaves none.
    """
    folder = _folder()
    next_remark = 0.0
    while True:
        avoided = {name for name in gpus if _failed_lately(folder, name)}
        for slot in range(slots):
            for position, name in enumerate(gpus):
                if name in avoided and len(avoided) < len(gpus):
                    continue
                lock = FileLock(folder / f"{name}.{slot}.lock", mode=0o600, fallback_to_soft=False)
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=0)
                    held.append(lock)
                    return position
        if time.monotonic() >= next_remark:
            failed = f"; a job has just failed on {len(avoided)} of them" if avoided else ""
            print(f"waiting for a GPU: {slots} job(s) on each of {len(gpus)}{failed}", flush=True)
            next_remark = time.monotonic() + REMARK_SECONDS
        time.sleep(POLL_SECONDS)


def avoid() -> None:
    """Have other jobs leave the GPU that this process holds for ten minutes: a job has failed on it.

    Others' jobs may fill it, or it may be broken. It would soon be free again, and fail job after job.
    """
    for lock in held:
        _failure(_folder(), Path(lock.lock_file).name.rsplit(".", 2)[0]).touch()


def _failure(folder: Path, name: str) -> Path:
    return folder / f"{name}.failed"


def _failed_lately(folder: Path, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - _failure(folder, name).stat().st_mtime < AVOIDED_SECONDS
    return False


def _folder() -> Path:
    path = Path(tempfile.gettempdir()) / f"unlearning-benchmark-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    # Anyone can make a folder of any name there.
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise BadInput(f"{path}: this folder for the locks of GPUs is another user's: set TMPDIR to one of your own")
    return path
