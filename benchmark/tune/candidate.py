"""One candidate of a tuning: a run like any other, but it writes nothing, and may be given up on the way."""

from __future__ import annotations

import os
from typing import Any

import optuna
import pandas as pd
from optuna.trial import TrialState

from benchmark.metrics.gaps import METRICS, summarise
from benchmark.names import RETRAIN, Cell
from benchmark.results import records as results
from benchmark.stamp import stamp
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.training.device import memory_told
from benchmark.training.job import Job
from benchmark.training.loop import Interrupted, Trainer

WORST = 200.0  # of a diverged candidate: no average gap with all that the floor can add is larger
KEPT = ("epoch", *METRICS, "seconds", "cpu_seconds")  # of each row of the history


def average_gap(run: Run, row: dict[str, float], reference: dict[str, float]) -> float:
    """Return the average gap of one run to one Retrain, as tables compute it.

    Parameters
    ----------
    row, reference : ``ra, ua, ta, mia`` in per cent.
    """
    place = {"dataset": run.name.dataset, "arch": run.name.arch, "scenario": run.name.scenario, "trial": 0}
    two = [place | {"method": "retrain"} | reference, place | {"method": run.name.method} | row]
    frame = pd.DataFrame(two)[[*place, "method", *METRICS]]
    return float(summarise(frame).iloc[1]["avg_gap"])


def objective(gap: float, ra: float, floor: float) -> float:
    """Return what tuning minimises: the average gap, and a point for every point of retain accuracy below the floor."""
    return gap + max(0.0, floor - ra)


class Candidate(Job):
    """A candidate under way.

    Parameters
    ----------
    study : the derived study.
    run : the run with the candidate's values.
    reference : Retrain's metrics.
    trial : where the history is reported to, and whose pruner is asked.
    parent : the process whose end is this one's end.
    """

    def __init__(self, study: Study, run: Run, reference: dict[str, float], trial: optuna.Trial, parent: int):
        super().__init__(study, run, "tune")
        self.reference, self.trial, self.parent = reference, trial, parent
        self.history: list[dict[str, Any]] = []

    def go(self) -> str:
        """Train and evaluate; return ``finished`` or ``diverged``.

        Raises
        ------
        optuna.TrialPruned
            If the candidate is not worth going on with.
        Interrupted
            If it was asked to stop.
        """
        with self._signals(), memory_told(f"candidate {self.run.name}", self.run.settings.batch_size):
            trainer = self._train(self._starting_model(), {"stage": 1, "start": None}, [self._report])
        self.history = trainer.history
        return results.DIVERGED if trainer.diverged else results.FINISHED

    def _report(self, trainer: Trainer) -> None:
        """Tell the journal of an epoch that was evaluated."""
        self.history = trainer.history
        if trainer.diverged or not self.history or self.history[-1]["epoch"] != trainer.epoch:
            return
        self.trial.report(average_gap(self.run, self.history[-1], self.reference), trainer.epoch)
        if trainer.epoch < self.run.settings.epochs and self.trial.should_prune():
            raise optuna.TrialPruned

    def _tell(self, trainer: Trainer) -> None:
        """A candidate leaves no note of how far it is."""

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop, be it too late."""
        return self._stop is not None

    def _pause(self, trainer: Trainer) -> None:
        if os.getppid() != self.parent:
            raise Interrupted("the process that started the tuning is gone")
        super()._pause(trainer)

    def _save(self, trainer: Trainer) -> None:
        """A candidate takes a minute or two: it is started again rather than resumed."""


def reference(study: Study, run: Run) -> dict[str, float]:
    """Return the metrics of a finished run's last epoch."""
    last = results.frame(study, run, results.HISTORY).iloc[-1]
    return {metric: float(last[metric]) for metric in METRICS}


def candidate(study: Study, run: Run, trial: optuna.Trial, parent: int) -> Candidate:
    """Return a candidate with the Retrain that it is compared with, which has been trained."""
    name = run.name
    retrain = study.run(study.run_name(Cell(name.dataset, name.arch, name.scenario), RETRAIN, 0))
    return Candidate(study, run, reference(study, retrain), trial, parent)


def attempt(candidate: Candidate, floor: float) -> tuple[TrialState, float | None]:
    """Run a candidate and write its history to the journal; return its state and, if it ran to its end, its objective.

    A diverged one has the worst objective there is. `Interrupted` passes through: such a candidate does not count.
    """
    try:
        status = candidate.go()
    except optuna.TrialPruned:
        _keep(candidate)
        return TrialState.PRUNED, None
    _keep(candidate)
    if status == results.DIVERGED:
        return TrialState.COMPLETE, WORST
    last = candidate.history[-1]
    gap = average_gap(candidate.run, last, candidate.reference)
    candidate.trial.set_user_attr("avg_gap", gap)
    return TrialState.COMPLETE, objective(gap, last["ra"], floor)


def _keep(candidate: Candidate) -> None:
    history = [{key: row[key] for key in KEPT} for row in candidate.history]
    candidate.trial.set_user_attr("history", history)
    told = {"commit": stamp()["commit"], "device": candidate.device.name, "precision": candidate.device.precision}
    candidate.trial.set_user_attr("stamp", told)
