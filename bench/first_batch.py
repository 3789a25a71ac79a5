"""``python -m bench.first_batch run STUDY RUN``: print the time of a run's first step and end the run.

A job server that has imported this module forks runs that do the same.
"""

from __future__ import annotations

import time

from benchmark.__main__ import main
from benchmark.methods.base import Batch
from benchmark.training.loop import Trainer


def step(self: Trainer, batch: Batch, progress: float) -> None:
    """Print the time and end the process."""
    print(time.time(), flush=True)
    raise SystemExit


Trainer.train_step = step  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
