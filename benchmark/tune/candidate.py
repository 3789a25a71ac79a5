"""One candidate of a tuning: a run like any other, except that it leaves no files.

None is abandoned early: while the learning rate falls, the best candidate of the last epoch is often the worst
half-way.
"""

from __future__ import annotations

import os
from typing import Any

import optuna
import pandas as pd

from benchmark import paths
from benchmark.metrics import measure
from benchmark.metrics.samples import METRICS
from benchmark.names import DIVERGED, FINISHED, HELD_OUT
from benchmark.results import records
from benchmark.seeds import members_stream
from benchmark.study.runs import SHORT, Run
from benchmark.study.study import Study
from benchmark.training.job import Job
from benchmark.training.loop import Interrupted, Trainer

WORST = 200.0  # objective of a diverged candidate: no average gap and lost accuracy add up to more
HISTORY_COLUMNS = ("epoch", *METRICS, "pflops_executed", "seconds", "cpu_seconds")  # what the journal keeps


def average_gap(metrics: dict[str, float], reference: dict[str, float]) -> float:
    """Return the average gap of a run's metrics to Retrain's, ``reference``, in points as in tables."""
    return sum(abs(metrics[name] - reference[name]) for name in METRICS) / len(METRICS)


def objective(gap: float, accuracy: float, retrain: float, utility: float) -> float:
    """Return what tuning minimises: the average gap, and a point for every point by which the accuracy on images never
    seen lies more than ``utility`` below Retrain's.
    """
    return gap + max(0.0, retrain - utility - accuracy)


class Candidate(Job):
    """A candidate under way: a run with the candidate's values, compared with a Retrain that is already trained.

    Both are measured on the images that the tuning holds out, if it does: TA is the accuracy on them, and they are
    the attack's non-members. The candidate writes its history to ``trial``. It ends when the process ``parent`` ends.
    """

    def __init__(self, study: Study, run: Run, retrain: Run, trial: optuna.Trial, parent: int) -> None:
        # Not the run's own folder: the history of a run with the same values has other metrics.
        super().__init__(study, run, "tune", folder=paths.work(study.name) / run.fingerprint[:SHORT])
        self.unseen = HELD_OUT if study.hold_out else "test"
        self.retrain = records.frame(study, retrain, paths.SAMPLES)
        self.reference = self.measured(self.retrain, self.unseen)
        self.trial, self.parent = trial, parent
        self.history: list[dict[str, Any]] = []

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop, even if too late."""
        return self._stop is not None

    def measured(self, samples: pd.DataFrame, unseen: str) -> dict[str, float]:
        """Return the metrics of samples under this run's split, with the split ``unseen`` in place of test images."""
        rng = members_stream(self.study.seed, self.run.name.cell)
        return measure(samples, self.forget, self.study.members, rng, unseen)

    def attempt(self, utility: float) -> float:
        """Run to the end, write the history to the journal, and return the objective, the worst if training diverged.

        `Interrupted` is not caught: such a candidate does not count, and continues when it is tried again.
        """
        diverged = self.go() == DIVERGED
        self._keep_history()
        if diverged:
            return WORST
        last_row, samples = self.history[-1], self._samples
        assert samples is not None  # of the last epoch, which is always measured
        gap = average_gap(last_row, self.reference)
        test_metrics = [self.measured(frame, "test") for frame in (samples, self.retrain)]
        self.trial.set_user_attr("avg_gap", gap)
        self.trial.set_user_attr("test_gap", average_gap(*test_metrics))
        return objective(gap, last_row["ta"], self.reference["ta"], utility)

    def go(self) -> str:
        """Train and evaluate; return ``finished`` or ``diverged``, or raise `Interrupted`."""
        with self._signals():
            trainer = self._train(self._starting_model(), [])
            if self._samples is None and not trainer.diverged:  # an earlier call has evaluated the last epoch
                self._samples = self._predict(trainer.model)
        self.history = trainer.history
        return DIVERGED if trainer.diverged else FINISHED

    def _keep_history(self) -> None:
        self.trial.set_user_attr("history", [{key: row[key] for key in HISTORY_COLUMNS} for row in self.history])
        self.trial.set_user_attr("stamp", {key: self.stamp[key] for key in ("commit", "device", "precision", "data")})

    def _pause(self, trainer: Trainer) -> None:
        if os.getppid() != self.parent:
            self._save(trainer)
            raise Interrupted("the process that started the tuning has ended")
        super()._pause(trainer)

    def _write_note(self, trainer: Trainer) -> None:
        """Write no note: a candidate does not report how far it is."""
