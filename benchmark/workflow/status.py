"""The state of a study: what is done, running, failed and left, and how long the rest will take."""

from __future__ import annotations

import itertools
import json
import platform
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean
from typing import Any

import psutil

from benchmark import paths
from benchmark.data import store
from benchmark.errors import StaleOutput, number_of
from benchmark.names import DIVERGED, FINISHED
from benchmark.results.records import record
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.workflow.targets import missing

STATES = ("done", "diverged", "damaged", "running", "interrupted", "failed", "left")
ENDED = ("done", "diverged")
BAD = ("failed", "damaged")  # what no job under way will mend
BY_NAME = ("running", "interrupted", *BAD)  # listed one by one
# A job touches its note about every ten seconds; an evaluation, in which it cannot, takes minutes at most.
FRESH_SECONDS = 300.0
STARTED = re.compile(r"# process (\d+) on (\S+)$")  # the end of a log's first line


@dataclass(frozen=True)
class State:
    """The state of a run, with a remark for users, and the note of a job under way.

    A run that is done has its seconds, what computed them (device and precision), and when it ended.
    """

    run: Run
    state: str
    remark: str = ""
    seconds: float | None = None
    note: dict[str, Any] | None = None
    machine: tuple[str, ...] = ()
    ended: str = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the job under way started; 0 until it has written a note."""
        if not self.note:
            return 0.0
        started = datetime.fromisoformat(self.note["started"]).timestamp()
        return max(float(self.note["seconds"]), time.time() - started)

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the job under way still needs at its present pace; None before its first epoch has ended."""
        if not self.note or self.note["epoch"] <= self.note["first_epoch"]:
            return None
        done = self.note["epoch"] - self.note["first_epoch"]
        expected = self.note["seconds"] * (1 + (self.note["epochs"] - self.note["epoch"]) / done)
        return max(0.0, float(expected) - self.elapsed)

    @property
    def line(self) -> str:
        """The state, the run's name and the remark."""
        return f"{self.state}: {self.run.name}: {self.remark}"


def state_of(study: Study, run: Run) -> State:
    """Return the state of a run, from its files.

    Its job may run on another machine: only the files and the times at which they were touched count.
    """
    folder, work = paths.run(run.pool_path), paths.work(run.pool_path)
    if (folder / paths.RUN).is_file():
        try:
            content = record(study, run)
        except StaleOutput as error:
            return _under_way(work, run) or State(run, "damaged", str(error))
        absent = [name for name in (paths.SAMPLES, paths.HISTORY) if not (folder / name).is_file()]
        if absent:
            return _under_way(work, run) or State(run, "left", f"{folder / absent[0]} is missing")
        machine = tuple(str(content["stamp"].get(key)) for key in ("device", "precision"))
        how = {"seconds": content["wall_seconds"], "machine": machine, "ended": content.get("ended", "")}
        return State(run, "diverged" if content["status"] == DIVERGED else "done", **how)
    return _under_way(work, run) or _by_log(paths.log(run.pool_path), run)


def status(study: Study) -> tuple[str, bool]:
    """Return the state of a study as text, and whether all is well: nothing has failed or is damaged.

    The text has a line for each state, the runs that are not well by name, what is missing, and the time left.
    """
    states = [state_of(study, run) for run in study.runs()]
    counts = counted(states)
    faults, healthy = failed_datasets(study), is_healthy(states)
    lines = [f"study {study.name}: {number_of(len(states), 'run')}", *faults, *in_words(states)]
    if files := missing(study):
        lines.append(f"{number_of(len(files), 'file')} to be made by 'all', such as {files[0]}")
    if counts.keys() - ENDED:
        at_once = counts.get("running", 1)
        lines.append(until_done(time_left(states, at_once), at_once, "run"))
    return "\n".join(lines), healthy and not faults


def until_done(seconds: float | None, at_once: int, what: str) -> str:
    """Return the line that says how long the rest takes; None stands for seconds that nothing finished tells yet."""
    text = f"unknown until the first {what} has finished" if seconds is None else f"{spell(seconds)}, {at_once} at once"
    return f"time left: {text}"


def in_words(states: Sequence[State]) -> list[str]:
    """Return a line for each state, with the number of its runs, and one for each run that is not well or under way."""
    counts = [f"  {count:5d} {state}" for state, count in counted(states).items()]
    return counts + [state.line for state in states if state.state in BY_NAME]


def is_healthy(states: Sequence[State]) -> bool:
    """Whether no run has failed or is damaged."""
    return counted(states).keys().isdisjoint(BAD)


def failed_datasets(study: Study) -> list[str]:
    """Return a line for each dataset whose preparation has failed, without which none of its runs can start."""
    lines = []
    for name in study.datasets:
        folder = study.dataset_folder(name)
        log = paths.log(f"prepare/{folder.name}")
        if not (folder / store.PROVENANCE).is_file() and (fault := fault_in(log)):
            remedy = f"'python -m benchmark prepare {study.name} {name}' or snakemake tries again"
            lines.append(f"failed: prepare {name}: {fault} (log: {log}); once that is fixed, {remedy}")
    return lines


