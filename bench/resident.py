"""Jobs of one dataset share its pages: eight processes that have read every image of a large store hold one copy.

``python -m bench.resident FOLDER`` is one of them: it opens the store as a job does, reads every image, and
waits for its standard input to end.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.rows import Options, Row

JOBS, IMAGES, SIZE = 8, 100_000, 64  # TinyImageNet's training set


def rows(options: Options) -> list[Row]:
    """Return one row: what all processes hold of the images' file, each page counted once, beside its size."""
    from bench.rows import Row, Wanted

    count, jobs = options.size(IMAGES, 500), options.size(JOBS, 2)
    with tempfile.TemporaryDirectory(prefix="bench-") as home, contextlib.chdir(home):
        folder = _store(count).resolve()
        images = folder / "train_images.npy"
        with _readers(folder, jobs) as processes:
            held = sum(_proportional_set_size(process.pid, images) for process in processes)
        share = held / images.stat().st_size
    return [
        Row(
            f"{jobs} processes that have read {count:,} images of {SIZE} x {SIZE}",
            "MiB",
            held / 2**20,
            figures={"times the file's size": share},
            wanted=(Wanted("times the file's size", "<=", 1.1),),
        )
    ]


def _store(count: int) -> Path:
    """Prepare a dataset of noise, as a study's dataset is prepared, and return its folder."""
    from bench import work
    from benchmark.data import store
    from benchmark.registry import SOURCES
    from benchmark.settings import DatasetSettings

    source = f"bench-noise-{count}"
    if source not in SOURCES:
        SOURCES.add(source, lambda name, settings: work.arrays(count, test=10, size=SIZE))
    return store.prepare("noise", DatasetSettings(source=source))


@contextlib.contextmanager
def _readers(folder: Path, jobs: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that read the store; yield them when all have read it; end them."""
    from bench.project import environment

    command = [sys.executable, "-m", "bench.resident", str(folder)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, env=environment(), text=True, stdin=pipe, stdout=pipe) for _ in range(jobs)]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "read":
                raise RuntimeError(f"a process could not read {folder}")
        yield processes
    finally:
        for process in processes:
            process.communicate()


def _proportional_set_size(process: int, file: Path) -> int:
    """Return the bytes that a process holds of a file, pages that n processes share counting as an n-th."""
    held, here = 0, False
    for line in Path(f"/proc/{process}/smaps").read_text(encoding="utf-8").splitlines():
        key = line.split(maxsplit=1)[0]
        if not key.endswith(":"):
            here = line.endswith(str(file))
        elif here and key == "Pss:":
            held += 1024 * int(line.split()[1])
    return held


def _read(folder: Path) -> None:
    import torch

    from benchmark.data import store
    from benchmark.settings import Augmentation
    from benchmark.training.batches import Images

    torch.set_num_threads(1)
    images = Images(store.load(folder, verify=True), Augmentation(), torch.device("cpu"))
    for _ in images.plain("train", 512):
        pass
    print("read", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _read(Path(sys.argv[1]))
