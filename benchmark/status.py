"""What of a study is done, running, failed and left, and how long the rest will take."""

from __future__ import annotations

import json
import platform
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import psutil

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.results import DIVERGED, record
from benchmark.study import Run, Study

STATES = ("done", "diverged", "out of date", "running", "interrupted", "failed", "left")


@dataclass(frozen=True)
class State:
    """The state of one run, one of `STATES`, a remark, and the seconds it took if it is done."""

    run: Run
    state: str
    remark: str = ""
    seconds: float | None = None


def state_of(study: Study, run: Run) -> State:
    """Look at a run's files and say how it stands."""
    folder, work = paths.run(study.name, run.name), paths.work(study.name, run.name)
    if (folder / paths.RUN).is_file():
        try:
            told = record(study, run)
        except StaleOutput as error:
            return State(run, "out of date", str(error))
        return State(run, "diverged" if told["status"] == DIVERGED else "done", seconds=told["wall_seconds"])
    if progress := _progress(work):
        remark = f"epoch {progress['epoch']} of {progress['epochs']}"
        return State(run, "running" if _alive(progress) else "interrupted", remark)
    log = paths.log(study.name, run.name)
    if log.is_file() and (lines := log.read_text(encoding="utf-8", errors="replace").strip().splitlines()):
        return State(run, "failed", f"{lines[-1]} (log: {log})")
    return State(run, "left")


def status(study: Study) -> str:
    """Return the study's standing as text: a line a state, what is not well by name, and the work that is left."""
    states = [state_of(study, run) for run in study.runs()]
    counts = Counter(state.state for state in states)
    lines = [f"study {study.name}: {len(states)} runs"]
    lines += [f"  {counts[state]:5d} {state}" for state in STATES if counts[state]]
    lines += [
        f"{state.state}: {state.run.name}: {state.remark}"
        for state in states
        if state.state in ("running", "interrupted", "failed", "out of date")
    ]
    waiting = [state.run for state in states if state.state not in ("done", "diverged")]
    if waiting:
        lines.append(_time_left(waiting, states))
    return "\n".join(lines)


def _time_left(waiting: list[Run], states: list[State]) -> str:
    """Estimate by the mean of finished runs of the same method, or else of all."""
    known: dict[tuple[str, str], list[float]] = {}
    for state in states:
        if state.seconds is not None:
            known.setdefault((state.run.name.arch, state.run.name.method), []).append(state.seconds)
    if not known:
        return "time left: unknown until the first run has finished"
    overall = mean(seconds for some in known.values() for seconds in some)
    left = sum(mean(known.get((run.name.arch, run.name.method), [overall])) for run in waiting)
    return f"time left: {left / 60:.1f} minutes of jobs, divided by how many run at once"


def _progress(work: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((work / paths.PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _alive(told: dict[str, Any]) -> bool:
    # A job of another machine cannot be looked at: it is believed.
    return told["host"] != platform.node() or psutil.pid_exists(told["process"])
