"""Progress of a run: a bar or lines for people, and a note that `benchmark.workflow.status` reads."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from benchmark.files import write_json
from benchmark.training.loop import Trainer

SHOWN = ("loss", "ra", "ua", "ta", "mia")  # of a row of the history
HEARTBEAT_SECONDS = 10.0  # when these cease, `benchmark.workflow.status` takes a job on another host to have ended


class Note:
    """The note that a job keeps at ``path`` while it runs: ``epochs`` in all, in a call that began at ``started``."""

    def __init__(self, path: Path, epochs: int, started: datetime):
        self.path, self.epochs, self.started = path, epochs, started
        self._first_epoch: int | None = None
        self._last_beat = time.monotonic()

    def write(self, trainer: Trainer, seconds: float) -> None:
        """Write how far this call has come in ``seconds``: at its start, and after every epoch."""
        epoch = trainer.offset + trainer.epoch
        if self._first_epoch is None:
            self._first_epoch = epoch
        last_row = trainer.history[-1] if trainer.history else {}
        note = {
            "epoch": epoch,
            "epochs": self.epochs,
            "first_epoch": self._first_epoch,
            "started": self.started.isoformat(),
            "seconds": round(seconds, 3),
            "measured": {key: last_row[key] for key in SHOWN if math.isfinite(last_row.get(key, math.nan))},
            "process": os.getpid(),
            "host": platform.node(),
        }
        with contextlib.suppress(OSError):  # a run does not end because nobody can see how far it is
            write_json(self.path, note)

    def beat(self) -> None:
        """Touch the note now and then, as a sign that the job is alive."""
        now = time.monotonic()
        if now - self._last_beat > HEARTBEAT_SECONDS:
            with contextlib.suppress(OSError):
                os.utime(self.path)
            self._last_beat = now


@contextlib.contextmanager
def progress_display(epochs: int) -> Iterator[Callable[[Trainer], None]]:
    """Yield a function to call after every epoch: it moves a progress bar on a terminal, and prints a line in a log."""
    with tqdm(total=epochs, unit="epoch", disable=not sys.stderr.isatty(), leave=False) as bar:

        def report(trainer: Trainer) -> None:
            epoch = trainer.offset + trainer.epoch
            row = trainer.history[-1] if trainer.history and trainer.history[-1]["epoch"] == epoch else {}
            measured = {key: f"{value:.4g}" for key, value in row.items() if key in SHOWN}
            if bar.disable:
                text = " ".join(f"{key} {value}" for key, value in measured.items())
                print(f"epoch {epoch}/{epochs} {text}".rstrip(), flush=True)
            else:
                bar.n = epoch
                bar.set_postfix(measured)

        yield report