def last_line(log: Path) -> str:
    """Return the last line of a log that is not blank; empty if there is no such line or no log."""
    return next((line.strip() for line in reversed(_text(log).split("\n")) if line.strip()), "")


def fault_in(log: Path) -> str:
    """Return the last line of a log that ends in an error; empty if it ends otherwise."""
    line = last_line(log)
    return line if line.startswith("error: ") or "\nTraceback (" in f"\n{_text(log)}" else ""


def _text(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def counted(states: Sequence[State]) -> dict[str, int]:
    """Return the number of runs in each state, in the order of `STATES`."""
    counts = Counter(state.state for state in states)
    return {state: counts[state] for state in STATES if counts[state]}


def time_left(states: Sequence[State], at_once: int) -> float | None:
    """Return the seconds until all is done if ``at_once`` jobs run at a time; None before any run has finished.

    A job under way goes on at its own pace. An epoch of a run that has not begun takes as long as in finished ones of
    its method in its cell; else of its method, or of any, on its dataset and architecture; else as in any. Those that
    the machine of the latest run computed come first: others may be several times as fast or slow. A run that trains
    nothing, such as SSD's, takes no time before one of its method has finished.
    """
    _, latest = max(((state.ended, state.machine) for state in states), default=("", ()))
    finished: dict[object, list[float]] = {}
    for state in states:
        if state.seconds is not None:
            for key in itertools.product((state.machine, None), _groups(state.run)):
                finished.setdefault(key, []).append(state.seconds / _epochs(state.run))

    def usual(run: Run) -> float | None:
        """Return the seconds of a run at the mean pace of the finished runs that are most like it."""
        keys = itertools.product((latest, None), _groups(run))
        return next((mean(finished[key]) * _epochs(run) for key in keys if key in finished), None)

    longest = total = 0.0
    for state in states:
        if state.state in ENDED:
            continue
        remaining = state.seconds_left
        if remaining is None:
            expected = usual(state.run)
            if expected is None and (state.run.settings.epochs or not finished):
                return None
            remaining = max(0.0, (expected or 0.0) - state.elapsed)
        longest, total = max(longest, remaining), total + remaining
    return max(longest, total / at_once)


def spell(seconds: float) -> str:
    """Write a duration in at most two units: 42 s, 3 min 20 s, 5 h 12 min, 2 d 3 h."""
    rounded = round(seconds)
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if rounded >= size:
            return f"{rounded // size} {unit} {rounded % size // smaller} {part}"
    return f"{rounded} s"


def _groups(run: Run) -> list[tuple[str, ...]]:
    """Return the keys of the groups of runs that a run is in, from the most to the least similar."""
    name = run.name
    network = (name.dataset, name.arch)
    groups = [(*network, name.scenario, name.method), (*network, "", name.method), network, ()]
    return groups if run.settings.epochs else groups[:2]  # what is not trained has no pace of training


def _epochs(run: Run) -> int:
    """Return the epochs of a run; 1 if it has none, since it takes time all the same."""
    return max(1, run.settings.epochs)


def _under_way(work: Path, run: Run) -> State | None:
    """Return the state of the job whose note is in a working folder; None without a complete note."""
    path = work / paths.PROGRESS
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        remark = f"epoch {note['epoch']} of {note['epochs']} on {note['host']}"
        alive = _alive(note, path.stat().st_mtime)
        state = State(run, "running" if alive else "interrupted", remark, note=note)
        _ = state.elapsed, state.seconds_left  # a note that lacks what these need is none
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state


def _alive(note: dict[str, Any], touched: float) -> bool:
    """Whether the process that last touched a note at the time ``touched`` is still running.

    This is checked on this host; a process on another one counts as running for as long as it touches its note.
    """
    if note["host"] != platform.node():
        return time.time() - touched < FRESH_SECONDS
    try:
        # A later process may have been given the same number.
        return psutil.Process(note["process"]).create_time() <= touched + 1
    except psutil.Error:
        return False


def _by_log(log: Path, run: Run) -> State:
    """Return the state of a run that has left a log at most."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        touched = log.stat().st_mtime
    except OSError:
        return State(run, "left")
    # A job's first line is its command; a later one says what came of it, unless the job waits for a device or lock.
    if not lines:
        return State(run, "running", "starting") if time.time() - touched < FRESH_SECONDS else State(run, "left")
    if lines[-1].startswith(("$ ", "waiting for ")):
        started = STARTED.search(lines[0])
        if started and _alive({"process": int(started[1]), "host": started[2]}, touched):
            return State(run, "running", f"starting on {started[2]}")
        return State(run, "failed", f"ended before training began (log: {log})")
    if lines[-1] in (FINISHED, DIVERGED):
        return State(run, "left", "its results are gone")
    return State(run, "failed", f"{lines[-1].removeprefix(f'{run.name}: ')} (log: {log})")
